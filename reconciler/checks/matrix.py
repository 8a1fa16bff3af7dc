"""Try out the commands of roles on own and foreign rows: the kind `access`.

Every command is tried in a transaction of its own with one snapshot. The rows are counted there by
the user of the checks first, who sees all; then the actor acts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import LiteralString, cast

from reconciler.checks.model import Access, Actor, Cells, Expected, Verdict
from reconciler.checks.result import Finding
from reconciler.checks.session import CheckSession, NothingToLookAt, Settings
from reconciler.checks.stored import NotStored, forget, spelled, store
from reconciler.counted import counted
from reconciler.errors import StatementFailed
from reconciler.server.connection import rows
from reconciler.sql import Part, compose, joined, literal, raw, text

DENIED = "42501"
OF_CONSTRAINTS = "23"  # the class of errors that come after the policies have let a row through
OWNS, IS_FOREIGN, INTO_FOREIGN = "own rows", "foreign rows", "own rows into foreign"

_TABLE = """
    SELECT format('%%I.%%I', n.nspname, c.relname) AS name, row_security_active(c.oid) AS filtered
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass(%s)"""
# An INSERT copies a row, without what the server makes itself.
_COLUMNS = """
    SELECT a.attname::text AS name
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = %s::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = '' AND a.attidentity = ''
          AND NOT (a.atthasdef AND EXISTS (
              SELECT FROM pg_catalog.pg_index AS i
              WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)))
    ORDER BY a.attnum"""
_COUNTS = """
    SELECT jsonb_build_object(
        'own', count(*) FILTER (WHERE {own}),
        'foreign', count(*) FILTER (WHERE ({own}) IS NOT TRUE))
    FROM {table}"""
_SAMPLE = "SELECT to_jsonb(r) FROM (SELECT * FROM {table} WHERE {condition} LIMIT 1) AS r"
_INSERT = """
    INSERT INTO {table} ({columns})
    SELECT {columns} FROM jsonb_populate_record(NULL::{table}, {row})"""
_MOVE = """
    UPDATE {table} SET ({columns}) = ROW({values})
    FROM jsonb_populate_record(NULL::{table}, {row}) AS r"""


@dataclass(frozen=True)
class Counts:
    """How many rows are the actor's own, and how many are not."""

    own: int
    foreign: int

    @property
    def all(self) -> int:
        """The number of all rows."""
        return self.own + self.foreign


def access(session: CheckSession, matrix: Access) -> Iterator[Finding]:
    """Try out every cell of a matrix, and yield those that are otherwise than expected."""
    for number, expected in enumerate(matrix.expect, 1):
        who = f"row {number}, {expected.actor.role or 'the user of verify'}"
        try:
            row = _Row.begin(session, matrix, expected)
        except (NothingToLookAt, NotStored, StatementFailed) as error:
            yield _finding(f"{who} on {matrix.table}", error)
            continue
        for command, cells in expected.commands.items():
            title = f"{who}: {command} on {matrix.table}"
            try:
                complaints = list(_COMMANDS[command](row, cells))
            except (NothingToLookAt, NotStored, StatementFailed) as error:
                yield _finding(title, error)
            else:
                for complaint in complaints:
                    yield Finding("failed", f"{title}: {complaint}")


def _finding(title: str, error: NothingToLookAt | NotStored | StatementFailed) -> Finding:
    if isinstance(error, NothingToLookAt):
        return Finding("vacuous", f"{title}: vacuous: {error}")
    prefix = "failed with " if isinstance(error, StatementFailed) else ""
    return Finding("failed", f"{title}: {prefix}{error}")


