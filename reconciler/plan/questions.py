"""Ask the target, before the first step, for rows that would make a step fail.

A question is a condition that runs no code of users. It is asked in a read-only transaction, which
holds a lock on the table, and within TIME_FOR_ALL.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from reconciler.errors import PlanError, StatementFailed
from reconciler.kinds import KINDS
from reconciler.model.object import InlinePart
from reconciler.model.ref import Ref
from reconciler.model.statement import Question
from reconciler.plan.plan import Answer, Plan, Renamed
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
    "columns": [],
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
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 ORDER BY a.attnum) AS columns,
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
_ROWS = """
    WITH rows AS NOT MATERIALIZED (SELECT t.tableoid, t.ctid, t.* FROM {}{} AS t{})
    SELECT {} FROM rows AS asked WHERE {} LIMIT {}"""
_AS_TEXT = """CASE pg_catalog.num_nulls(asked.{}) WHEN 0 THEN pg_catalog.format('%s', asked.{})
    ELSE 'NULL' END AS {}"""


def ask(plan: Plan, connection: Connection) -> list[Answer]:
    """Return what stands in the way of the steps, and what could not be asked.

    The smallest tables come first. Raises PlanError if rows of an existing table need a value, and
    nothing fills them.
    """
    whole = [r for r in plan.renames if not r.part]
    old_names = {_relation(r.becomes): _relation(r.was) for r in whole}
    columns = _renamed_columns(whole)
    asked = [
        (step, question.model_copy(update={"relation": old_names.get(of, of)}))
        for step in plan.steps
        if step.question is not None
        for question in (step.question, *step.question.more)
        for of in [question.relation]
    ]
    deadline = time.monotonic() + TIME_FOR_ALL
    read = {
        relation: _Read(connection, relation, columns.get(relation, {}), deadline)
        for relation in dict.fromkeys(q.relation for _, q in asked)
    }
    known = {relation: reader.known() for relation, reader in read.items()}
    found: list[Answer] = []
    for step, question in sorted(asked, key=lambda pair: _bytes(known[pair[1].relation])):
        answer = _answer(step, question, known[question.relation], read[question.relation])
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
    reader: _Read,
) -> Answer | None:
    """Return the rows in the way, or why nobody looked; None if the step finds no such row.

    PostgreSQL checks no rows of a foreign table. A column that is missing is made by the plan.
    """
    if relation is not None and (relation["kind"] == "f" or _lacks_column(relation, question)):
        return None
    subject = question.subject or f"{step.kind} {step.identity}"
    why = _not_asked(question, relation)
    keys: Sequence[str] = ()
    if not why:
        try:
            keys = reader.rows_in_the_way(question)
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


def _lacks_column(relation: Row, question: Question) -> bool:
    return bool(relation["columns"]) and not {*question.built_in} <= {*relation["columns"]}


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


@dataclass(frozen=True)
class _Read:
    """Read a relation by its name before the plan, with the columns' names after it.

    `renamed` maps the old names of columns to the new ones, which questions use.
    """

    connection: Connection
    relation: str
    renamed: Mapping[str, str]
    deadline: float

    def known(self) -> Row | None:
        """Return what must be known of the relation; None if it is locked or missing."""
        try:
            with self._short_read():
                return self._looked_up()
        except StatementFailed as error:
            # without USAGE on the schema, the name is not even looked up
            return _UNREADABLE if error.sqlstate == INSUFFICIENT_PRIVILEGE else None

    def rows_in_the_way(self, question: Question) -> list[str]:
        """Return the first rows that the question finds, by their keys; "" without a key.

        Raises StatementFailed, and _NotAsked for a table that must not be read.
        """
        with self._short_read():
            run_sql(self.connection, f"SET LOCAL {NO_VIEWS} = 'view, foreign-table'")
            # A LIMIT makes nested loops look cheap; records have no hash join, and no index helps
            # them.
            run_sql(self.connection, "SET LOCAL enable_nestloop = off")
            run_sql(self.connection, f"LOCK TABLE {self.relation} IN ACCESS SHARE MODE")
            relation = self._looked_up()
            if why := _not_asked(question, relation):
                raise _NotAsked(why)
            assert relation is not None
            key = relation["key"] or question.columns
            return [
                ", ".join(f"{text(name(k))}={v}" for k, v in row.items() if key)
                for row in rows(self.connection, self._query(question, relation, key))
            ]

    def _short_read(self) -> AbstractContextManager[None]:
        return short_read(self.connection, self.deadline - time.monotonic())

    def _looked_up(self) -> Row | None:
        found = rows(self.connection, _RELATION, [NO_VIEWS, self.relation])
        lists = ("columns", "key", "built_in")
        return {**found[0], **{k: self._named(found[0][k]) for k in lists}} if found else None

    def _named(self, columns: Sequence[str]) -> list[str]:
        return [self.renamed.get(c, c) for c in columns]

    def _query(self, question: Question, relation: Row, key: Sequence[str]) -> str:
        names = compose(" ({})", joined(map(name, relation["columns"])))
        query = compose(
            _ROWS,
            raw("ONLY " if question.only else ""),
            raw(self.relation),
            names if self.renamed else raw(""),
            joined(compose(_AS_TEXT, c, c, c) for c in key) if key else raw("true"),
            raw(question.condition),
            raw(str(SHOWN)),
        )
        return text(query)


def _renamed_columns(renames: Iterable[Renamed]) -> dict[str, dict[str, str]]:
    """Map the tables before the plan to the old and new names of their columns."""
    found: dict[str, dict[str, str]] = {}
    for r in renames:
        if r.was.on is not None and issubclass(KINDS[r.was.kind], InlinePart):
            found.setdefault(_relation(r.was.on), {})[r.was.name] = r.becomes.name
    return found
