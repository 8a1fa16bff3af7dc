"""Trace the changes of a plan back to positions in YAML files."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from reconciler.errors import Position, ReconcileError, Severity
from reconciler.model.object import MOVED
from reconciler.model.ref import Ref
from reconciler.model.statement import HazardKind
from reconciler.plan.plan import FilePosition, Plan, Planned

Positions = Mapping[tuple[Ref, str], Position]  # by object and YAML key; "" is the object's own key
Named = tuple[str, str]  # kind and identity
_KEYS = {"name": "renamed_from", MOVED: "renamed_from"}  # fields whose YAML key has another name
_IN_ORDER = [*HazardKind]


class _Origin(NamedTuple):
    """The fields of Planned about the cause of a change."""

    rule: str
    severity: Severity
    position: FilePosition | None


def with_origins(plan: Plan, positions: Positions) -> Plan:
    """Return the plan with position, rule and severity of each change.

    The rule is the name of the first hazard among the change's steps, in the order of HazardKind,
    and the severity a warning; without a hazard they are the action and a note.
    """
    refs = _refs_of_changes(plan, positions)
    dropped = {(c.kind, c.identity) for c in plan.changes if c.action == "drop"}
    hazards = _hazards(plan)
    changes: list[Planned] = []
    for change in plan.changes:
        place = (change.kind, change.identity)
        hazard = _first(hazards.get(place, ()))
        origin = _Origin(
            rule=hazard.value if hazard else change.action,
            severity="warning" if hazard else "note",
            position=_first_known(_candidates(change, refs.get(place), dropped), positions),
        )
        changes.append(change.model_copy(update=origin._asdict()))
    return plan.model_copy(update={"changes": tuple(changes)})


def _refs_of_changes(plan: Plan, positions: Positions) -> dict[Named, Ref]:
    """Return the refs by kind and identity; those in files only where the plan lacks some."""
    refs = {(r.kind, r.identity): r for r in plan.touches}
    kinds = {c.kind for c in plan.changes if (c.kind, c.identity) not in refs}
    if not kinds:
        return refs
    declared = dict.fromkeys(ref for ref, _ in positions if ref.kind in kinds)
    return {(r.kind, r.identity): r for r in declared} | refs


@contextmanager
def positioned_errors(positions: Positions) -> Generator[None]:
    """Add to errors about objects the position of the first declared object."""
    try:
        yield
    except ReconcileError as error:
        declared = {str(ref): at for (ref, key), at in positions.items() if not key}
        if error.position is None:
            error.position = next((declared[o] for o in error.objects if o in declared), None)
        raise


def _hazards(plan: Plan) -> dict[Named, list[HazardKind]]:
    hazards: dict[Named, list[HazardKind]] = {}
    for step in plan.steps:
        for named in step.objects:
            hazards.setdefault(named, []).extend(hazard.hazard for hazard in step.hazards)
    return hazards


def _first(hazards: Iterable[HazardKind]) -> HazardKind | None:
    return min(hazards, key=_IN_ORDER.index, default=None)


def _candidates(
    change: Planned, ref: Ref | None, dropped: Iterable[Named]
) -> Iterator[tuple[Ref, str]]:
    """Yield the YAML keys behind a change, the most specific first."""
    if ref is None:
        return
    for difference in change.differences:
        field = difference.field.split(".")[0]
        yield ref, _KEYS.get(field, field)
    yield ref, ""
    if change.action == "drop" and ref.on is not None:
        yield ref.on, "exclusive"
        if (ref.on.kind, ref.on.identity) in dropped:
            yield ref.on, ""


def _first_known(
    candidates: Iterable[tuple[Ref, str]], positions: Positions
) -> FilePosition | None:
    at = next(filter(None, map(positions.get, candidates)), None)
    return FilePosition(file=at.file.as_posix(), line=at.line, column=at.column) if at else None
