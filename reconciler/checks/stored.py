"""Let PostgreSQL parse a check's statement once, as the body of a temporary function.

The body is stored as parsed: what answers for its names is on record in pg_depend, and the same is
executed, whatever others create meanwhile. It holds one SELECT, INSERT, UPDATE, DELETE, MERGE or
VALUES: PREPARE takes nothing else, and functions cannot end a transaction.

This is done on the target. A scratch server has the declared objects only, and what it prints is
not immune where the check's schema must be on the search path while the statement runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from psycopg import pq
from psycopg.generators import execute
from psycopg.pq.abc import PGresult

from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, Row, rows, run_sql, translated
from reconciler.sql import compose, joined, literal, text

Declared = Collection[tuple[str, str, str]]  # schema, name, arguments: routines and operators

CALL = "SELECT pg_temp.reconcile_check() AS answer"
_PREPARE = "PREPARE reconcile_check AS "
_CREATE = "CREATE OR REPLACE FUNCTION pg_temp.reconcile_check() RETURNS {} LANGUAGE sql {}"
_GRANT = "GRANT EXECUTE ON FUNCTION pg_temp.reconcile_check() TO PUBLIC"  # for every role
_BODY = "BEGIN ATOMIC {}\n; END"  # a comment may end the statement
_NEEDS = """
hint: the user of verify needs TEMPORARY on the database and USAGE on the schemas of the check"""

# What PostgreSQL has stored. Data-modifying statements also stand in WITH; of CmdType, 2 to 5 are
# UPDATE, INSERT, DELETE and MERGE. `named`: something answers that initdb did not make.
_STORED = """
    SET LOCAL search_path = '';
    SELECT p.prosqlbody::text ~ '\\{QUERY :commandType [2-5] ' AS modifies, EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
              AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)) AS named
    FROM pg_proc AS p WHERE p.oid = 'pg_temp.reconcile_check'::regproc"""
_SPELLING = "SELECT pg_get_function_sqlbody('pg_temp.reconcile_check'::regproc) AS body"

# What answers for names, beside PostgreSQL itself and extensions.
_ANSWERING = """
    WITH used AS (
        SELECT d.refclassid, d.refobjid FROM pg_depend AS d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = 'pg_temp.reconcile_check'::regproc
              AND NOT EXISTS (
                  SELECT FROM pg_depend AS e WHERE e.classid = d.refclassid
                  AND e.objid = d.refobjid AND e.deptype = 'e'))
    SELECT n.nspname::text AS place, p.proname::text AS name, p.oid::regprocedure::text AS title,
           format('%I.%I(', n.nspname, p.proname) AS printed, p.proname || '(' AS bare,
           ARRAY[pg_get_function_identity_arguments(p.oid), pg_get_function_arguments(p.oid),
                 oidvectortypes(p.proargtypes)] AS arguments,
           (SELECT count(*) FROM pg_proc AS o
            WHERE o.pronamespace = p.pronamespace AND o.proname = p.proname) AS overloads,
           EXISTS (SELECT FROM pg_proc AS o WHERE o.pronamespace = 'pg_catalog'::regnamespace
                   AND o.proname = p.proname) AS builtin
    FROM used JOIN pg_proc AS p ON used.refclassid = 'pg_proc'::regclass AND used.refobjid = p.oid
    JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname <> 'pg_catalog'
    UNION ALL
    SELECT n.nspname::text, p.oprname::text, 'operator ' || p.oid::regoperator::text,
           format('OPERATOR(%I.%s)', n.nspname, p.oprname),
           format('OPERATOR(pg_catalog.%s)', p.oprname),
           ARRAY[concat_ws(', ', CASE p.oprleft WHEN 0 THEN 'NONE'
                                 ELSE format_type(p.oprleft, NULL) END,
                           format_type(p.oprright, NULL))],
           (SELECT count(*) FROM pg_operator AS o
            WHERE o.oprnamespace = p.oprnamespace AND o.oprname = p.oprname),
           EXISTS (SELECT FROM pg_operator AS o WHERE o.oprnamespace = 'pg_catalog'::regnamespace
                   AND o.oprname = p.oprname)
    FROM used JOIN pg_operator AS p
         ON used.refclassid = 'pg_operator'::regclass AND used.refobjid = p.oid
    JOIN pg_namespace AS n ON n.oid = p.oprnamespace AND n.nspname <> 'pg_catalog'"""


class NotStored(Exception):
    """The statement is not run: an undeclared object would answer, or it cannot be stored."""


@dataclass(frozen=True)
class Stored:
    """A statement in the temporary function.

    `type_oid` is the type of the first column, 0 where the statement returns no rows. `text` is the
    statement, or PostgreSQL's spelling of it if that had to be corrected.
    """

    type_oid: int
    text: str
    modifies: bool


def forget(connection: Connection) -> None:
    """Drop the temporary function, to make room for the next statement of the transaction."""
    run_sql(connection, "DROP FUNCTION pg_temp.reconcile_check()")


def spelled(connection: Connection) -> str:
    """Return the stored statement as PostgreSQL prints it, all names with schemas.

    The search path must be empty, as `store` leaves it.
    """
    return _without_frame(rows(connection, _SPELLING)[0]["body"])


def _without_frame(body: str) -> str:
    statement = body.strip().removeprefix("BEGIN ATOMIC").removesuffix("END")
    return statement.strip().removesuffix(";")


def search_path(schema: str) -> str:
    """Return the path on which a check's names are looked up; temporary relations come last."""
    return text(joined(["pg_catalog", *([schema] if schema else []), "pg_temp"]))


