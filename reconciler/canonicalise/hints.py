"""Hints for what PostgreSQL refuses: names that exist, and names that a renaming took away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from reconciler.diff.renames import Renaming
from reconciler.errors import StatementFailed
from reconciler.model.inheritance import hint_on_joining
from reconciler.server.connection import Connection, rows

_MISSING = re.compile(
    r"""(?P<what>[a-z][a-z ]*?)\ (?P<name>"(?:[^"]|"")+"|[\w$.]+)
    (?:\ (?:of|for|in|named|referenced)\ .*|\(.*\))?\ does\ not\ exist""",
    re.VERBOSE,
)
_WORD = re.compile(r'"((?:[^"]|"")+)"|[^\W\d][\w$]*')
_ALIASES = "integer,int,bigint,smallint,boolean,decimal,real,serial,bigserial"  # not in pg_type
_OWN = "NOT IN ('pg_catalog', 'pg_toast', 'information_schema')"
_RELATIONS = f"""
    SELECT nspname::text AS within, relname::text AS name FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE nspname {_OWN}"""
COLUMN, FUNCTION, TYPE = "column …", "function …", "type …"  # … does not exist
_CANDIDATES: Mapping[str, str] = {
    "relation …": f"{_RELATIONS} AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
    "index …": f"{_RELATIONS} AND relkind IN ('i', 'I')",
    COLUMN: f"""
        SELECT DISTINCT '' AS within, attname::text AS name FROM pg_catalog.pg_attribute
        JOIN pg_catalog.pg_class AS c ON c.oid = attrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
              AND nspname {_OWN}""",
    TYPE: """
        SELECT nspname::text AS within, typname::text AS name FROM pg_catalog.pg_type AS t
        JOIN pg_catalog.pg_namespace AS n ON n.oid = typnamespace
        WHERE left(typname, 1) <> '_' AND typtype <> 'p'
              AND nspname NOT IN ('pg_toast', 'information_schema')""",
    FUNCTION: """
        SELECT DISTINCT nspname::text AS within, proname::text AS name FROM pg_catalog.pg_proc
        JOIN pg_catalog.pg_namespace AS n ON n.oid = pronamespace
        WHERE nspname <> 'information_schema'""",
    "schema …": "SELECT '' AS within, nspname::text AS name FROM pg_catalog.pg_namespace",
    "collation …": "SELECT '' AS within, collname::text AS name FROM pg_catalog.pg_collation",
    "access method …": "SELECT '' AS within, amname::text AS name FROM pg_catalog.pg_am",
    "language …": "SELECT '' AS within, lanname::text AS name FROM pg_catalog.pg_language",
    "operator class …": "SELECT '' AS within, opcname::text AS name FROM pg_catalog.pg_opclass",
}
_COLUMNS_OF = """
    SELECT '' AS within, attname::text AS name FROM pg_catalog.pg_attribute
    WHERE attrelid = pg_catalog.to_regclass(%s) AND attnum > 0 AND NOT attisdropped"""
_SIGNATURES = """
    SELECT DISTINCT format('%%s.%%s(%%s)', nspname, proname,
                           pg_catalog.pg_get_function_identity_arguments(p.oid)) AS signature
    FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = pronamespace
    WHERE proname = %s ORDER BY 1 LIMIT 4"""
_SEVERAL = 2  # names that are suggested


def missing(message: str) -> tuple[str, str]:
    """Return the sort and the name that a message of PostgreSQL says not to exist, or two ""."""
    found = _MISSING.search(message)
    if found is None:
        return "", ""
    sorts = (w for w in _CANDIDATES if found["what"].endswith(w.removesuffix(" …")))
    what = next(sorts, found["what"])
    quoted = re.fullmatch(r'"((?:[^"]|"")+)"', found["name"])
    return what, (quoted[1].replace('""', '"') if quoted else found["name"]).rpartition(".")[2]


def identifiers_in(message: str) -> set[str]:
    """Return the names and words in a message or in SQL."""
    found = (m[1] or m[0] for m in _WORD.finditer(message))
    return {part for word in found for part in (word, *word.split("."))}


DOLLAR_QUOTED = "the files hold a body without quotes: leave the $$ out"
_DOLLAR_QUOTED = re.compile(r'at or near "\$\w*\$')


def hint_for(
    connection: Connection, error: StatementFailed, relation: str, renamings: Sequence[Renaming]
) -> str:
    """Suggest a name for one that does not exist; else return PostgreSQL's own hint.

    `connection` leads to a database with all objects that PostgreSQL did not refuse. `relation` is
    the table of the refused object as SQL, or "".
    """
    what, name = missing(error.message)
    if not name:
        if _DOLLAR_QUOTED.search(error.message):
            return DOLLAR_QUOTED
        return hint_on_joining(error.message) or error.hint
    renamed = [r for r in renamings if r.was.name == name]
    if renamed:
        return "; ".join(f"{r.was} is renamed to {r.becomes.name}" for r in renamed)
    if what == FUNCTION and (found := rows(connection, _SIGNATURES, (name,))):
        return f"there is {' and '.join(f['signature'] for f in found)}"
    relation = "" if "referenced" in error.message else relation
    return _suggested(name, _candidates(connection, what, relation)) or error.hint


def _candidates(connection: Connection, what: str, relation: str) -> list[tuple[str, str]]:
    found = list[tuple[str, str]]()
    if what == COLUMN and relation:
        found = [_pair(r) for r in rows(connection, _COLUMNS_OF, (relation,))]
    if not found and what in _CANDIDATES:
        found = [_pair(r) for r in rows(connection, _CANDIDATES[what])]
    found += [("pg_catalog", a) for a in _ALIASES.split(",") if what == TYPE]
    return [(s, n) for s, n in found if s == "pg_catalog" or not s.startswith("pg_")]


def _pair(row: Mapping[str, str]) -> tuple[str, str]:
    return row["within"], row["name"]


def _suggested(name: str, candidates: Iterable[tuple[str, str]]) -> str:
    candidates = list(candidates)
    same = [c for _, c in candidates if c.lower() == name.lower() and c != name]
    if same:
        return f'in SQL a name with capital letters is quoted: "{same[0]}"'
    elsewhere = [s for s, c in candidates if c == name and s not in ("", "pg_catalog")]
    if elsewhere:
        return f"there is {elsewhere[0]}.{name}: write its schema too"
    others = [(s, c) for s, c in candidates if c != name]  # another table has the same column
    by_name = {c.lower(): (s, c) for s, c in reversed(others)}
    nearest = [by_name[n] for n in get_close_matches(name.lower(), by_name, _SEVERAL, 0.7)]
    return did_you_mean(c if s in ("", "public", "pg_catalog") else f"{s}.{c}" for s, c in nearest)


def did_you_mean(names: Iterable[str]) -> str:
    """Return a hint with the names, "" without any."""
    listed = " or ".join(names)
    return f"did you mean {listed}?" if listed else ""
