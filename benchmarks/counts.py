"""Count what a run asks of the servers: figures that no load of the machine changes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import PipelineStatus

from reconciler.cli import main
from reconciler.introspect.queries import SERVER_FACTS
from reconciler.server.scratch import APPLICATION, SESSIONS
from reconciler.server.session import Connection

TARGET, SCRATCH = "statements to the target", "statements to scratch"
TRIPS_TARGET, TRIPS_SCRATCH = "round trips to the target", "round trips to scratch"
READ_TARGET, READ_SCRATCH = "target read", "scratch read"
DATABASES, OBJECTS = "databases made", "objects made on scratch"
LIMITS = ("BEGIN", "COMMIT")


@contextmanager
def counting() -> Generator[Counter[str]]:
    """Count the statements that this process sends until the end of the block.

    What is sent together, as a pipeline, is one round trip. BEGIN and COMMIT do not count.
    """
    counts: Counter[str] = Counter()
    known: WeakKeyDictionary[psycopg.Connection[Any], bool] = WeakKeyDictionary()
    execute: Callable[..., Any] = psycopg.Cursor.execute
    pipeline: Callable[..., Any] = psycopg.Connection.pipeline
    together: Callable[..., Any] = Connection.send_together

    def is_scratch(connection: psycopg.Connection[Any]) -> bool:
        if connection not in known:
            parameters = connection.info.get_parameters()
            known[connection] = parameters.get("fallback_application_name") == APPLICATION
        return known[connection]

    def counted(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
        text = query if isinstance(query, str) else ""
        if text == SESSIONS:  # repeated more often by a busy machine
            return execute(cursor, query, *args, **options)
        scratch = is_scratch(cursor.connection)
        counts[SCRATCH if scratch else TARGET] += 1
        if cursor.connection.info.pipeline_status == PipelineStatus.OFF:
            counts[TRIPS_SCRATCH if scratch else TRIPS_TARGET] += 1
        facts = (SERVER_FACTS, f"EXECUTE {cursor.connection.prepared.get(SERVER_FACTS)}")
        counts[READ_SCRATCH if scratch else READ_TARGET] += text in facts
        counts[DATABASES] += text.startswith("CREATE DATABASE")
        counts[OBJECTS] += scratch and text.startswith("CREATE ")
        return execute(cursor, query, *args, **options)

    @contextmanager
    def counted_pipeline(connection: psycopg.Connection[Any]) -> Generator[Any]:
        counts[TRIPS_SCRATCH if is_scratch(connection) else TRIPS_TARGET] += 1
        with pipeline(connection) as opened:
            yield opened

    def counted_together(connection: Connection, statements: Sequence[str]) -> Any:
        scratch = is_scratch(connection)
        counts[SCRATCH if scratch else TARGET] += len([s for s in statements if s not in LIMITS])
        counts[TRIPS_SCRATCH if scratch else TRIPS_TARGET] += 1
        counts[OBJECTS] += sum(scratch and s.startswith("CREATE ") for s in statements)
        return together(connection, statements)

    setattr(psycopg.Cursor, "execute", counted)  # noqa: B010 - of another type
    setattr(psycopg.Connection, "pipeline", counted_pipeline)  # noqa: B010
    setattr(Connection, "send_together", counted_together)  # noqa: B010
    try:
        yield counts
    finally:
        setattr(psycopg.Cursor, "execute", execute)  # noqa: B010
        setattr(psycopg.Connection, "pipeline", pipeline)  # noqa: B010
        setattr(Connection, "send_together", together)  # noqa: B010


if __name__ == "__main__":  # a file for the counts, and the arguments of `reconcile`
    _, file, *arguments = sys.argv
    with counting() as found:
        try:
            main(arguments)
        finally:
            Path(file).write_text(json.dumps(found))