@dataclass(frozen=True)
class _Row:
    """An actor and the table; what the actor does is done in an open transaction.

    `table` is the table's name as SQL, `own` the condition for own rows.
    """

    session: CheckSession
    matrix: Access
    actor: Actor
    settings: Settings
    table: str
    own: str

    @staticmethod
    def begin(session: CheckSession, matrix: Access, expected: Expected) -> _Row:
        """Look the table up; raises NotStored if the user of the checks would not see all rows."""
        settings = session.settings(expected.actor)
        with session.transaction(settings):
            found = rows(session.connection, _TABLE, [matrix.table])
        if not found:
            raise NotStored(f"there is no table or view {matrix.table}")
        if found[0]["filtered"]:
            raise NotStored(
                "row level security hides rows from the user of verify, which must see all to know"
                " what is right: ALTER ROLE … BYPASSRLS"
            )
        own = expected.own or matrix.own
        return _Row(session, matrix, expected.actor, settings, found[0]["name"], own)

    def composed(self, template: LiteralString, **parts: Part) -> str:
        """Compose a statement about the table; `own` is the condition for own rows."""
        own = compose("({})", raw(self.own))
        return text(compose(template, table=raw(self.table), own=own, **parts))

    def count(self, role: str | None = None) -> Counts:
        """Count the rows as the user of the checks, or those that a role sees."""
        counted = self.value(self.composed(_COUNTS), role)
        return Counts(**cast("Mapping[str, int]", counted))

    def value(self, statement: str, role: str | None) -> object:
        """Run a query; return the first value."""
        session = self.session
        session.begin_run(self.settings, None, writes=True)
        stored = store(session.connection, statement, role, session.terms.declared)
        session.begin_run(self.settings, role, writes=True)
        value = session.first_value(stored)
        if role is not None:
            session.leave_role()
        forget(session.connection)
        return value

    def sample(self, whose: str) -> str:
        """Return a row of the table as JSON; raises NothingToLookAt."""
        own = compose("({})", raw(self.own))
        condition = own if whose == OWNS else compose("({}) IS NOT TRUE", own)
        row = self.value(self.composed(_SAMPLE, condition=condition), None)
        if row is None:
            raise NothingToLookAt(f"{self.matrix.table} has no {whose} of this actor")
        return json.dumps(row)

    def act(self, statement: str) -> int | StatementFailed:
        """Run a command as the actor; return the rows it wrote, or why the server refused it.

        Names are looked up as the user of the checks.
        """
        session = self.session
        session.begin_run(self.settings, None, writes=True)
        store(session.connection, statement, None, session.terms.declared)
        printed = spelled(session.connection)
        session.begin_run(self.settings, self.actor.role, writes=True)
        try:
            return session.affected(printed)
        except StatementFailed as error:
            return error


def _select(row: _Row, cells: Cells) -> Iterator[str]:
    try:
        with row.session.transaction(row.settings, snapshot=True):
            there = row.count()
            _assert_any(there, cells)
            found = row.count(row.actor.role)
    except StatementFailed as error:
        if error.sqlstate != DENIED:
            raise
        yield from _denied_reading(row, cells, error)
        return
    for whose, verdict, count, of in (
        (OWNS, cells.own, found.own, there.own),
        (IS_FOREIGN, cells.foreign, found.foreign, there.foreign),
    ):
        if verdict == "visible" and count != of:
            yield f"sees {count:,} of {of:,} {whose}, all are to be visible"
        elif verdict == "denied" and count:
            yield f"sees {count:,} of {of:,} {whose}, access is to be denied"


def _denied_reading(row: _Row, cells: Cells, error: StatementFailed) -> Iterator[str]:
    """Compare what is expected with an error, which may be about the condition for own rows."""
    if "visible" in (cells.own, cells.foreign):
        yield f"is to be allowed ({_told(cells)}): {error.message}"
        return
    with suppress(StatementFailed), row.session.transaction(row.settings, snapshot=True):
        count = row.value(row.composed("SELECT count(*) FROM {table}"), row.actor.role)
        if count:
            seen = counted(int(str(count)), "row")
            yield f"sees {seen}; whose they are could not be found out: {error.message}"


def _insert(row: _Row, cells: Cells) -> Iterator[str]:
    declared: dict[str, Verdict | None] = {OWNS: cells.own, IS_FOREIGN: cells.foreign}
    for whose, verdict in declared.items():
        if verdict is None:
            continue
        with row.session.transaction(row.settings, snapshot=True):
            found = rows(row.session.connection, _COLUMNS, [row.table])
            columns = joined([column["name"] for column in found])
            sample = literal(row.sample(whose))
            outcome = row.act(row.composed(_INSERT, columns=columns, row=sample))
        yield from _compared(outcome, verdict, whose)


