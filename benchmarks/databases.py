"""Make the databases and the declarations that a benchmark compares."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import conninfo

from benchmarks.scenarios import write_change
from benchmarks.schema import roles, schema
from reconciler import pipeline
from reconciler.model.state import Scope
from reconciler.server.connection import connect, run_sql
from reconciler.server.kept import start_embedded
from reconciler.server.scratch import drop_database
from reconciler.sql import compose, text

UNSAFE_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")  # faster
SPELLINGS = {  # as people write what PostgreSQL prints otherwise
    r"\btimestamp with time zone\b": "timestamptz",
    r"\binteger\b": "int",
    r"\bboolean\b": "bool",
    r"\bnumeric\(12,2\)": "decimal(12, 2)",
    r"\bIS NOT NULL\b": "is not null",
    r"\(tenant > 0\)": "tenant > 0",
    r"(?<!:= )\bnow\(\)": "NOW()",  # of defaults; the bodies of functions are compared as text
}
CHANGED_INDEX = re.compile(r"^ +t00000_tenant_idx:.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Databases:
    """A server with the generated database, and an empty one; `tools` holds psql and pg_dump.

    `postmaster` is the server's process ID, where it is known.
    """

    server: str
    postmaster: int | None
    tools: Path
    folder: Path
    tables: int

    @property
    def filled(self) -> str:
        """The URL of the generated database."""
        return self.url("bench_filled")

    @property
    def empty(self) -> str:
        """The URL of the empty database."""
        return self.url("bench_empty")

    @property
    def dump(self) -> Path:
        """The file of pg_dump with the schema of the generated database."""
        return self.folder / "schema.sql"

    def url(self, database: str) -> str:
        """Return the URL of a database on the server."""
        return conninfo.make_conninfo(self.server, dbname=database)

    def create(self, database: str, template: str = "template0") -> str:
        """Make a copy of a database, in place of one of the same name, and return its URL."""
        with connect(self.server) as connection:
            drop_database(connection, database)
            create = compose("CREATE DATABASE {} TEMPLATE {}", database, template)
            run_sql(connection, text(create))
        return self.url(database)

    def psql(self, url: str) -> Sequence[str | Path]:
        """Return the call of psql that runs a script from its standard input."""
        return [self.tools / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", url]

    def declaration(self, name: str) -> Path:
        """Return the folder of a declaration of the whole database, changed as `name` says."""
        return self.folder / name.replace(" ", "-").replace("%", "percent")


def prepare(tables: int, folder: Path, server: str | None, changes: Sequence[str]) -> Databases:
    """Start a server unless one is named; make the databases, a dump and the declarations."""
    kept = start_embedded("benchmark")
    databases = Databases(
        server or kept.url, kept.pid if server is None else None, kept.tools, folder, tables
    )
    if server is None:
        with connect(kept.url) as connection:
            for setting in UNSAFE_DURABILITY:
                run_sql(connection, text(compose("ALTER SYSTEM SET {} = off", setting)))
            run_sql(connection, "SELECT pg_reload_conf()")
    databases.create("bench_empty")
    filled = databases.create("bench_filled")
    script = roles() + "\n" + schema(tables)
    subprocess.run(databases.psql(filled), input=script, text=True, check=True)
    run_pg_dump = [databases.tools / "pg_dump", "-s", "-d", filled, "-f", databases.dump]
    subprocess.run(run_pg_dump, check=True)
    _declare(databases, changes)
    return databases


def _declare(databases: Databases, changes: Sequence[str]) -> None:
    """Export the database, and copy the export for each change."""
    whole = databases.declaration("nothing")
    pipeline.export_state(databases.filled, Scope(frozenset("*"), everything=True), whole)
    for change in changes:
        folder = databases.declaration(change)
        if change == "nothing":
            continue
        if change == "spelled":
            spelled_by_people(whole, folder)
            continue
        shutil.copytree(whole, folder)
        write_change(folder, change, databases.tables)
        if change == "one index":
            tables = folder / "public" / "tables.yml"
            tables.write_text(CHANGED_INDEX.sub("", tables.read_text(), count=1))


def spelled_by_people(declaration: Path, folder: Path) -> None:
    """Copy a declaration, with SQL that PostgreSQL prints in another way."""
    shutil.copytree(declaration, folder)
    for file in folder.rglob("*.yml"):
        yaml = file.read_text()
        for pattern, spelling in SPELLINGS.items():
            yaml = re.sub(pattern, spelling, yaml)
        file.write_text(yaml)
