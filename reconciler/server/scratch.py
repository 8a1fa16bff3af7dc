"""Start scratch servers, on which declared SQL is built, read back and proven.

embedded   a PostgreSQL from a Python package (the `embedded` extra), run by this process
installed  a PostgreSQL that is installed on this machine, run by this process
target     a temporary database on the target's own server
URL        a temporary database on another server
"""

from __future__ import annotations

import atexit
import secrets
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache

from psycopg import conninfo

from reconciler.errors import ScratchError, SettingsError, StatementFailed
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, connect, rows, run_sql, server_of
from reconciler.server.disposable import scratch_server
from reconciler.server.elevation import INSUFFICIENT_PRIVILEGE, OWNERS, add_builder, furnish
from reconciler.server.installation import (
    Installation,
    embedded_installations,
    machine_installations,
)
from reconciler.server.names import SCRATCH_APPLICATION as APPLICATION
from reconciler.server.names import SCRATCH_DATABASE_PREFIX
from reconciler.server.redaction import redacted
from reconciler.server.tablespaces import Tablespaces, imitate
from reconciler.server.time_limit import NEVER, TimeLimit
from reconciler.sql import compose, raw, text

_EXTENSIONS = "SELECT extname::text AS name FROM pg_extension WHERE extname <> 'plpgsql'"
_SCHEMAS = """
    SELECT nspname::text AS name FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"""
SESSIONS = "SELECT 1 FROM pg_stat_activity WHERE datname = %s"
LIMITS = {"statement_timeout": "5min"}
DEFAULT_USER = "postgres"  # of a database for which no user is named
ON_TARGET = "target"
OWN = ("auto", "embedded", "installed")
REMEDY = """what would do:
  pip install 'pg-reconciler[embedded]'
  PostgreSQL {major} installed on this machine, with the files of its extensions
  --scratch URL, with the URL of a server for such use
  --scratch target: declared SQL then runs in a temporary database on the target's own server"""


@dataclass(frozen=True)
class Scratch:
    """A server for scratch databases; `description` is the server's name in messages.

    `ours`: we are superuser there and may create roles. `confined`: reconcile has started the
    server, and no statement runs there as a superuser but those that `elevation` allows.
    `caution` tells what does not confine declared code there. `time_limit` is for all work there.
    """

    url: str
    description: str
    server: Server
    ours: bool
    confined: bool = False
    caution: str = ""
    time_limit: TimeLimit = NEVER

    @contextmanager
    def database(
        self, roles: Iterable[str] = (), user: str = "", tablespaces: Tablespaces | None = None
    ) -> Generator[Connection]:
        """Create an empty database, without `public`, and drop it at the end.

        On a server of ours, missing `roles` are created, and `user` owns what is created in the
        database. A confined server gets `tablespaces`. Raises ScratchError if our role may not
        create databases.
        """
        database = SCRATCH_DATABASE_PREFIX + secrets.token_hex(6)
        own = self.confined  # ends with this process, and so does its administrator's connection
        admin = _administrator(self.url) if own else connect(self.url, application=APPLICATION)
        try:
            if self.confined:
                self._create_confined(admin, database, tablespaces or Tablespaces())
                opened = self._confined(admin, database, roles, user or DEFAULT_USER)
            else:
                self._add_roles(admin, roles, user)
                run_sql(admin, text(compose("CREATE DATABASE {} TEMPLATE template0", database)))
                opened = self._connect(database, user)
            try:
                with opened as connection, self.time_limit.watch(self.url, connection):
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
            if not own:
                admin.close()

    @contextmanager
    def _confined(
        self, admin: Connection, database: str, roles: Iterable[str], user: str
    ) -> Generator[Connection]:
        """Connect as `user`, here an ordinary role with the rights of the database's owner."""
        password = add_builder(admin, roles, user)
        url = conninfo.make_conninfo(self.url, dbname=database)
        login = conninfo.make_conninfo(url, user=user, password=password)
        with (
            ExitStack() as opened,
            connect(login, application=APPLICATION, settings=LIMITS) as builder,
        ):
            furnish(
                builder,
                cache(lambda: opened.enter_context(connect(url, application=APPLICATION))),
            )
            yield builder

    def _create_confined(self, admin: Connection, database: str, tablespaces: Tablespaces) -> None:
        imitate(admin, tablespaces)
        strategy = raw(" STRATEGY file_copy" if self.server.has_copy_strategies else "")
        create = compose(
            "CREATE DATABASE {} TEMPLATE template1{} OWNER {} TABLESPACE {}",
            database,
            strategy,
            OWNERS,
            tablespaces.usual,
        )
        run_sql(admin, text(create))

    @contextmanager
    def _connect(self, database: str, user: str) -> Generator[Connection]:
        url = conninfo.make_conninfo(self.url, dbname=database)
        with connect(url, application=APPLICATION, settings=LIMITS) as connection:
            empty(connection)
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


_ADMINISTRATORS: dict[str, Connection] = {}  # of the servers that this process runs, by URL


