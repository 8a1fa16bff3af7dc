"""Make databases for tests: a template of each declared state, and copies of the template."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from psycopg import conninfo

from reconciler.api import Database, load
from reconciler.errors import ReconcileError, StatementFailed
from reconciler.server.connection import Connection, connect, rows, run_sql
from reconciler.server.kept import start_embedded
from reconciler.server.process import is_alive
from reconciler.server.scratch import drop_database
from reconciler.server.trial import run_scripts
from reconciler.sql import compose, text

PREFIX = "reconcile_test"
UNSAFE_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")  # off: faster
_OWN = re.compile(rf"{PREFIX}_(?P<pid>\d+)_[0-9a-f]+_\d+")
_DATABASES = "SELECT datname::text AS name FROM pg_database WHERE datname LIKE %s"


@dataclass
class Templates:
    """The templates of a test run, on the server of `url`, whose role may create databases.

    `start` are SQL files that run in an empty database before the declared state is applied.
    """

    url: str
    start: Sequence[Path] = ()
    _made: dict[Path, str | ReconcileError] = field(
        default_factory=dict[Path, str | ReconcileError]
    )
    _run: str = field(default_factory=lambda: f"{PREFIX}_{os.getpid()}_{secrets.token_hex(4)}")
    _numbers: count[int] = field(default_factory=count)

    @staticmethod
    def on_embedded_server(start: Sequence[Path]) -> Templates:
        """Start a server for tests, stopped when unused; raises ScratchError."""
        templates = Templates(start_embedded("tests").url, start)
        with connect(templates.url) as connection:
            for setting in UNSAFE_DURABILITY:
                run_sql(connection, text(compose("ALTER SYSTEM SET {} = off", setting)))
            run_sql(connection, "SELECT pg_reload_conf()")
            _drop_abandoned(connection)
        return templates

    def copy(self, state: Path) -> str:
        """Return the URL of a new database of a state; the first call makes the template.

        Raises ReconcileError, for a state that has failed once more without another try.
        """
        template = self._made.get(state)
        if template is None:
            try:
                template = self._made[state] = self._template(state)
            except ReconcileError as error:
                self._made[state] = error
                raise
        if isinstance(template, ReconcileError):
            raise template
        return self._create(template)

    def drop(self, url: str) -> None:
        """Drop a copy, and end the sessions in the copy."""
        with connect(self.url) as connection:
            drop_database(connection, str(conninfo.conninfo_to_dict(url)["dbname"]))

    def close(self) -> None:
        """Drop the templates."""
        with connect(self.url) as connection:
            for template in self._made.values():
                if isinstance(template, str):
                    drop_database(connection, template)

    def _template(self, state: Path) -> str:
        url = self._create("template0")
        try:
            run_scripts(url, self.start, 1)
            Database(url, journal=False).apply(load(state), allow="all")
        except BaseException:
            self.drop(url)
            raise
        return str(conninfo.conninfo_to_dict(url)["dbname"])

    def _create(self, template: str) -> str:
        own = f"{self._run}_{next(self._numbers)}"
        with connect(self.url) as connection:
            run_sql(connection, text(compose("CREATE DATABASE {} TEMPLATE {}", own, template)))
        return conninfo.make_conninfo(self.url, dbname=own)


def _drop_abandoned(connection: Connection) -> None:
    """Drop the databases of killed test runs on this machine."""
    for row in rows(connection, _DATABASES, [f"{PREFIX}%"]):
        own = _OWN.fullmatch(row["name"])
        if own and not is_alive(int(own["pid"])):
            with suppress(StatementFailed):  # another run has dropped it
                drop_database(connection, row["name"])
