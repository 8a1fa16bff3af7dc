"""Databases to be watched: a server with pg_stat_statements, and runs of any age."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from click.testing import CliRunner, Result

from reconciler.cli import main
from reconciler.server.kept import Kept, start_embedded
from tests.conftest import Database


def reconcile(*arguments: object) -> Result:
    """Run a command as on the command line."""
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def apply(database: Database, folder: Path, declared: str, *options: str) -> Result:
    """Apply a declaration, and expect that it succeeds."""
    file = folder / "state.yml"
    file.write_text(declared)
    everything = ("--target", database.url, "--state", file, "--allow", "all", "--yes", *options)
    done = reconcile("apply", *everything)
    assert done.exit_code == 0, done.output
    return done


def age(database: Database, interval: str) -> None:
    """Let the runs of a journal be older."""
    database.run(
        f"""UPDATE reconcile.run SET started_at = started_at - interval '{interval}',
                                     finished_at = finished_at - interval '{interval}';
            UPDATE reconcile.baseline SET taken_at = taken_at - interval '{interval}'"""
    )


def restarted(server: Kept, purpose: str) -> Kept:
    """Stop a server and start it again."""
    server.stop()
    return start_embedded(purpose)


@contextmanager
def statements_server() -> Generator[Callable[[str], Database]]:
    """Start a server with pg_stat_statements; yield a function that makes databases."""
    purpose = f"statements-{os.getpid()}"
    server = start_embedded(purpose)
    try:
        maintenance = Database(server.url, server.tools)
        maintenance.run("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        maintenance.run("ALTER SYSTEM SET autovacuum = off")
        server = restarted(server, purpose)
        numbers = count()

        def make(script: str) -> Database:
            database = Database(server.database(f"app_{next(numbers)}"), server.tools)
            database.run("CREATE EXTENSION pg_stat_statements")
            database.run(script)
            return database

        yield make
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.folder, ignore_errors=True)
