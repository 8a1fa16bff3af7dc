"""Set parameters in each transaction, and leave none in a shared session.

Behind a connection pooler, a session of the server serves many clients, one after the other.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import starmap
from typing import Any

import psycopg
from psycopg import IsolationLevel, generators, pq
from psycopg.abc import PQGen

from reconciler.errors import StatementFailed
from reconciler.server.capabilities import Server
from reconciler.sql import compose, literal, text

Row = dict[str, Any]

HINTS = {
    "22021": "text is read as UTF-8, and something in the database is not: in the encoding"
    " SQL_ASCII, PostgreSQL does not check names, comments and bodies; write it again in UTF-8",
    "22P05": "the encoding of the database lacks the character",
    "53400": "the role, the database or the server limits this: a role with the privilege to set"
    " temp_file_limit passes --set temp_file_limit=-1",
    "25P04": "the parameter transaction_timeout did this: pass --set transaction_timeout=0",
    "57P05": "the parameter idle_session_timeout did this",
    "25P03": "the parameter idle_in_transaction_session_timeout did this",
}
# These may end even the statement that changes them: each has a short one of its own.
LIMIT_REACHED = ("57014", "25P04", "57P05")
ATTEMPTS = 5
LIMITS = ("statement_timeout", "transaction_timeout")
_SUCCESSFUL = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY)
_LAST = "role"  # it may lack the privilege to set the others

# Whatever is qualified here is PostgreSQL's own under any search_path.
_BEFORE = b"""
    SELECT (SELECT pg_catalog.jsonb_object_agg(s.name, s.setting) FROM pg_catalog.pg_settings AS s
            WHERE s.source OPERATOR(pg_catalog.=) 'session'
                  AND s.name OPERATOR(pg_catalog.<>) 'transaction_read_only') AS settings,
           pg_catalog.current_setting('role') AS role,
           EXISTS (SELECT FROM pg_catalog.pg_locks AS l
                   WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory'
                         AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()) AS locks,
           EXISTS (SELECT FROM pg_catalog.pg_class AS c
                   WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())
               AS temporary"""


@dataclass(frozen=True)
class Shared:
    """The former state of a shared session: settings, role, advisory locks, temporary relations."""

    settings: Mapping[str, str]
    role: str
    locks: bool
    temporary: bool


def preparation(own: str, query: str) -> str:
    """Return the command that prepares a query under a name."""
    return f"PREPARE {own} AS {query}"


class Connection(psycopg.Connection[Row]):
    """A connection in autocommit mode.

    settings    parameters that every transaction sets for itself; None: the session has its own
    end_message  the server's messages when it ended the connection
    prepares    whether queries without parameters are prepared, and their plans used again
    shared      what `close` gives back to the session; None: nobody else uses the session
    """

    settings: Mapping[str, str] | None = None
    shared: Shared | None = None
    end_message: str = ""
    prepares: bool = False

    @cached_property
    def prepared(self) -> dict[str, str]:
        """The names of the prepared statements, by query."""
        return {}

    def as_prepared(self, query: str) -> str:
        """Return the command that runs a query: EXECUTE where queries are prepared."""
        if not self.prepares:
            return query
        if query not in self.prepared:
            own = f"reconcile_{len(self.prepared)}"
            self.execute(preparation(own, query).encode(), binary=True)
            self.prepared[query] = own
        return f"EXECUTE {self.prepared[query]}"

    @property
    def is_idle(self) -> bool:
        """Whether no transaction is open."""
        return self.info.transaction_status == pq.TransactionStatus.IDLE

    def begin(self) -> None:
        """Begin a transaction with the parameters."""
        level = (self.isolation_level or IsolationLevel.READ_COMMITTED).name.replace("_", " ")
        mode = {None: "", True: " READ ONLY", False: " READ WRITE"}[self.read_only]
        limits = LIMITS if server_of(self).has_transaction_timeout else LIMITS[:1]
        commands = [
            f"BEGIN ISOLATION LEVEL {level}{mode}",
            *(f"SET LOCAL {limit} = 0" for limit in limits),
        ]
        if self.settings:
            commands += _assignments(self.settings, server_of(self))
        try:  # in one message: between two, an idle transaction may be ended
            self.execute_first("; ".join(commands))
        except BaseException:
            with suppress(psycopg.Error):
                self.rollback()
            raise

    def execute_first(self, commands: str) -> None:
        """Disable LIMITS, repeatedly if a limit fires first.

        Nothing was done before, so nothing is lost with a session that a limit has ended.
        """
        for _ in range(ATTEMPTS - 1):
            try:
                self.execute(commands.encode())
            except psycopg.Error as error:
                ended_by = error.sqlstate or self._read_end_message()
                lost = self.closed and not ended_by and not self.end_message
                if not (ended_by in LIMIT_REACHED or lost) or (self.shared and self.closed):
                    raise
                self._restart()
            else:
                return
        self.execute(commands.encode())

    def _restart(self) -> None:
        """Leave a failed transaction, or replace a session ended by the server."""
        if self.closed:
            self.pgconn.reset()
            self.pgconn.nonblocking = 1
            self.end_message = ""
        else:
            self.rollback()

    def _read_end_message(self) -> str:
        """Read the server's last messages; return the SQLSTATE of the last message.

        The driver knows only that the connection was lost: a server, or a pooler, may end it while
        nobody reads, and its message may wait behind the end.
        """
        if not self.closed or self.end_message:
            return ""
        said, state = [self.pgconn.error_message], b""
        while result := self.pgconn.get_result():
            said.append(result.error_message)
            state = result.error_field(pq.DiagnosticField.SQLSTATE) or state
        lines = b"\n".join(said).decode(errors="replace").splitlines()
        fatal = dict.fromkeys(line.partition(":  ")[2] for line in lines)
        self.end_message = "; ".join(filter(None, fatal))
        return state.decode()

    def read_end_message(self) -> str:
        """Return the server's messages at the end of the connection; "" for an open connection."""
        self._read_end_message()
        return self.end_message

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Generator[psycopg.Transaction]:
        """Open a transaction with the parameters, or a savepoint in an open transaction."""
        if self.settings is None or not self.is_idle:
            with super().transaction(savepoint_name, force_rollback) as transaction:
                yield transaction
            return
        self.begin()
        try:
            yield psycopg.Transaction(self)
        except BaseException:
            with suppress(psycopg.Error):
                self.rollback()
            raise
        self.commit()

    def single(self) -> AbstractContextManager[object]:
        """Return the context of a single query: a transaction if parameters need one."""
        if self.settings is not None and self.is_idle:
            return self.transaction()
        return nullcontext()

    def send_together(self, statements: Sequence[str]) -> list[str]:
        """Send commands of an open transaction together; return the command tag of each.

        Each is a command of its own in the extended protocol, and none runs after one that fails.
        libpq's pipeline mode is used directly: a cursor for each command costs ten times as much.
        Raises psycopg.Error.
        """
        commands = [statement.encode() for statement in statements]
        with self.lock:
            self.pgconn.enter_pipeline_mode()
            try:
                for command in commands:
                    self.pgconn.send_query_params(command, None)
                self.pgconn.pipeline_sync()
                results = self.wait(_fetched(self.pgconn, len(commands)))
            finally:
                self.leave_pipeline_mode()
        return [_tag(result, self) for result in results]

    def leave_pipeline_mode(self) -> None:
        """Leave pipeline mode; end a connection on which answers are left to read."""
        try:
            self.pgconn.exit_pipeline_mode()
        except psycopg.OperationalError:
            if not self.closed:  # a lost one still has the server's last message
                self.pgconn.finish()

    def share(self) -> None:
        """Remember the session's present state for `close`: a pooler lends the session."""
        with suppress(psycopg.Error):
            self.rollback()
        found = self.execute(_BEFORE).fetchall()[0]
        self.shared = Shared(
            found["settings"] or {}, found["role"], found["locks"], found["temporary"]
        )

    def close(self) -> None:
        """Restore the former state of a shared session, and close the connection."""
        try:
            if self.shared is not None and not self.closed:
                with suppress(psycopg.Error):
                    self._give_back(self.shared)
        finally:
            super().close()

    def _give_back(self, before: Shared) -> None:
        self.rollback()
        self.execute(b"RESET ALL; RESET ROLE")
        if not before.locks:
            self.execute(b"SELECT pg_catalog.pg_advisory_unlock_all()")
        if not before.temporary:
            self.execute(b"DISCARD TEMP")
        now = self.execute(_BEFORE).fetchall()[0]
        settings = dict(before.settings)
        if now["role"] != before.role:
            settings[_LAST] = before.role
        for setting, value in settings.items():
            self.execute("SELECT pg_catalog.set_config(%s, %s, false)", [setting, value])


