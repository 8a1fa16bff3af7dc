"""A step of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import AliasChoices, Field

from reconciler.diff.diff import Action
from reconciler.model.frozen import Frozen
from reconciler.model.statement import Fill, Hazard, Held, Lock, Question, Requirement


class Step(Frozen):
    """A command of a plan.

    Steps with the same `transaction` commit together; a step with "" runs outside a transaction
    block. `undo` is run, last step first, to undo the plan. A step is not run if a step in its
    `depends_on` failed. A `long` step waits for its locks without a timeout, because it blocks
    nobody. `cleanup` removes what a failed attempt leaves behind. `fill` marks a backfill, which
    runs in batches. `search_path` is what functions need that the command runs; "" is SEARCH_PATH.
    `locks` are all table locks; `lock` on `relation` is the strongest. All other fields are those
    of `Statement`.
    """

    id: str
    action: Action
    kind: str
    identity: str
    schema_name: str = ""
    sql: str
    transactional: bool
    transaction: str = ""
    lock: str = ""
    relation: str = ""
    locks: tuple[Lock, ...] = ()
    long: bool = False
    hazards: tuple[Hazard, ...] = ()
    cleanup: tuple[str, ...] = Field(
        default=(),
        validation_alias=AliasChoices("cleanup", "mend"),  # name in journals of version 0.1
    )
    undo: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    fill: Fill | None = None
    index: str = ""
    builds_index: bool = False
    drops_leftover: bool = False
    adds_shadow_column: bool = False
    privilege: str = ""
    needs_create_on: Literal["", "schema", "database"] = ""
    question: Question | None = None
    temporary: bool = False
    search_path: str = ""
    environment: str = ""
    holds: Held = "connection string"
    database: str = ""
    requirements: tuple[Requirement, ...] = ()
    also: tuple[tuple[str, str], ...] = ()

    @property
    def objects(self) -> tuple[tuple[str, str], ...]:
        """The objects that the step changes: kind and identity."""
        return ((self.kind, self.identity), *self.also)

    @property
    def quick(self) -> bool:
        """Whether the step takes only a moment after acquiring the lock."""
        return bool(self.lock) and not self.long and self.fill is None and not self.hazards


def objects_of(steps: Iterable[Step]) -> set[tuple[str, str]]:
    """Return the objects that steps change: kind and identity."""
    return {each for step in steps for each in step.objects}
