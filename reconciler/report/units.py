"""Group the steps of a plan into transactions, with locks and dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from reconciler.evidence.model import Application
from reconciler.journal.history import StepRecord
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.locks import blocked_by, stronger


@dataclass(frozen=True)
class Unit:
    """The steps of a transaction, or one step outside a transaction block.

    `needs` are the numbers of units that must have succeeded; `records` are the recorded steps.
    """

    number: int
    steps: Sequence[Step]
    needs: frozenset[int]
    records: Sequence[StepRecord]

    @property
    def title(self) -> str:
        """The ids of the steps, as in `01–05`."""
        return id_range([step.id for step in self.steps])

    @cached_property
    def locks(self) -> Mapping[str, str]:
        """The strongest mode by relation, the strongest first."""
        return strongest_locks(self.steps)

    @property
    def lock(self) -> str:
        """The strongest mode; "" without a table lock."""
        return next(iter(self.locks.values()), "")

    @property
    def objects(self) -> Sequence[str]:
        """Action, kind and identity of what the steps change, each once."""
        return list(dict.fromkeys(f"{s.action} {s.kind} {s.identity}" for s in self.steps))

    @property
    def is_long(self) -> bool:
        """Whether the time depends on the rows of a table."""
        return any(step.long or step.fill is not None for step in self.steps)

    @property
    def hazards(self) -> Sequence[str]:
        """The names of the hazards, each once."""
        return sorted({hazard.hazard for step in self.steps for hazard in step.hazards})

    @property
    def status(self) -> str:
        """The recorded outcome; "" if no step is recorded."""
        found = {record.status for record in self.records}
        worst = next((s for s in ("failed", "skipped") if s in found), "")
        return worst or ("done" if self.records else "")

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The recorded begin of the first step and end of the last; None if none is recorded."""
        if not self.records:
            return None
        begins = (r.finished_at - timedelta(seconds=r.seconds) for r in self.records)
        return min(begins), max(r.finished_at for r in self.records)


def units_of(plan: Plan, application: Application | None = None) -> list[Unit]:
    """List the units of a plan, in the order of execution."""
    groups = plan.transactions()
    number_of = {step.id: n for n, group in enumerate(groups) for step in group}
    recorded: Mapping[str, StepRecord] = application.steps if application else {}
    return [
        Unit(
            number,
            group,
            frozenset(_needs(group, number, number_of)),
            [recorded[s.id] for s in group if s.id in recorded],
        )
        for number, group in enumerate(groups)
    ]


def _needs(group: Sequence[Step], number: int, number_of: Mapping[str, int]) -> Iterator[int]:
    """Yield the earlier units needed by a unit; a saved plan may name other steps, or none."""
    for step in group:
        found = (number_of.get(each, number) for each in step.depends_on)
        yield from (need for need in found if need < number)


def strongest_locks(steps: Iterable[Step]) -> dict[str, str]:
    """Map each locked relation to the strongest mode of the steps, the strongest first."""
    found: dict[str, str] = {}
    for step in steps:
        own = [(step.relation, step.lock)] if step.lock and not step.locks else []
        for relation, mode in (*own, *((lock.relation, lock.mode) for lock in step.locks)):
            found[relation] = stronger(found.get(relation, ""), mode)
    return dict(sorted(found.items(), key=lambda lock: _weakness(lock[1])))


def _weakness(mode: str) -> int:
    return ("reads and writes", "writes", "").index(blocked_by(mode))


def id_range(ids: Sequence[str]) -> str:
    """Shorten consecutive ids, as in `01–05`."""
    return ids[0] if len(ids) == 1 else f"{ids[0]}–{ids[-1]}" if ids else ""