def _fetched(pgconn: pq.abc.PGconn, count: int) -> PQGen[list[pq.abc.PGresult]]:
    """Send what is left, and fetch the results of a pipeline with so many commands."""
    yield from generators.send(pgconn)
    results: list[pq.abc.PGresult] = []
    try:
        for _ in range(count):
            results += yield from generators.fetch_many(pgconn)
        yield from generators.fetch(pgconn)  # of the synchronisation
    except psycopg.OperationalError:
        if not any(r.status == pq.ExecStatus.FATAL_ERROR for r in results):
            raise  # else the server has said why it ends the session
    return results


def _tag(result: pq.abc.PGresult, connection: psycopg.Connection[Any]) -> str:
    """Return the command tag of a result; raises the error of the command."""
    if result.status == pq.ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(result, encoding=connection.info.encoding)
    if result.status not in _SUCCESSFUL:
        raise psycopg.NotSupportedError(f"a command cannot be sent with others: {result.status!r}")
    return (result.command_status or b"").decode()


def _assignments(settings: Mapping[str, str], server: Server) -> Iterator[str]:
    """Compose the statements that set parameters until the end of the transaction."""
    own = {name: value for name, value in settings.items() if name.lower() != _LAST}
    yield "SELECT " + ", ".join(starmap(_call, own.items()))
    if "temp_file_limit" not in map(str.lower, own):
        allowed = server.may_set.format("'temp_file_limit'")
        yield f"SELECT {_call('temp_file_limit', '-1')} WHERE {allowed}"
    # Only a privileged role may change this one.
    yield (
        f"SELECT {_call('session_replication_role', 'origin')}"
        " WHERE current_setting('session_replication_role') <> 'origin'"
    )
    idle = "idle_in_transaction_session_timeout"
    if idle not in map(str.lower, own):
        yield f"SELECT {_call(idle, '1min')} WHERE current_setting('{idle}') = '0'"
    for name, value in settings.items():
        if name not in own:
            yield f"SELECT {_call(name, value)}"


def _call(name: str, value: str) -> str:
    """Compose a call independent of the search_path."""
    return text(compose("pg_catalog.set_config({}, {}, true)", literal(name), literal(value)))


def server_of(connection: Connection) -> Server:
    """Return the server's version and capabilities; raises Unsupported below 14."""
    server = Server(connection.info.server_version)
    server.require(server.major >= 14, "reconcile", 14)
    return server


@contextmanager
def translated(statement: str = "", connection: Connection | None = None) -> Generator[None]:
    """Translate errors of psycopg into StatementFailed."""
    try:
        yield
    except psycopg.Error as e:
        diag = e.diag
        message = (
            diag.message_primary or (connection and connection.read_end_message()) or str(e).strip()
        )
        raise StatementFailed(
            message or type(e).__name__,
            sqlstate=e.sqlstate or "",
            detail=diag.message_detail or "",
            hint=diag.message_hint or HINTS.get(e.sqlstate or "", ""),
            sql=statement,
            constraint=diag.constraint_name or "",
        ) from e
