"""Describe the content of a report in words and figures, for Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.counted import counted
from reconciler.evidence.model import Application, Benchmark, Evidence, QueryFigures
from reconciler.journal.history import StepRecord
from reconciler.model.facts import READ_RATE
from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Plan, Planned, RelationSize
from reconciler.plan.step import Step
from reconciler.report.changes import SIGNS
from reconciler.report.figures import NOT_MEASURED
from reconciler.report.units import id_range, strongest_locks

MOMENT = "a moment"
RATE = f"{READ_RATE // 1_000_000} MB a second"
_REWRITE, _SCAN = HazardKind.TABLE_REWRITE, HazardKind.LONG_SCAN
_FAST = 1.0  # seconds


class Held(NamedTuple):
    """A lock, and whether the lock lasts as long as reading, filling or rewriting a table."""

    mode: str
    relation: str
    is_long: bool

    @property
    def how_long(self) -> str:
        """The duration in words."""
        return "during the work" if self.is_long else "for a moment"


@dataclass(frozen=True)
class ChangeRow:
    """A change with its steps: locks, size of the locked relations, expected work, time taken."""

    change: Planned
    steps: Sequence[Step]
    ids: str
    locks: Sequence[Held]
    sizes: Sequence[str]
    work: str
    hazards: Sequence[str]
    took: str

    @property
    def sign(self) -> str:
        """The sign of the action, as in other formats."""
        return SIGNS[self.change.action]


class QueryRow(NamedTuple):
    """A query of the workload before and after; times in milliseconds."""

    query: str
    scale: str
    before: str
    after: str
    saved: str
    promise: str
    verdict: str
    share: float | None  # of the time before that is left


def change_rows(evidence: Evidence) -> list[ChangeRow]:
    """List the changes of the plan."""
    plan = evidence.plan.content
    sizes = {size.relation: size for size in plan.sizes}
    rows: list[ChangeRow] = []
    for change in plan.changes:
        steps = [s for s in plan.steps if (change.kind, change.identity) in s.objects]
        relations = [*strongest_locks(steps)]
        rows.append(
            ChangeRow(
                change,
                steps,
                id_range([step.id for step in steps]),
                held_locks(steps),
                [_size_of(relation, sizes, relations) for relation in relations],
                _work(steps, sizes),
                [f"{h.hazard}: {h.reason}" for s in steps for h in s.hazards],
                took(steps, evidence.application),
            )
        )
    return rows


def held_locks(steps: Sequence[Step]) -> list[Held]:
    """List the strongest lock on each relation, and the lock during the work."""
    found: list[Held] = []
    during = strongest_locks(step for step in steps if is_long(step))
    for relation, mode in strongest_locks(steps).items():
        if during.get(relation) != mode:
            found.append(Held(mode, relation, is_long=False))
        if relation in during:
            found.append(Held(during[relation], relation, is_long=True))
    return found


def is_long(step: Step) -> bool:
    """Tell whether the time of a step depends on the rows of a table."""
    hazards = {hazard.hazard for hazard in step.hazards}
    return step.long or step.fill is not None or bool(hazards & {_REWRITE, _SCAN})


def _size_of(relation: str, sizes: Mapping[str, RelationSize], among: Sequence[str]) -> str:
    """Describe the size of a relation, with the name among several."""
    described = described_size(sizes.get(relation))
    return described if len(among) == 1 else f"{relation}: {described}"


def described_size(size: RelationSize | None) -> str:
    """Describe rows and bytes of a relation."""
    if size is None or size.bytes < 0:
        return NOT_MEASURED
    rows = f", about {counted(size.rows, 'row')}" if size.rows >= 0 else ""
    return f"{in_units(size.bytes)}{rows}"


def in_units(number: int) -> str:
    """Write a number of bytes with a unit, as in `1.8 MB`."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{number:,} bytes" if unit == "bytes" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} TB"


def took(steps: Sequence[Step], application: Application | None) -> str:
    """Return the recorded time of steps."""
    records: Mapping[str, StepRecord] = application.steps if application else {}
    found = [records[step.id].seconds for step in steps if step.id in records]
    return seconds(sum(found)) if found else NOT_MEASURED


def seconds(value: float) -> str:
    """Write a duration, as in `0.25 s` or `12 min`."""
    if value < 100:
        return f"{value:.2f} s"
    return f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.1f} h"


def _work(steps: Sequence[Step], sizes: Mapping[str, RelationSize]) -> str:
    """Describe the expected work of steps, from the sizes of their relations."""
    found = [each for step in steps if (each := _work_of(step, sizes.get(step.relation)))]
    return "; ".join(dict.fromkeys(found)) or (MOMENT if steps else "")


def _work_of(step: Step, size: RelationSize | None) -> str:
    hazards = {hazard.hazard for hazard in step.hazards}
    if step.fill is not None:
        rows = f"at most {counted(size.rows, 'row')}" if size and size.rows >= 0 else "rows"
        return f"fills {rows}, in batches" if step.fill.value is not None else _reads(size, 1)
    if _REWRITE in hazards:
        return f"rewrites {step.relation} under its lock"
    if step.builds_index:
        return _reads(size, 1 if step.transactional else 2)
    if step.long and step.index:  # drops it
        return "waits for older transactions"
    return _reads(size, 1) if step.long or _SCAN in hazards else ""


def _reads(size: RelationSize | None, times: int) -> str:
    """Describe the number of reads of a relation, and the time at READ_RATE."""
    often = "once" if times == 1 else "twice"
    if size is None or size.bytes < 0:
        return f"reads the table {often}"
    duration = times * size.bytes / READ_RATE
    about = "under 1 s" if duration < _FAST else f"about {seconds(duration)}"
    return f"reads {in_units(size.bytes)} {often}, {about} at {RATE}"


def query_rows(benchmark: Benchmark) -> Iterator[QueryRow]:
    """Yield a row for each query and scale of the declared variant."""
    before = {(m.scale, m.query): m for m in benchmark.measured if m.variant == benchmark.baseline}
    for after in benchmark.measured:
        if after.variant == benchmark.declared:
            yield _query_row(before.get((after.scale, after.query)), after)


def _query_row(before: QueryFigures | None, after: QueryFigures) -> QueryRow:
    share = None if after.saved is None else max(0.0, 1 - after.saved / 100)
    return QueryRow(
        after.query,
        f"{after.scale:g}",
        milliseconds(before.median if before else None),
        "fails" if after.error else milliseconds(after.median),
        NOT_MEASURED if after.saved is None else f"{after.saved:.1f} %",
        "" if after.promised is None else f"{after.promised:g} %",
        after.promise or "",
        share,
    )


def milliseconds(value: float | None) -> str:
    """Write milliseconds with three significant digits."""
    return NOT_MEASURED if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def proof(plan: Plan) -> str:
    """Say where the plan was proven."""
    if not plan.scratch:
        return "not proven"
    return f"proven on {plan.scratch}: the plan leads to the declared state, its undo leads back"


def undo_lines(plan: Plan) -> list[str]:
    """List the SQL of the undo, in the order of execution."""
    return [f"{sql};" for step in reversed(plan.steps) for sql in step.undo]


def rollback_hazards(plan: Plan) -> str:
    """Name the hazards of a rollback, as foreseen by the plan."""
    if plan.undo_hazards is None:
        return "not known before the run"
    return ", ".join(plan.undo_hazards) or "none"
