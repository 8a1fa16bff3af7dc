"""Run tests on real servers: the embedded ones and those of RECONCILE_TEST_POSTGRES."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from psycopg import conninfo

from reconciler.server.connection import Connection, connect, rows, run_sql, server_of
from reconciler.server.embedded import USER, server_at
from reconciler.server.kept import Kept, start_embedded
from reconciler.server.process import data_folder, locked
from reconciler.server.roles import ordinary_roles
from reconciler.server.scratch import drop_database
from reconciler.sql import compose, literal, raw, text
from tests.installations import installed, started

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "conversations"
MAJORS = (18, 16)  # the embedded ones
UNSAFE_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum")  # faster
ENOUGH = 4 << 30  # bytes
SUPPORTED = (14, 15, 16, 17, 18)
PUBLISHER = "host=/nowhere dbname=shop password=hidden"  # of subscriptions in cases and examples
STARTED = int(time.time())  # in the names of databases: process IDs are used again


@contextmanager
def as_application(url: str) -> Generator[Connection]:
    """Connect with the search path that the server gives to everybody."""
    with connect(url) as connection:
        connection.execute("RESET search_path")
        yield connection


@dataclass(frozen=True)
class Database:
    """A test's database; `tools` is the folder of psql and pg_dump."""

    url: str
    tools: Path

    def run(self, script: str) -> None:
        """Run a script of several commands."""
        with as_application(self.url) as connection:
            connection.execute(script.encode())

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with as_application(self.url) as connection:
            return [tuple(r.values()) for r in connection.execute(query.encode()).fetchall()]

    def value(self, query: str) -> object:
        """Return the first column of the first row."""
        return self.rows(query)[0][0]

    def psql(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script in psql without setting ON_ERROR_STOP."""
        return subprocess.run(
            [self.tools / "psql", "-X", "-q", "-d", self.url],
            input=script,
            text=True,
            capture_output=True,
            check=False,
        )

    def dump(self) -> list[str]:
        """Return pg_dump's lines of the schema, sorted, without the journal."""
        command = [
            self.tools / "pg_dump",
            "--schema-only",
            "--exclude-schema=reconcile",
            "-d",
            self.url,
        ]
        done = subprocess.run(command, text=True, capture_output=True, check=True)
        lines = (line.strip().rstrip(",") for line in done.stdout.splitlines())
        return sorted(line for line in lines if line and not line.startswith(("--", "\\")))


@cache
def _server(major: int) -> Kept:
    """Return the server of a major version, with durability switched off."""
    if major not in MAJORS:
        return replace(start_embedded("target"), url=started(major))
    server = start_embedded("target", major)
    with connect(server.url) as connection:
        for setting in UNSAFE_DURABILITY:
            run_sql(connection, text(compose("ALTER SYSTEM SET {} = off", setting)))
        if label_provider(server) is not None:
            run_sql(
                connection,
                text(
                    compose(
                        "ALTER SYSTEM SET session_preload_libraries = {}",
                        literal(str(label_provider(server))),
                    )
                ),
            )
        run_sql(connection, "SELECT pg_reload_conf()")
    return server


@cache
def _administrator(major: int) -> Connection:
    """Connect to the server of a major version, once for all tests of the process."""
    return connect(_server(major).url)


@cache
def _template(major: int) -> str:
    """Return the database that tests' databases are copies of, itself a copy of template0.

    The first session in a database writes a file that makes the start of further sessions quicker;
    copies of the database have the file as well. A server removes such files when it starts.
    """
    own, server = "reconcile_tests_template", _server(major)
    with locked(server.folder / "template.lock"):
        if not rows(_administrator(major), "SELECT 1 FROM pg_database WHERE datname = %s", [own]):
            _copy(major, "template0", own)
        connect(conninfo.make_conninfo(server.url, dbname=own)).close()
    return own


def _copy(major: int, template: str, own: str) -> None:
    strategy = raw(" STRATEGY file_copy" if major >= 15 else "")
    create = compose("CREATE DATABASE {} TEMPLATE {}{}", own, template, strategy)
    run_sql(_administrator(major), text(create))


@cache
def label_provider(server: Kept) -> Path | None:
    """Compile the library that accepts any security label; None without a compiler and headers."""
    found = list(server.tools.parent.glob("include/**/server/fmgr.h"))
    compiler = shutil.which("cc")
    if not found or compiler is None:
        return None
    made = data_folder() / f"labels-{server.folder.name}-{os.getpid()}.so"
    command = [
        compiler,
        "-shared",
        "-fPIC",
        f"-I{found[0].parent}",
        "-o",
        made,
        Path(__file__).parent / "label_provider.c",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return made.rename(data_folder() / f"labels-{server.folder.name}.so")


def has_labels(major: int) -> bool:
    """Tell whether a server loads the provider of security labels."""
    # others than the embedded ones have the tools of the embedded one
    return major in MAJORS and label_provider(_server(major)) is not None


def need_labels(major: int) -> None:
    """Skip the test where no provider of security labels can be loaded."""
    if not has_labels(major):
        pytest.skip(
            "needs a C compiler and the server's header files: no provider of security labels "
            "comes with PostgreSQL"
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-cases", action="store_true", help="rewrite plan.txt and plan.sql of the cases"
    )


def _place() -> Path:
    """Return a folder in memory if there is room.

    The tests create thousands of databases of some three hundred files each.
    """
    memory = Path("/dev/shm")  # noqa: S108
    if (
        "TMPDIR" not in os.environ
        and memory.is_dir()
        and os.access(memory, os.W_OK)
        and shutil.disk_usage(memory).free > ENOUGH
    ):
        return memory
    return Path(tempfile.gettempdir())


def pytest_configure(config: pytest.Config) -> None:
    """Let all workers of a run share the servers of one temporary folder, and compiled modules."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each command would compile the package again
    sys.dont_write_bytecode = False
    if "RECONCILE_HOME" not in os.environ:
        os.environ["RECONCILE_HOME"] = str(_place() / f"reconcile-tests-{os.getuid()}")
    os.environ["RECONCILE_SHOP"] = PUBLISHER
    os.environ["RECONCILE_WEB_APP"] = "open sesame"
    for variable in ("DATABASE_URL", "PGHOST", "PGDATABASE", "PGSERVICE", "PGPORT"):
        os.environ.pop(variable, None)


def pytest_xdist_auto_num_workers() -> int:
    """Start half as many workers again as there are CPUs: tests wait for locks and time."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cpus + cpus // 2


@pytest.fixture(
    scope="session",
    params=[*MAJORS, *sorted(installed().keys() - {*MAJORS})],
    ids=lambda m: f"pg{m}",
)
def each_major(request: pytest.FixtureRequest) -> int:
    """Return each available major version."""
    return request.param


@pytest.fixture
def matrix_major(each_major: int) -> int:
    """Return each major version of RECONCILE_TEST_POSTGRES, or the newest: for slow tests."""
    if each_major != MAJORS[0] and not installed():
        pytest.skip("takes long: with RECONCILE_TEST_POSTGRES it runs on every PostgreSQL")
    return each_major


@pytest.fixture(scope="session")
def counter() -> Iterator[int]:
    return iter(range(1_000_000))


@pytest.fixture
def prefix(each_major: int, counter: Iterator[int]) -> Iterator[str]:
    """Return the beginning of the test's names of roles; drop these after the databases.

    A test has this fixture before `new_database`: roles belong to the server.
    """
    own = f"r{os.getpid()}_{next(counter)}_"
    yield own
    query = "SELECT rolname::text AS name FROM pg_roles WHERE starts_with(rolname::text, %s)"
    for row in rows(_administrator(each_major), query, [own]):
        for command in ("DROP OWNED BY {}", "DROP ROLE {}"):
            run_sql(_administrator(each_major), text(compose(command, row["name"])))


@pytest.fixture
def new_database(counter: Iterator[int]) -> Iterator[Callable[..., Database]]:
    """Return a function that creates databases; drop them after the test."""
    made: list[tuple[int, str]] = []

    def make(script: str = "", major: int = MAJORS[0]) -> Database:
        server, own = _server(major), f"test_{os.getpid()}_{STARTED}_{next(counter)}"
        _copy(major, _template(major), own)
        database = Database(conninfo.make_conninfo(server.url, dbname=own), server.tools)
        made.append((major, own))
        if script:
            database.run(script)
        return database

    yield make
    for major, own in made:
        _drop_subscriptions(_administrator(major), major, own)
        drop_database(_administrator(major), own)


def _drop_subscriptions(administrator: Connection, major: int, database: str) -> None:
    """Drop what keeps a database from being dropped; no slot is there."""
    query = """SELECT s.subname::text AS name FROM pg_subscription AS s
               JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datname = %s"""
    for row in rows(administrator, query, [database]):
        with connect(conninfo.make_conninfo(_server(major).url, dbname=database)) as connection:
            for command in (
                "ALTER SUBSCRIPTION {} DISABLE",
                "ALTER SUBSCRIPTION {} SET (slot_name = NONE)",
                "DROP SUBSCRIPTION {}",
            ):
                run_sql(connection, text(compose(command, row["name"])))


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    """Return an empty database on PostgreSQL 18."""
    return new_database()


@pytest.fixture
def conversations(new_database: Callable[..., Database]) -> Database:
    """Return the start of the conversations example at a twentieth of its size."""
    return new_database(starting_point(0.05))


def starting_point(scale: float) -> str:
    """Return the tables and rows of the conversations example as a script."""
    setting = f"SELECT set_config('conversations.scale', '{scale}', false);\n"
    return setting + (EXAMPLE / "before.sql").read_text() + (EXAMPLE / "data.sql").read_text()


@pytest.fixture(autouse=True)
def _needs_version(request: pytest.FixtureRequest) -> None:
    """Skip tests whose marker, such as `pg(">= 17")`, excludes the server."""
    marker = request.node.get_closest_marker("pg")
    if marker is None or "each_major" not in request.fixturenames:
        return
    major = request.getfixturevalue("each_major")
    found = re.fullmatch(r">= (\d+)", marker.args[0])
    assert found, f"pg marker: {marker.args[0]}"
    if major < int(found[1]):
        pytest.skip(f"needs PostgreSQL {marker.args[0]}")


def verify_options(database: Database) -> tuple[str, ...]:
    """Return the options of `verify` that name an ordinary role; none on an embedded server."""
    if server_at(database.url) is not None:
        return ()
    database.run(
        f"""DO $$ BEGIN
        IF to_regrole('{USER}') IS NULL THEN CREATE ROLE {USER} LOGIN BYPASSRLS; END IF;
        END $$; GRANT pg_read_all_data, pg_write_all_data TO {USER}"""
    )
    for role in ordinary_roles_of(database):
        if role != USER:
            database.run(f"GRANT {role} TO {USER}")
    return "--verify-target", conninfo.make_conninfo(database.url, user=USER)


def ordinary_roles_of(database: Database) -> list[str]:
    """Return the roles that checks may take."""
    with connect(database.url) as connection:
        return ordinary_roles(connection)


def version(database: Database) -> int:
    """Return the major version of a database's server."""
    with connect(database.url) as connection:
        return server_of(connection).major
