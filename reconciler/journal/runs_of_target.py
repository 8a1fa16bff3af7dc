"""Choose the runs of a target in a journal that targets may share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.errors import DoubtfulRun, NothingToUndo, PlanRefused, UnknownRollout
from reconciler.journal.history import CHANGED, ONE_RUN, Run, query_journal, read_runs
from reconciler.journal.ownership import Place
from reconciler.journal.run_target import RunTarget, doubt, is_of
from reconciler.server.connection import Connection

PAGE = 100  # runs
# A journal of an earlier version lacks columns, and rows are read whole.
_RUNS = """
    SELECT r.id, coalesce(to_jsonb(r) ->> 'target', '') AS name,
           nullif(to_jsonb(r) -> 'variables', 'null') AS variables
    FROM {schema}.run AS r
    WHERE r.id < %s AND """
_PAGE = f" ORDER BY r.id DESC LIMIT {PAGE}"
_OF_ROLLOUT = f"""
    to_jsonb(r) ->> 'rollout' IS NOT NULL AND r.rollback_of IS NULL AND {CHANGED}
    AND NOT EXISTS (SELECT FROM {{schema}}.run AS back
                    WHERE back.rollback_of = r.id AND back.status = 'done')"""
_NAMED = f"{_OF_ROLLOUT} AND to_jsonb(r) ->> 'rollout' = %s"
_KNOWN = "SELECT true AS known FROM {schema}.run AS r WHERE to_jsonb(r) ->> 'rollout' = %s LIMIT 1"
_MAX = 2**63 - 1


@dataclass(frozen=True)
class _Made:
    """A run, and for whom it was made; None if that was not recorded."""

    number: int
    run_target: RunTarget | None


def last_run_of_target(connection: Connection, place: Place) -> Run | None:
    """Read the last run of the target that changed, or may have changed, an object.

    Without one, returns None if the journal has no such run of anybody. Raises PlanRefused if all
    are of other targets, and DoubtfulRun if the last may be.
    """
    made, others = _first(place, _made(connection, place.schema, CHANGED))
    if made is None and others:
        raise PlanRefused(
            f"schema {place.schema} records no run{_for(place)} that changed something{others}"
        )
    return _read(connection, place, made) if made else None


def last_of_rollout(connection: Connection, place: Place) -> Run | None:
    """Read the last run of the target in any roll-out that changed something and was not undone.

    Raises DoubtfulRun if a later one may be the target's.
    """
    made, _ = _first(place, _made(connection, place.schema, _OF_ROLLOUT))
    return _read(connection, place, made) if made else None


def runs_of_rollout(connection: Connection, place: Place, rollout: str) -> list[int]:
    """Read the runs of a roll-out for the target that are to be undone, the last first.

    They have changed something and were not undone; all but the first may be another target's.
    Raises NothingToUndo if there is none, DoubtfulRun if the last may be another target's.
    """
    made = [*_made(connection, place.schema, _NAMED, rollout)]
    first, others = _first(place, iter(made))
    if first is None:
        if not query_journal(connection, place.schema, _KNOWN, rollout):
            raise UnknownRollout(f"schema {place.schema} records no roll-out {rollout}")
        raise NothingToUndo(
            f"schema {place.schema} records no run of roll-out {rollout}{_for(place)} to undo"
            f"{others}"
        )
    earlier = made[made.index(first) + 1 :]
    kept = [each for each in earlier if is_of(each.run_target, place.run_target) is not False]
    return [each.number for each in (first, *kept)]


def _first(place: Place, found: Iterator[_Made]) -> tuple[_Made | None, str]:
    """Return the first run of the target; without one, None and the target of the first run."""
    others = ""
    for made in found:
        own = is_of(made.run_target, place.run_target)
        if own is None and place.run_target is not None:
            raise DoubtfulRun(doubt(made.number, made.run_target, place.run_target))
        if own:
            return made, ""
        others = others or f"; run {made.number} was made for {made.run_target}"
    return None, others


def _for(place: Place) -> str:
    return (
        f" for {place.run_target}" if place.run_target is not None and place.run_target.name else ""
    )


def _read(connection: Connection, place: Place, made: _Made) -> Run:
    return read_runs(connection, place.schema, ONE_RUN, made.number)[0]


def _made(connection: Connection, schema: str, condition: str, *values: object) -> Iterator[_Made]:
    """Yield the runs for which a condition holds, the last first."""
    before = _MAX
    while found := query_journal(connection, schema, _RUNS + condition + _PAGE, before, *values):
        for row in found:
            variables = row["variables"]
            yield _Made(row["id"], None if variables is None else RunTarget(row["name"], variables))
        before = found[-1]["id"]
