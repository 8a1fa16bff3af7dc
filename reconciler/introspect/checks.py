"""Find the CHECK constraints whose expressions run no code of users."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.context import Conditions
from reconciler.model.object import InlinePart
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.server.connection import Connection, rows

# PostgreSQL records dependencies on all but its own objects. The parse tree has the rest: functions
# that may act, and expressions that call the input and output functions of types, are left out.
_NODES = (
    *("OPEXPR", "FUNCEXPR", "BOOLEXPR", "CONST", "VAR", "NULLTEST", "BOOLEANTEST", "RELABELTYPE"),
    *("SCALARARRAYOPEXPR", "DISTINCTEXPR", "NULLIFEXPR", "COALESCEEXPR", "CASEEXPR", "CASEWHEN"),
    *("ARRAYEXPR", "CASE", "WHEN", "COALESCE", "ARRAY", "CASETESTEXPR"),
)
# Functions that need little time and memory, whatever their arguments: `repeat` would not.
_CHEAP = (
    *("length", "char_length", "character_length", "octet_length", "bit_length", "lower", "upper"),
    *("btrim", "ltrim", "rtrim", "left", "right", "substr", "substring", "strpos", "position"),
    *("starts_with", "abs", "sign", "floor", "ceil", "ceiling", "trunc", "round", "mod"),
    *("extract", "date_part", "num_nulls", "num_nonnulls", "jsonb_typeof", "json_typeof"),
    *("jsonb_array_length", "json_array_length", "array_length", "array_ndims", "cardinality"),
    *("lower_inf", "upper_inf", "isempty", "isfinite"),
)
_CHECKS = r"""
    SELECT w.number, pg_catalog.pg_get_expr(k.conbin, k.conrelid) AS condition,
           ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) AS c(number)
                 JOIN pg_catalog.pg_attribute AS a
                      ON a.attrelid = k.conrelid AND a.attnum = c.number) AS read
    FROM unnest(%(schemas)s::text[], %(relations)s::text[], %(names)s::text[])
         WITH ORDINALITY AS w(schema, relation, name, number)
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.relation
    JOIN pg_catalog.pg_constraint AS k ON k.conrelid = c.oid AND k.conname = w.name
    WHERE k.contype = 'c'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                          WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
                                AND (d.refclassid <> 'pg_class'::regclass
                                     OR d.refobjid <> k.conrelid OR d.refobjsubid = 0
                                     AND d.deptype = 'n'))
          AND NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(
                              k.conbin::text, ':(?:op)?funcid (\d+)', 'g') AS f(found)
                          JOIN pg_catalog.pg_proc AS p ON p.oid = f.found[1]::oid
                          WHERE p.provolatile <> 'i')
          AND NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(  -- casts have other formats
                              k.conbin::text, ':funcid (\d+) [^{}]*:funcformat [03] ', 'g'
                          ) AS f(found)
                          JOIN pg_catalog.pg_proc AS p ON p.oid = f.found[1]::oid
                          WHERE p.proname <> ALL (%(cheap)s::text[]))
          AND NOT EXISTS (SELECT FROM pg_catalog.regexp_matches(
                              k.conbin::text, '\{([A-Z]+)', 'g') AS f(found)
                          WHERE f.found[1] <> ALL (%(nodes)s::text[]))"""


def conditions_of_checks(
    connection: Connection, declared: Iterable[Ref], desired: State, live: State
) -> Conditions:
    """Return the columns and the condition of each new CHECK of operators and cheap functions.

    Columns that change as well may hold other values by then: checks on these are left out.
    """
    changed = [r for r in declared if r in desired and desired[r] != live.get(r)]
    changing = {(r.on, r.name) for r in changed if isinstance(desired[r], InlinePart)}
    of_tables = [(r, r.on) for r in changed if r.on is not None]
    values: dict[str, object] = {
        "schemas": [on.schema for _, on in of_tables],
        "relations": [on.name for _, on in of_tables],
        "names": [r.name for r, _ in of_tables],
        "nodes": [*_NODES],
        "cheap": [*_CHEAP],
    }
    found: dict[Ref, tuple[tuple[str, ...], str]] = {}
    for row in rows(connection, _CHECKS, values) if of_tables else ():
        number: int = row["number"]
        ref, on = of_tables[number - 1]
        if not {(on, c) for c in row["read"]} & changing:
            found[ref] = tuple(row["read"]), row["condition"]
    return found
