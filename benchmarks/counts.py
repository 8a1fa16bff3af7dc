"""Count what a run asks of the servers: figures that no load of the machine changes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from reconciler.cli import main
from reconciler.introspect.queries import SERVER_FACTS
from reconciler.server.scratch import APPLICATION

TARGET, SCRATCH = "statements to the target", "statements to scratch"
READ_TARGET, READ_SCRATCH = "target read", "scratch read"
DATABASES, OBJECTS = "databases made", "objects made on scratch"


@contextmanager
def counting() -> Generator[Counter[str]]:
    """Count the statements that this process sends until the end of the block."""
    counts: Counter[str] = Counter()
    execute: Callable[..., Any] = psycopg.Cursor.execute

    def counted(cursor: psycopg.Cursor[Any], query: Any, *args: Any, **options: Any) -> Any:
        text = query if isinstance(query, str) else ""
        scratch = cursor.connection.info.get_parameters().get("fallback_application_name")
        is_scratch = scratch == APPLICATION
        counts[SCRATCH if is_scratch else TARGET] += 1
        counts[READ_SCRATCH if is_scratch else READ_TARGET] += text == SERVER_FACTS
        counts[DATABASES] += text.startswith("CREATE DATABASE")
        counts[OBJECTS] += is_scratch and text.startswith("CREATE ")
        return execute(cursor, query, *args, **options)

    setattr(psycopg.Cursor, "execute", counted)  # noqa: B010 - of another type
    try:
        yield counts
    finally:
        setattr(psycopg.Cursor, "execute", execute)  # noqa: B010


if __name__ == "__main__":  # a file for the counts, and the arguments of `reconcile`
    _, file, *arguments = sys.argv
    with counting() as found:
        try:
            main(arguments)
        finally:
            Path(file).write_text(json.dumps(found))