def store(connection: Connection, statement: str, role: str | None, declared: Declared) -> Stored:
    """Make the temporary function of a statement, in a transaction that others roll back.

    Names are looked up with the privileges of `role`. Raises StatementFailed if PostgreSQL refuses
    the statement, NotStored if it is not to be run. Leaves an empty search path.
    """
    type_oid = _prepare(connection, statement, role)
    returns = "SETOF record" if type_oid else "void"
    try:
        run_sql(connection, _CREATE.format(returns, _BODY.format(statement)))
    except StatementFailed as error:
        raise NotStored(f"PostgreSQL cannot store the statement: {error}{_NEEDS}") from error
    if role is not None:
        run_sql(connection, _GRANT)
    found = _last_row(connection, _STORED)
    if found["named"]:
        statement = _answered(connection, statement, returns, declared)
    return Stored(type_oid, statement, found["modifies"])


def _prepare(connection: Connection, statement: str, role: str | None) -> int:
    """Let PostgreSQL prove the text to be one statement; return the type of the first column."""
    if role is not None:
        become(connection, role)
    run_sql(connection, _PREPARE + statement)
    connection.pgconn.send_describe_prepared(b"reconcile_check")
    described = _result(connection)
    run_sql(connection, "DEALLOCATE reconcile_check")
    if role is not None:
        run_sql(connection, "RESET ROLE")
    return described.ftype(0) if described.nfields else 0


def _result(connection: Connection) -> PGresult:
    """Wait for the answer to a request of libpq; other threads go on. Raises StatementFailed."""
    with translated():
        (result,) = connection.wait(execute(connection.pgconn))
    if result.status == pq.ExecStatus.FATAL_ERROR:
        sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"no answer"
        raise StatementFailed(message.decode(errors="replace"), sqlstate=sqlstate.decode())
    return result


def _last_row(connection: Connection, commands: str) -> Row:
    """Run commands of our own at once, and return the only row of the last one."""
    with translated(commands):
        cursor = connection.execute(commands.encode())
        while cursor.nextset():
            pass
        return cursor.fetchall()[0]


def become(connection: Connection, role: str) -> None:
    """Set the role until the end of the transaction; raises NotStored."""
    try:
        run_sql(connection, text(compose("SET LOCAL ROLE {}", role)))
    except StatementFailed as error:
        grant = text(compose("GRANT {} TO {}", role, connection.info.user))
        raise NotStored(
            f"the role of `as` could not be set: {error}\n"
            f"hint: the user of verify must be a member of the role: {grant}"
        ) from error


# -- what answers for the statement's names


def _answered(connection: Connection, statement: str, returns: str, declared: Declared) -> str:
    """Return the statement, corrected in the function and here if others would answer for it."""
    strangers = list(_strangers(connection, statement, declared))
    if not strangers:
        return statement
    body = _corrected(rows(connection, _SPELLING)[0]["body"], strangers)
    try:
        run_sql(connection, _CREATE.format(returns, body))
        left = list(_strangers(connection, statement, declared))
    except StatementFailed as error:
        raise NotStored(_complaint(strangers)) from error
    if left:
        raise NotStored(_complaint(left))
    return _without_frame(body)


def _strangers(connection: Connection, statement: str, declared: Declared) -> Iterator[Row]:
    """Yield undeclared routines and operators that answer in place of others.

    That is: in place of PostgreSQL's own of that name, if the statement does not name the schema;
    or in place of a declared one of that name.
    """
    spelled = _plain(re.sub(r"'(?:''|[^'])*'", "''", statement))
    for row in rows(connection, _ANSWERING):
        namesakes = {_plain(a) for s, n, a in declared if (s, n) == (row["place"], row["name"])}
        if namesakes:
            known = row["overloads"] <= len(namesakes)
            if not known and namesakes.isdisjoint(map(_plain, row["arguments"])):
                yield {**row, "instead": f"the declared {row['place']}.{row['name']}"}
        elif row["builtin"] and _plain(row["printed"]) not in spelled:
            yield {**row, "instead": f"PostgreSQL's own {row['name']}"}


def _plain(sql: str) -> str:
    """Return SQL without quotes and blanks, in lower case."""
    return re.sub(r'[\s"]', "", sql).lower()


def _corrected(body: str, strangers: list[Row]) -> str:
    """Return PostgreSQL's spelling of a statement with its own objects for the strangers."""
    instead = {row["printed"]: row["bare"] for row in strangers if row["builtin"]}
    spelled = "|".join([rf"(?<![\w$.\"]){re.escape(s)}" for s in instead])
    quoted = r"""'(?:''|[^'])*'|"(?:""|[^"])*\""""
    pattern = re.compile(f"{spelled}|{quoted}" if spelled else quoted)
    return pattern.sub(lambda found: instead.get(found[0], found[0]), body)


def _complaint(strangers: list[Row]) -> str:
    return "\n".join(
        f"{row['title']} is not declared and would answer in place of {row['instead']}: drop or"
        " declare it, or name the schema of what is meant in the check"
        for row in strangers
    )


# -- other commands


def run_utility(connection: Connection, statement: str) -> None:
    """Run a command that is no query, such as TRUNCATE, and cannot end the transaction.

    PL/pgSQL executes no transaction command, and in a transaction block it cannot COMMIT. The
    first step refuses a second command.
    """
    connection.pgconn.send_prepare(b"", statement.encode())
    _result(connection)
    body = text(compose("BEGIN EXECUTE {}; END", literal(statement)))
    run_sql(connection, text(compose("DO {}", literal(body))))
