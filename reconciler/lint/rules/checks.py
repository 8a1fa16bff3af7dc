"""Rules about CHECK constraints and jsonb columns."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from reconciler.lint.database import Database
from reconciler.lint.facts import Column, Constraint, Relation, quoted
from reconciler.lint.rule import Found, rule
from reconciler.lint.three_valued import is_null
from reconciler.lint.tree import Node
from reconciler.sql import literal, text

CHECK = "c"
JSON = {114, 3802}
_LITERAL = re.compile(r"'((?:[^']|'')*)'::jsonb?", re.DOTALL)  # as PostgreSQL prints a default
TEXTS = {25, 1043, 1042, 705, 19}
NUMBERS = {20, 21, 23, 700, 701, 1700}


def _checks(db: Database) -> Iterator[tuple[Constraint, Node]]:
    for constraint in db.constraints:
        if constraint.type == CHECK and not constraint.is_inherited and constraint.tree:
            yield constraint, constraint.tree[0]


def _replaced(db: Database, constraint: Constraint, condition: str) -> str:
    table, name = db.relations[constraint.relation].sql, quoted(constraint.name)
    return (
        f"ALTER TABLE {table} DROP CONSTRAINT {name},"
        f" ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID;\n"
        f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    )


@rule(
    "check-passes-null",
    "warning",
    """A check refuses only what makes it false; NULL passes. `metadata ->> 'status' IN (…)` is NULL
    where the key is missing, and everything about `metadata` is NULL where the column is.""",
)
def check_passes_null(db: Database) -> Iterator[Found]:
    """Find a check of JSON that NULL, or a missing key, passes by accident."""
    for constraint, tree in _checks(db):
        columns = [db.columns[constraint.relation, n] for n in tree.columns if n > 0]
        documents = {c.number for c in columns if c.type in JSON}
        nullable = {c.number for c in columns if c.number in documents and not c.not_null}
        cases = [
            (
                is_null(tree, db.called, nulls={n}),
                f"{db.names(constraint.relation, [n])[0]} is null",
            )
            for n in sorted(nullable)
        ]
        if documents:
            cases.append((is_null(tree, db.called, missing=True), "a key is missing"))
        found = [when for passes, when in cases if passes]
        if found:
            yield Found(
                ("pg_constraint", constraint.oid, 0),
                f"is NULL, and so passes, where {' or '.join(found)}",
                _replaced(db, constraint, f"coalesce({constraint.shown}, false)"),
                "check",
            )


@rule(
    "check-casts",
    "warning",
    """`(metadata ->> 'ms')::numeric > 0` fails on {"ms": "abc"} with an error that names no
    constraint, and any other row that a rewrite reads may end it. AND does not promise that the
    left side is evaluated first; CASE does. JSON numbers compare without a cast:
    `metadata -> 'ms' > '0'`.""",
)
def check_casts(db: Database) -> Iterator[Found]:
    """Find a check that ends in a cast error instead of a violated constraint."""
    for constraint, tree in _checks(db):
        casts = [n for n in tree.walk(_is_guarded) if _may_fail(db, n)]
        if casts:
            yield Found(
                ("pg_constraint", constraint.oid, 0),
                "casts text, which fails with another error where the text is no such value",
                _guarded(db, constraint, casts),
                "check",
            )


def _is_guarded(node: Node) -> bool:
    return node.kind in ("CASE", "CASEEXPR")


def _may_fail(db: Database, node: Node) -> bool:
    """Tell whether a node converts text, or a JSON value, that a row holds."""
    argument = node.child("arg")
    if node.kind == "COERCEVIAIO" and argument is not None:
        source, result = _type(argument, db), node.number("resulttype")
        return bool(argument.columns) and source in TEXTS and result not in TEXTS
    called = db.called.get(node.function)
    arguments = node.children("args")
    is_cast = node.kind == "FUNCEXPR" and node.number("funcformat") in (1, 2)
    if not (is_cast and called and called.is_system and arguments):
        return False
    return _type(arguments[0], db) in JSON and node.number("funcresulttype") in {*NUMBERS, 16}


_TYPES = ("vartype", "resulttype", "opresulttype", "funcresulttype", "coalescetype", "consttype")


def _type(node: Node, db: Database) -> int:
    """Return the data type of an expression, 0 if it is not known."""
    del db
    return next((node.number(key) for key in _TYPES if node.number(key)), 0)


def _guarded(db: Database, constraint: Constraint, casts: Collection[Node]) -> str:
    """Evaluate the check only where the JSON value is a number, if that can be told."""
    guards: list[str] = []
    for cast in casts:
        argument = cast.child("arg") or cast.children("args")[0]
        arguments = argument.children("args")
        if cast.number("resulttype") not in NUMBERS or len(arguments) != 2:
            return _guarded_by_type(db, constraint)
        column, key = arguments
        if column.kind != "VAR" or not key.constant:
            return _guarded_by_type(db, constraint)
        named = db.names(constraint.relation, [column.number("varattno")])[0]
        literal = key.constant.replace("'", "''")
        guards.append(f"coalesce(jsonb_typeof({named}::jsonb -> '{literal}'), 'number') = 'number'")
    condition = " AND ".join(guards)
    guarded = f"CASE WHEN {condition} THEN {constraint.shown} ELSE false END"
    return _replaced(db, constraint, guarded)


def _guarded_by_type(db: Database, constraint: Constraint) -> str:
    return (
        f"-- declare {quoted(constraint.name)} as CASE WHEN pg_input_is_valid(…) THEN … END, or"
        f" give {db.relations[constraint.relation].sql} a column of the type"
    )


@rule(
    "jsonb-without-check",
    "note",
    """Every reader must then expect a string, a list or null where it expects an object.""",
)
def jsonb_without_check(db: Database) -> Iterator[Found]:
    """Find a jsonb column that takes any JSON."""
    for table in db.tables:
        checked = {
            n
            for c in db.constraints_of.get(table.oid, ())
            for tree in (c.tree if c.type == CHECK else ())
            for n in tree.columns
        }
        for column in db.columns_of.get(table.oid, ()):
            if column.type in JSON and column.number not in checked and not table.is_partition:
                yield Found(
                    ("pg_class", table.oid, column.number),
                    "takes any JSON: no check mentions it",
                    _checked(table, column),
                )


def _checked(table: Relation, column: Column) -> str:
    """Return a statement for a check of the type of JSON, which the default of a column passes.

    A default that is JSON within a JSON string, as frameworks write by mistake, becomes JSON.
    """
    name, default, changed = quoted(column.name), _default(column), ""
    inner = _read(default) if isinstance(default, str) else ()
    if type(inner) in (dict, list):
        changed = f" ALTER COLUMN {name} SET DEFAULT {text(literal(default))},"
        default = inner
    null = "" if column.not_null else f"{name} IS NULL OR "
    function = "jsonb_typeof" if column.type == max(JSON) else "json_typeof"
    constraint = quoted(f"{table.name}_{column.name}"[:57] + "_check")
    return (
        f"ALTER TABLE {table.sql}{changed} ADD CONSTRAINT {constraint}"
        f" CHECK ({null}{function}({name}) {_KINDS[type(default)]}) NOT VALID;"
    )


_KINDS: Mapping[type[object], str] = {  # as json_typeof() calls them
    dict: "= 'object'",
    list: "= 'array'",
    str: "= 'string'",
    bool: "= 'boolean'",
    int: "= 'number'",
    float: "= 'number'",
    type(None): "IN ('object', 'null')",
    tuple: "IN ('object', 'array')",
}


def _default(column: Column) -> Any:
    """Return the JSON that a column has by default, an object without any, () if it is computed."""
    if column.json_default is None:
        return {}
    found = _LITERAL.fullmatch(column.json_default)
    return _read(found[1].replace("''", "'")) if found else ()


def _read(document: str) -> Any:
    """Return the value of a JSON document, () for what is none, or what Python cannot read."""
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return ()
