"""Questions about rows that would violate a new key or foreign key."""

from __future__ import annotations

import re
from collections.abc import Iterable

from psycopg import sql

from reconciler.kinds.constraint.definition import ConstraintDefinition
from reconciler.model.object import PlanningContext
from reconciler.model.ref import Ref, split_name
from reconciler.model.statement import Question, Statement
from reconciler.sql import compose, joined, literal, name, raw, split_commas, text

_REFERENCED = re.compile(r"(.+?)\((.+)\)\Z", re.DOTALL)


def with_question(
    statements: Iterable[Statement], constraint: ConstraintDefinition, context: PlanningContext
) -> Iterable[Statement]:
    """Put the question on the first statement.

    Nothing is asked about rows of a table or column that the plan creates, and about an exclusion
    constraint, whose expressions may call functions of users.
    """
    first, *others = statements
    question = _question(constraint, context)
    yield first.model_copy(update={"question": question}) if question else first
    yield from others


def _question(constraint: ConstraintDefinition, context: PlanningContext) -> Question | None:
    table = constraint.ref.on
    if table is None or constraint.not_enforced or constraint.not_valid or context.building:
        return None
    columns = constraint.foreign_key or constraint.key_columns
    own = {table, *(Ref("column", table.schema, c, table) for c in columns)}
    if own & context.created or context.exchanges(table):
        return None
    if constraint.is_key:
        return _about_key(constraint)
    if constraint.foreign_key is not None and not constraint.period:
        return _about_reference(constraint, context)
    return _about_check(constraint, context) if constraint.check is not None else None


def _about_key(key: ConstraintDefinition) -> Question:
    columns, is_primary = key.key_columns, key.primary_key is not None
    null = joined((compose("asked.{} IS NULL", c) for c in columns), " OR ")
    another = compose(
        "EXISTS (SELECT FROM rows AS other WHERE {} OPERATOR(pg_catalog.=) {} "
        "AND (other.tableoid, other.ctid) <> (asked.tableoid, asked.ctid))",
        _record("other", columns),
        _record("asked", columns),
    )
    if not key.nulls_not_distinct:
        another = compose("{} AND NOT ({}) AND {}", _no_key_within(key), null, another)
    meaning = "have no value in the key, or another row's" if is_primary else "have another's value"
    return Question(
        relation=text(key.table),
        only=not key.partitioned,
        columns=columns,
        condition=text(compose("{} OR ({})", null, another) if is_primary else another),
        meaning=f"rows of {key.stands_on} {meaning}",
    )


def _no_key_within(key: ConstraintDefinition) -> sql.Composable:
    """Return SQL false if the table has a key of some of the columns: then no two rows agree.

    The key of a renamed table is not found; its rows are asked.
    """
    return compose(
        "NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k "
        "JOIN pg_catalog.pg_index AS i ON i.indexrelid = k.conindid AND NOT i.indisexclusion "
        "WHERE k.conrelid = pg_catalog.to_regclass({}) AND k.contype IN ('p', 'u') "
        "AND NOT k.condeferrable AND k.conkey OPERATOR(pg_catalog.<@) ARRAY("
        "SELECT a.attnum FROM pg_catalog.pg_attribute AS a "
        "WHERE a.attrelid = k.conrelid AND a.attname IN ({})))",
        literal(text(key.table)),
        joined(literal(c) for c in key.key_columns),
    )


def _about_reference(key: ConstraintDefinition, context: PlanningContext) -> Question | None:
    """Ask for rows without a referenced row: all with a value, if the plan creates the table."""
    found, own = _REFERENCED.match(key.references or ""), key.foreign_key or ()
    if found is None or len(names := split_name(found[1])) != 2:
        return None
    columns = [split_name(c)[0] for c in split_commas(found[2])]
    condition: sql.Composable = joined((compose("asked.{} IS NOT NULL", c) for c in own), " AND ")
    schema, own_name = names
    if Ref("table", schema, own_name) not in context.created:
        condition = compose(
            "{} AND NOT EXISTS (SELECT FROM {} AS there WHERE {} OPERATOR(pg_catalog.=) {})",
            condition,
            name(*names),
            _record("there", columns),
            _record("asked", own),
        )
    return Question(
        relation=text(key.table),
        only=not key.partitioned,
        columns=own,
        condition=text(condition),
        meaning=f"rows of {key.stands_on} refer to rows that {'.'.join(names)} does not have",
    )


def _about_check(check: ConstraintDefinition, context: PlanningContext) -> Question:
    columns, condition = context.checks.get(check.ref, ((), ""))
    return Question(
        relation=text(check.table),
        only=check.no_inherit,
        columns=columns,
        condition=f"NOT ({condition})" if condition else "true",
        built_in=columns,
        meaning=f"rows of {check.stands_on} do not satisfy it",
        unasked="" if condition else "it may run your code, or its columns change in this plan",
    )


def _record(alias: str, columns: Iterable[str]) -> sql.Composable:
    """Return the values as a record.

    Two records are compared by the operators of their types' default operator classes, which only
    superusers create; no cast applies, and records of different types are an error.
    """
    values = joined(compose("{}.{}", raw(alias), c) for c in columns)
    return compose("CAST(ROW({}) AS record)", values)