def _administrator(url: str) -> Connection:
    """Connect to a server of this process, or return the connection."""
    known = _ADMINISTRATORS.get(url)
    if known is None or known.closed:
        known = _ADMINISTRATORS[url] = connect(url, application=APPLICATION)
        atexit.register(known.close)
    return known


@cache
def _available_extensions(url: str) -> frozenset[str]:
    """Return the names of extensions available on a server of this process."""
    query = "SELECT name::text FROM pg_available_extensions"
    return frozenset(r["name"] for r in rows(_administrator(url), query))


def drop_database(connection: Connection, database: str) -> None:
    """Drop a database, terminating the other sessions there.

    PostgreSQL would wait 0.1 s for a session that is just ending, as ours is: wait a shorter time.
    """
    for _ in range(20):
        if not rows(connection, SESSIONS, [database]):
            break
        time.sleep(0.002)
    run_sql(connection, text(compose("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)))


def empty(connection: Connection) -> None:
    """Drop everything from a database but the system's own objects."""
    for row in rows(connection, _EXTENSIONS):
        run_sql(connection, text(compose("DROP EXTENSION {} CASCADE", row["name"])))
    for row in rows(connection, _SCHEMAS):
        run_sql(connection, text(compose("DROP SCHEMA {} CASCADE", row["name"])))


def scratches(
    choice: str, target: str, server: Server, extensions: frozenset[str]
) -> Iterator[Scratch]:
    """Start the servers allowed by `choice`, best first.

    `auto` allows an embedded PostgreSQL and those that are installed on this machine, never the
    target's server; `embedded` and `installed` allow only these; `target` and a URL make a database
    on that server. A server older than the target, or without one of `extensions`, is passed over.
    Raises ScratchError with every reason if none is left, SettingsError for another word.
    """
    if choice == ON_TARGET:
        yield _on_target(target)
    elif choice in OWN:
        yield from _own(choice, server, extensions)
    elif "://" in choice or "=" in choice:
        yield _on_url(choice)
    else:
        raise SettingsError(
            "--scratch: expected embedded, installed, target or the URL of a server"
        )


def _own(choice: str, server: Server, extensions: frozenset[str]) -> Iterator[Scratch]:
    """Start embedded or installed servers, the target's major version first, then newer ones."""
    embedded = embedded_installations() if choice != "installed" else ()
    machine = machine_installations() if choice != "embedded" else ()
    fitting = [i for i in (*embedded, *machine) if i.major >= server.major]
    reasons: list[str] = []
    for installation in sorted(fitting, key=lambda i: i.major):  # a stable sort: embedded first
        try:
            scratch = _confined(installation, extensions)
        except ScratchError as e:
            reasons.append(str(e))
        else:
            yield scratch
    if not fitting:
        reasons.append(f"there is no PostgreSQL {server.major} or newer on this machine")
    if len(reasons) >= len(fitting):
        raise ScratchError("\n".join((*reasons, REMEDY.format(major=server.major))))


def _confined(installation: Installation, extensions: frozenset[str]) -> Scratch:
    url = scratch_server(installation).url
    found = server_of(_administrator(url))
    caution = _lacking_protection()
    scratch = Scratch(url, installation.title, found, ours=True, confined=True, caution=caution)
    if extensions and (lacking := extensions - _available_extensions(url)):
        raise ScratchError(f"{scratch.description} lacks the files of {', '.join(sorted(lacking))}")
    return scratch


def _on_target(target: str) -> Scratch:
    """Use the target's server; raises ScratchError for a superuser and without CREATEDB."""
    with connect(target) as connection:
        (role,) = rows(
            connection,
            """SELECT rolname::text AS name, rolsuper, rolcreatedb FROM pg_catalog.pg_roles
               WHERE rolname = session_user""",
        )
        found = server_of(connection)
    if role["rolsuper"]:
        raise ScratchError(
            f"--scratch target would run declared SQL as {role['name']}, a superuser: use the URL"
            " of an ordinary role"
        )
    if not role["rolcreatedb"]:
        allow = text(compose("ALTER ROLE {} CREATEDB", role["name"]))
        raise ScratchError(
            f"--scratch target makes a database, which {role['name']} may not: {allow}"
        )
    caution = f"it runs on the target's server as {role['name']}"
    return Scratch(
        target, "a temporary database on the target's server", found, ours=False, caution=caution
    )


def _on_url(url: str) -> Scratch:
    with connect(url) as connection:
        found = server_of(connection)
        (role,) = rows(
            connection, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
        )
    caution = "a server named by URL is not confined"
    if role["rolsuper"]:
        caution += ", and it runs there as a superuser: use the URL of an ordinary role"
    description = f"{redacted(url)} (PostgreSQL {found.major})"
    return Scratch(url, description, found, role["rolsuper"], caution=caution)


def _lacking_protection() -> str:
    """Tell which of Landlock and seccomp this system lacks to confine a server of our own."""
    from reconciler.server.confine import protection  # noqa: PLC0415 - absent on Windows

    lacking = [p for p in ("Landlock", "seccomp") if p.lower() not in protection()]
    return f"this system has no {' and no '.join(lacking)} to confine it" if lacking else ""
