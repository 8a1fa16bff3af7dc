"""Read which runs of a journal belong to a roll-out over several databases."""

from __future__ import annotations

from reconciler.errors import NothingToUndo
from reconciler.journal.history import CHANGED, RUNS, Run, read_runs
from reconciler.server.connection import Connection

# A journal of an earlier version has no roll-outs, and rows are read whole.
_OF_ROLLOUT = f"""
    to_jsonb(r) ->> 'rollout' IS NOT NULL AND r.rollback_of IS NULL AND {CHANGED}
    AND NOT EXISTS (SELECT FROM {{schema}}.run AS back
                    WHERE back.rollback_of = r.id AND back.status = 'done')"""
_LAST = f"{RUNS} WHERE {_OF_ROLLOUT} ORDER BY r.id DESC LIMIT 1"
_NAMED = f"{RUNS} WHERE to_jsonb(r) ->> 'rollout' = %s AND {_OF_ROLLOUT} ORDER BY r.id DESC"


def last_of_rollout(connection: Connection, schema: str) -> Run | None:
    """Read the last run of any roll-out that changed something and was not undone."""
    found = read_runs(connection, schema, _LAST)
    return found[0] if found else None


def runs_of_rollout(connection: Connection, schema: str, rollout: str) -> list[Run]:
    """Read the runs of a roll-out that changed something and were not undone, the last first.

    Raises NothingToUndo if there is none.
    """
    found = read_runs(connection, schema, _NAMED, rollout)
    if not found:
        raise NothingToUndo(f"schema {schema} records no run of roll-out {rollout} to undo")
    return found