def _compared(outcome: int | StatementFailed, verdict: Verdict, whose: str) -> Iterator[str]:
    """Compare the outcome of a command about one sort of rows with the verdict.

    A constraint refuses a row only after the policies have let it through.
    """
    if isinstance(outcome, StatementFailed):
        of_constraints = outcome.sqlstate.startswith(OF_CONSTRAINTS)
        if not of_constraints and outcome.sqlstate != DENIED:
            yield f"{whose}: failed with {outcome}"
            return
        allowed, how = of_constraints, outcome.message
    else:
        allowed, how = outcome > 0, f"{counted(outcome, 'row')} written"
    if allowed != (verdict == "allowed"):
        yield f"{whose} are to be {verdict}: {how}"


def _update(row: _Row, cells: Cells) -> Iterator[str]:
    if cells.own or cells.foreign:
        yield from _all_rows(row, cells, "UPDATE {table} SET {what}", raw(row.matrix.set))
    if cells.into_foreign is None:
        return
    with row.session.transaction(row.settings, snapshot=True):
        there = row.count()
        if not there.own:
            raise NothingToLookAt(f"{row.matrix.table} has no own rows of this actor")
        _assert_size(there, row.matrix)
        names = row.matrix.owner_columns
        outcome = row.act(
            row.composed(
                _MOVE,
                columns=joined(names),
                values=joined([compose("r.{}", name) for name in names]),
                row=literal(row.sample(IS_FOREIGN)),
            )
        )
    yield from _compared(outcome, cells.into_foreign, INTO_FOREIGN)


def _delete(row: _Row, cells: Cells) -> Iterator[str]:
    yield from _all_rows(row, cells, "DELETE FROM {table}{what}", raw(""))


def _all_rows(row: _Row, cells: Cells, template: LiteralString, what: Part) -> Iterator[str]:
    """Run a command on all rows, and compare the number that it wrote."""
    with row.session.transaction(row.settings, snapshot=True):
        there = row.count()
        _assert_any(there, cells)
        _assert_size(there, row.matrix)
        outcome = row.act(row.composed(template, what=what))
    if isinstance(outcome, StatementFailed):
        if outcome.sqlstate.startswith(OF_CONSTRAINTS):
            raise NothingToLookAt(f"a constraint ended the command: {outcome.message}")
        if outcome.sqlstate != DENIED:
            yield f"failed with {outcome}"
        elif "allowed" in (cells.own, cells.foreign):
            yield f"is to be allowed ({_told(cells)}): {outcome.message}"
        return
    least = there.own * (cells.own == "allowed") + there.foreign * (cells.foreign == "allowed")
    most = there.all - there.own * (cells.own == "denied")
    most -= there.foreign * (cells.foreign == "denied")
    if not least <= outcome <= most:
        yield (
            f"wrote {counted(outcome, 'row')}; {there.own:,} are own, {there.foreign:,} foreign"
            f" ({_told(cells)})"
        )


def _told(cells: Cells) -> str:
    told = {"own": cells.own, "foreign": cells.foreign}
    return ", ".join(f"{whose}: {verdict}" for whose, verdict in told.items() if verdict)


def _assert_any(there: Counts, cells: Cells) -> None:
    """Raise NothingToLookAt if there are no rows for a cell."""
    if cells.own and not there.own:
        raise NothingToLookAt(f"no row of {there.all:,} is the actor's own")
    if cells.foreign and not there.foreign:
        raise NothingToLookAt(f"no row of {there.all:,} is foreign")


def _assert_size(there: Counts, matrix: Access) -> None:
    if there.all > matrix.up_to_rows:
        raise NothingToLookAt(
            f"{matrix.table} has {counted(there.all, 'row')}, and a command without WHERE would"
            f" lock them all: not tried above up_to_rows ({matrix.up_to_rows:,}); try it on a"
            " smaller copy"
        )


_COMMANDS = {"select": _select, "insert": _insert, "update": _update, "delete": _delete}
