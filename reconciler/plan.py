"""The plan: (changes, live, desired, situation) → Plan, a frozen value.

What is shown is what is run: reports render it, the executor walks it, a saved one is read back to the letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reconciler.connection import redacted
from reconciler.contract import Object, Situation
from reconciler.diff import Action, Change, Difference
from reconciler.heirs import lent, with_given
from reconciler.order import Step, in_order
from reconciler.ref import Ref
from reconciler.renames import Renaming
from reconciler.state import State
from reconciler.statement import Hazard
from reconciler.work import gather, making


class Planned(BaseModel):
    """One change of a plan: what differs, and the object before and after as plain data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    kind: str
    identity: str
    differences: tuple[Difference, ...] = ()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Plan(BaseModel):
    """What will be done to `target`, and all that is needed to do it safely.

    `fingerprint` maps every object that the plan touches or stands on to a digest of what it was; `digest` covers the
    document itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    target: str = Field(description="the database, without a password")
    database: str = Field(default="", description="what tells it from every other: system identifier and name")
    in_sync: bool
    unchanged: int = Field(default=0, description="declared objects that are as they should be")
    scratch: str = Field(default="", description="the server on which the plan was proven")
    spelled_by: int = Field(default=0, description="the major version of the server that spelled the SQL in `changes`")
    changes: tuple[Planned, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    fingerprint: dict[str, str] = Field(default_factory=dict)
    digest: str = ""

    def sealed(self) -> Plan:
        """The plan with its digest."""
        return self.model_copy(update={"digest": self._digest()})

    def intact(self) -> bool:
        """Whether nobody has edited the document since it was sealed."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        return sha256(self.model_copy(update={"digest": ""}).model_dump_json().encode()).hexdigest()

    def hazards(self) -> dict[Hazard, list[str]]:
        """Every hazard with its reasons."""
        found: dict[Hazard, list[str]] = {}
        for step in self.steps:
            for danger in step.hazards:
                found.setdefault(danger.hazard, []).append(danger.reason)
        return found

    def transactions(self) -> list[list[Step]]:
        """The steps, those that commit together in one list."""
        groups: list[list[Step]] = []
        for step in self.steps:
            if groups and step.transaction and groups[-1][0].transaction == step.transaction:
                groups[-1].append(step)
            else:
                groups.append([step])
        return groups


def make_plan(
    changes: Sequence[Change],
    live: State,
    desired: State,
    situation: Situation,
    *,
    target: str = "",
    database: str = "",
    scratch: str = "",
    spelled_by: int = 0,
    unchanged: int = 0,
    notes: Sequence[str] = (),
    fingerprint: Mapping[str, str] | None = None,
    renamings: Sequence[Renaming] = (),
) -> Plan:
    """Order the changes into steps; a pure function. Raises PlanError where no order works.

    `live` is what the renamings, which come first, leave.
    """
    work = gather(changes, with_given(live, [c.live for c in changes]), desired, lent(changes, live, desired, situation))
    steps = in_order(work, changes, renamings)
    planned = [
        Planned(
            action=c.action,
            kind=c.ref.kind,
            identity=c.ref.identity,
            differences=c.differences,
            before=c.live.fields() if c.live else None,
            after=c.desired.fields() if c.desired else None,
        )
        for c in changes
        if c.action != "alter" or c.differences or work.statements.get(making(c.ref))  # else it only follows another change
    ]
    renamed = [Planned(action="alter", kind=r.becomes.kind, identity=r.becomes.identity, differences=(r.told,)) for r in renamings]
    leftovers = [Planned(action="drop", kind=n.ref.kind, identity=n.ref.identity) for n in work.actions if n.drop and n.ref not in live]
    return Plan(
        target=redacted(target),
        database=database,
        in_sync=not steps,
        unchanged=unchanged,
        scratch=scratch,
        spelled_by=spelled_by,
        changes=(*renamed, *planned, *leftovers),
        steps=tuple(steps),
        notes=tuple(notes),
        fingerprint=dict(fingerprint or {}),
    ).sealed()


def touched(changes: Sequence[Change], live: State, desired: State) -> set[Ref]:
    """What a plan of these changes touches, stands on, or has standing on it."""
    refs = {c.ref for c in changes}
    standing = live.dependents()
    return refs | {n for r in refs for n in (*live.needs(r), *desired.needs(r), *standing.get(r, ()))}


def fingerprint(refs: Iterable[Ref], state: State) -> dict[str, str]:
    """A digest of each object as it is, "" for what is not there.

    What is there counts where two are called the same: an index of a table, and of the view that takes the table's place.
    """
    return {str(r): _print(state.get(r)) for r in sorted(refs, key=lambda r: (r in state, r.kind, r.order))}


def _print(obj: Object | None) -> str:
    return sha256(obj.model_dump_json().encode()).hexdigest()[:16] if obj else ""
