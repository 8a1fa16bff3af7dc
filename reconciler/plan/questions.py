"""Ask the target, before the first step, for rows that would make a step fail.

A question is a condition that runs no code of users. It is asked in a read-only transaction, which
holds a lock on the table, and within TIME_FOR_ALL.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from reconciler.errors import PlanError, StatementFailed
from reconciler.model.ref import Ref
from reconciler.model.statement import Question
from reconciler.plan.plan import Answer, Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, Row, rows, run_sql
from reconciler.server.elevation import INSUFFICIENT_PRIVILEGE
from reconciler.server.short_read import short_read
from reconciler.sql import compose, joined, name, raw, text

TIME_FOR_ALL = 10.0  # seconds
SHOWN = 3  # rows in an answer
UNDEFINED = ("42703", "42883", "42P01")  # the plan itself makes the column, operator or table

# With this setting neither a view nor a foreign table can be read that takes the table's name
# between two statements; servers without it have not been updated since August 2024.
NO_VIEWS = "restrict_nonsystem_relation_kind"

_UNREADABLE: Row = {
    "kind": "r",
    "bytes": 0,
    "readable": False,
    "filtered": False,
    "guarded": True,
    "of_others": False,
    "key": [],
    "built_in": [],
}

# What must be known of a relation before its rows may be read: the primary key, to name rows; the
# columns of PostgreSQL's own types, or of domains over these, for which nobody can define a cast;
# and whether the schema's owner, who could put another table into its place, is to be trusted.
_RELATION = """
    SELECT c.relkind::text AS kind, pg_catalog.pg_table_size(c.oid) AS bytes,
           pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
           pg_catalog.row_security_active(c.oid) AS filtered,
           EXISTS (SELECT FROM pg_catalog.pg_settings AS s WHERE s.name = %s) AS guarded,
           EXISTS (SELECT FROM pg_catalog.pg_namespace AS n, pg_catalog.pg_roles AS r
                   WHERE n.oid = c.relnamespace AND r.oid IN (n.nspowner, c.relowner)
                         AND NOT r.rolsuper AND r.rolname <> current_user
                         AND r.rolname <> 'pg_database_owner') AS of_others,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_index AS i,
                        pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
                 WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) AS key,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
                 JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
                 WHERE a.attrelid = c.oid AND a.attnum > 0
                       AND CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END < 16384)
               AS built_in
    FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass(%s)"""

# The output function of the type writes the text; a cast may be a function of users.
_AS_TEXT = """CASE pg_catalog.num_nulls(asked.{}) WHEN 0 THEN pg_catalog.format('%s', asked.{})
    ELSE 'NULL' END AS {}"""


def ask(plan: Plan, connection: Connection) -> list[Answer]:
    """Return what stands in the way of the steps, and what could not be asked.

    The smallest tables come first. Raises PlanError if rows of an existing table need a value, and
    nothing fills them.
    """
    old_names = {_relation(r.becomes): _relation(r.was) for r in plan.renames if not r.part}
    asked = [
        (step, question.model_copy(update={"relation": old_names.get(of, of)}))
        for step in plan.steps
        if step.question is not None
        for question in (step.question, *step.question.more)
        for of in [question.relation]
    ]
    deadline = time.monotonic() + TIME_FOR_ALL
    known = {q.relation: _known(connection, q.relation, deadline) for _, q in asked}
    found: list[Answer] = []
    for step, question in sorted(asked, key=lambda pair: _bytes(known[pair[1].relation])):
        answer = _answer(step, question, known[question.relation], connection, deadline)
        if answer is not None:
            if question.must_know:
                raise PlanError(answer.message, objects=[f"{step.kind} {step.identity}"])
            found.append(answer)
    return sorted(found, key=lambda a: a.step)


def _relation(ref: Ref) -> str:
    return text(name(ref.schema, ref.name))


def _bytes(relation: Row | None) -> int:
    return relation["bytes"] if relation else 0


def _answer(
    step: Step,
    question: Question,
    relation: Row | None,
    connection: Connection,
    deadline: float,
) -> Answer | None:
    """Return the rows in the way, or why nobody looked; None if the step finds no such row.

    PostgreSQL checks no rows of a foreign table.
    """
    if relation is not None and relation["kind"] == "f":
        return None
    subject = question.subject or f"{step.kind} {step.identity}"
    why = _not_asked(question, relation)
    keys: Sequence[str] = ()
    if not why:
        try:
            keys = _rows_in_the_way(question, connection, deadline)
        except _NotAsked as error:
            why = str(error)
        except StatementFailed as error:
            if error.sqlstate in UNDEFINED:
                return None
            why = error.message
    if why:
        unknown = "was not asked" if question.unasked else "is not known"
        message = f"{subject}: whether {question.meaning} {unknown}: {why}"
        return Answer(step=step.id, message=_with_remedy(message, question), refuses=False)
    if keys:
        listed = f" ({'; '.join(keys)})" if any(keys) else ""
        message = f"{subject}: {question.meaning}{listed}"
        return Answer(step=step.id, message=_with_remedy(message, question), refuses=True)
    return None


class _NotAsked(Exception):
    """The relation has become another one that must not be read."""


def _with_remedy(message: str, question: Question) -> str:
    return f"{message}; {question.remedy}" if question.remedy else message


def _not_asked(question: Question, relation: Row | None) -> str:
    """Return why a question must not be asked, or ""."""
    if question.unasked:
        return question.unasked
    if relation is None:
        return "the table could not be looked at in time"
    reasons = {
        "it is no table with rows of its own": relation["kind"] not in "rp",
        "the role may not read the table": not relation["readable"],
        "row security hides rows from the role": relation["filtered"],
        f"this server lacks {NO_VIEWS}: update it": not relation["guarded"],
        "it would run code of the type's owner": not (
            {*question.built_in} <= {*relation["built_in"]}
        ),
        "others could put another table in its place": bool(question.built_in)
        and relation["of_others"],
    }
    return next((why for why, holds in reasons.items() if holds), "")


def _known(connection: Connection, relation: str, deadline: float) -> Row | None:
    """Return what must be known of a relation; None if the relation is locked or missing."""
    try:
        with short_read(connection, deadline - time.monotonic()):
            found = rows(connection, _RELATION, [NO_VIEWS, relation])
    except StatementFailed as error:  # without USAGE on the schema, the name is not even looked up
        return _UNREADABLE if error.sqlstate == INSUFFICIENT_PRIVILEGE else None
    return found[0] if found else None


def _rows_in_the_way(question: Question, connection: Connection, deadline: float) -> list[str]:
    """Return the first rows that the question finds, by their keys; "" where nothing names a row.

    Raises StatementFailed, and _NotAsked for a table that must not be read.
    """
    with short_read(connection, deadline - time.monotonic()):
        run_sql(connection, f"SET LOCAL {NO_VIEWS} = 'view, foreign-table'")
        # A LIMIT makes nested loops look cheap; records have no hash join, and no index helps them.
        run_sql(connection, "SET LOCAL enable_nestloop = off")
        run_sql(connection, f"LOCK TABLE {question.relation} IN ACCESS SHARE MODE")
        found = rows(connection, _RELATION, [NO_VIEWS, question.relation])
        relation = found[0] if found else None
        if why := _not_asked(question, relation):
            raise _NotAsked(why)
        assert relation is not None
        key = relation["key"] or question.columns
        query = compose(
            "SELECT {} FROM {}{} AS asked WHERE {} LIMIT {}",
            joined(compose(_AS_TEXT, c, c, c) for c in key) if key else raw("true"),
            raw("ONLY " if question.only else ""),
            raw(question.relation),
            raw(question.condition),
            raw(str(SHOWN)),
        )
        return [
            ", ".join(f"{text(name(k))}={v}" for k, v in row.items() if key)
            for row in rows(connection, text(query))
        ]
