"""Ask the target, before the first step, for rows that would make a step fail.

A question is a condition over columns of built-in types and operators, so that no function of a
user runs; it is asked in a read-only transaction, and within TIME_FOR_ALL.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from reconciler.errors import PlanError, StatementFailed
from reconciler.model.ref import Ref
from reconciler.model.statement import Question
from reconciler.plan.plan import Answer, Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, Row, rows, translated
from reconciler.sql import compose, joined, name, raw, text

TIME_FOR_ALL = 10.0  # seconds
LOCK_WAIT = 0.2  # seconds
SHOWN = 3  # rows in an answer
UNDEFINED = ("42703", "42883", "42P01")  # the plan itself makes the column, operator or table

# What must be known of a relation before its rows may be read: the primary key, to name rows; the
# columns whose types are not built in, with an operator or a cast that a user may have written.
_RELATION = """
    SELECT c.relkind::text AS kind, pg_catalog.pg_table_size(c.oid) AS bytes,
           pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
           pg_catalog.row_security_active(c.oid) AS filtered,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_index AS i,
                        unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
                 WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) AS key,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
                 JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
                 WHERE a.attrelid = c.oid AND a.attnum > 0
                       AND (t.typtype = 'e' OR t.oid < 16384)) AS built_in
    FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass(%s)"""


def ask(plan: Plan, connection: Connection) -> list[Answer]:
    """Return what stands in the way of the steps, and what could not be asked.

    The smallest tables come first. Raises PlanError if rows of an existing table need a value, and
    nothing fills them.
    """
    old_names = {_relation(r.becomes): _relation(r.was) for r in plan.renames if not r.part}
    asked = [
        (step, step.question.model_copy(update={"relation": old_names.get(of, of)}))
        for step in plan.steps
        if step.question is not None
        for of in [step.question.relation]
    ]
    deadline = time.monotonic() + TIME_FOR_ALL
    known = {q.relation: _known(connection, q.relation, deadline) for _, q in asked}
    found: list[Answer] = []
    for step, question in sorted(asked, key=lambda pair: _bytes(known[pair[1].relation])):
        answer = _answer(step, question, known[question.relation], connection, deadline)
        if answer is not None:
            if question.must_know:
                raise PlanError(answer.words, objects=[f"{step.kind} {step.identity}"])
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
    """Return the rows in the way, or why nobody looked; None if the step finds no such row."""
    subject = f"{step.kind} {step.identity}"
    why = _not_asked(question, relation)
    keys: Sequence[str] = ()
    if not why and relation is not None:
        columns = relation["key"] or question.columns
        try:
            keys = [*_rows_in_the_way(question, columns, connection, deadline)]
        except StatementFailed as error:
            if error.sqlstate in UNDEFINED:
                return None
            why = error.message
    if why:
        words = f"{subject}: whether {question.meaning} is not known: {why}"
        return Answer(step=step.id, words=_with_remedy(words, question), refuses=False)
    if keys:
        listed = f" ({'; '.join(keys)})" if any(keys) else ""
        words = f"{subject}: {question.meaning}{listed}"
        return Answer(step=step.id, words=_with_remedy(words, question), refuses=True)
    return None


def _with_remedy(words: str, question: Question) -> str:
    return f"{words}; {question.remedy}" if question.remedy else words


def _not_asked(question: Question, relation: Row | None) -> str:
    """Return why a question cannot be asked, or ""."""
    if relation is None:
        return "the table could not be looked at in time"
    if relation["kind"] not in "rp":
        return "its rows are another server's"
    if not relation["readable"]:
        return "the role may not read the table"
    if relation["filtered"]:
        return "row security hides rows from the role"
    if foreign := [c for c in question.columns if c not in relation["built_in"]]:
        return f"the type of {', '.join(foreign)} is not built in, so it would run your code"
    return ""


def _known(connection: Connection, relation: str, deadline: float) -> Row | None:
    """Return what must be known of a relation; None if the relation is locked or missing."""
    try:
        found = _read(connection, _RELATION, [relation], deadline)
    except StatementFailed:
        return None
    return found[0] if found else None


def _rows_in_the_way(
    question: Question, columns: Iterable[str], connection: Connection, deadline: float
) -> Iterator[str]:
    """Yield the first rows that the question finds, by their columns; raises StatementFailed."""
    shown = [compose("asked.{}", c) for c in columns]
    query = compose(
        "SELECT {} FROM {} AS asked WHERE {} LIMIT {}",
        joined(shown),
        raw(question.relation),
        raw(question.condition),
        raw(str(SHOWN)),
    )
    for row in _read(connection, text(query), None, deadline):
        yield ", ".join(f"{text(name(k))}={v}" for k, v in row.items())


def _read(
    connection: Connection, query: str, values: Sequence[object] | None, deadline: float
) -> list[Row]:
    """Run a query in a read-only transaction within the time that remains."""
    remaining = max(deadline - time.monotonic(), 0.001)
    limits = {
        "transaction_read_only": "on",
        "row_security": "off",
        "lock_timeout": str(round(LOCK_WAIT * 1000)),
        "statement_timeout": str(max(round(remaining * 1000), 1)),
    }
    settings = ", ".join("pg_catalog.set_config(%s, %s, true)" for _ in limits)
    with translated(query), connection.transaction():
        rows(connection, f"SELECT {settings}", [v for pair in limits.items() for v in pair])
        return rows(connection, query, values)
