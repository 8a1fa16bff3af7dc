"""Write the result of each target into a table of a control database."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.rollout.result import Command, TargetResult
from reconciler.server.connection import Connection, connect, rows, run_sql, translated

OPTION, VARIABLE = "--results", "RECONCILE_RESULTS"
TABLE = "reconcile_results"
_EXISTS = "SELECT pg_catalog.to_regclass('public.reconcile_results') IS NOT NULL AS found"
_CREATE = """
    CREATE TABLE public.reconcile_results (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        recorded_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
        rollout text,
        command text NOT NULL,
        target text NOT NULL,
        status text NOT NULL,
        exit_status integer NOT NULL,
        ok integer NOT NULL,
        changed integer NOT NULL,
        failed integer NOT NULL,
        skipped integer NOT NULL,
        run bigint,
        message text NOT NULL,
        started_at timestamp with time zone,
        seconds double precision NOT NULL)"""
_INSERT = """
    INSERT INTO public.reconcile_results
        (rollout, command, target, status, exit_status, ok, changed, failed, skipped, run, message,
         started_at, seconds)
    VALUES (nullif(%(rollout)s, ''), %(command)s, %(target)s, %(status)s, %(exit)s, %(ok)s,
            %(changed)s, %(failed)s, %(skipped)s, %(run)s, %(message)s,
            pg_catalog.to_timestamp(nullif(%(at)s, 0)), %(seconds)s)"""


class ResultsTable:
    """The table `public.reconcile_results` of a database, created if missing.

    Raises ConnectionFailed and StatementFailed.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        with connect(url) as connection:
            if not rows(connection, _EXISTS)[0]["found"]:
                run_sql(connection, _CREATE)

    def write(self, command: Command, rollout: str, results: Iterable[TargetResult]) -> None:
        """Insert a row for each result, all in one transaction."""
        with connect(self._url) as connection, translated(), connection.transaction():
            for result in results:
                _insert(connection, command, rollout, result)


def _insert(connection: Connection, command: Command, rollout: str, result: TargetResult) -> None:
    values: dict[str, object] = {
        "command": command,
        "rollout": rollout,
        "target": result.name,
        "status": result.status,
        "exit": result.exit,
        **result.objects,
        "run": result.run,
        "message": result.message.replace("\0", ""),
        "at": result.at,
        "seconds": result.seconds,
    }
    rows(connection, _INSERT, values)
