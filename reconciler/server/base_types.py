"""Stand in for base types and their functions on a scratch server.

The functions of a base type are native code, which does not run on scratch, nor is its library
there. A stand-in of the type stores text, which its input function reads as it stands; any other
function of native code over the type has its signature and fails when it is called. A setting of
the stand-in keeps language and code of the function.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, rows
from reconciler.sql import compose, literal, raw, text

_SUBSCRIPT = "pg_reconcile.subscript"
ORIGINAL = "pg_reconcile.original"  # the setting of a stand-in
_FUNCTION = re.compile(
    r"(?P<head>CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) .*\n)LANGUAGE (?P<name>c|internal)"
    r"\n(?P<attributes>.*)AS (?:'(?P<library>(?:[^']|'')*)', '(?P<symbol>(?:[^']|'')*)'"
    r"|(?P<tag>\$function_*\$)(?P<body>.*)(?P=tag))\Z",
    re.DOTALL,
)
_TYPE = re.compile(
    r"(?P<head>(?P<verb>CREATE|ALTER) TYPE .*? \()\n {4}(?P<options>[A-Z_]+ = .*)\n\)\Z", re.DOTALL
)
_CAST = re.compile(r"(CREATE CAST \((.+?) AS (.+)\)) WITHOUT FUNCTION(.*)\Z", re.DOTALL)
_IS_STAND_IN = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_type AS t
                   JOIN pg_catalog.pg_proc AS p ON p.oid = t.typinput
                   WHERE t.oid IN (pg_catalog.to_regtype(%s), pg_catalog.to_regtype(%s))
                         AND p.proconfig::text LIKE '%%pg_reconcile.original=%%') AS found"""
_BETWEEN = re.compile(r",\n {4}(?=[A-Z_]+ = )")
# Options that would let PostgreSQL take the text of a stand-in for something else
_OMITTED = ("INTERNALLENGTH", "PASSEDBYVALUE", "ALIGNMENT", "ANALYZE", "SUBSCRIPT")
_LAST = ",\n    DEFAULT = "  # whatever follows is a literal

_FAILURE = "cannot display a value of type any"  # of any_out()
_SHELLS = (
    "SELECT oid::pg_catalog.regtype::text AS name FROM pg_catalog.pg_type WHERE NOT typisdefined"
)

# Made in template1. `owns` are base types that are no members of extensions, and shells.
TEMPLATE = r"""
CREATE FUNCTION pg_reconcile.subscript(internal) RETURNS internal
LANGUAGE internal IMMUTABLE STRICT AS 'any_out'; -- which fails, whatever it is called with

CREATE VIEW pg_reconcile.base_type AS
    SELECT t.* FROM pg_catalog.pg_type AS t
    WHERE t.oid >= 16384 AND NOT pg_reconcile.is_member('pg_catalog.pg_type', t.oid)
          AND (t.typtype = 'b' AND t.typinput <> 'pg_catalog.array_in'::regproc
               OR NOT t.typisdefined);

-- What a function of native code does on scratch, by what it does for a type
CREATE FUNCTION pg_reconcile.stand_in_code(routine oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT CASE routine WHEN t.typinput THEN 'textin'
                                         WHEN t.typoutput THEN 'textout'
                                         WHEN t.typreceive THEN 'textrecv'
                                         WHEN t.typsend THEN 'textsend'
                                         WHEN t.typmodin THEN 'bittypmodin'
                                         ELSE 'bittypmodout' END
                     FROM pg_reconcile.base_type AS t
                     WHERE routine IN (t.typinput, t.typoutput, t.typreceive, t.typsend,
                                       t.typmodin, t.typmodout) LIMIT 1), 'any_out')
$$;

-- Native code may stand in where it has a base type, or pseudo-types of which SQL has no values
CREATE FUNCTION pg_reconcile.stands_in(routine oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pg_proc AS p
        CROSS JOIN LATERAL unnest(p.proargtypes::oid[] || p.prorettype) AS used(type)
        JOIN pg_type AS t ON t.oid = used.type
        WHERE p.oid = routine AND p.prolang = 12 -- internal
              AND p.prosrc = pg_reconcile.stand_in_code(p.oid)
              AND (p.prosrc = 'any_out' OR p.proconfig::text LIKE '%pg_reconcile.original=%')
              AND (t.oid IN ('internal'::regtype, 'cstring'::regtype, 'cstring[]'::regtype,
                            '"any"'::regtype)
                   OR EXISTS (SELECT FROM pg_reconcile.base_type AS b
                              WHERE b.oid IN (t.oid, t.typelem))))
$$;

CREATE FUNCTION pg_reconcile.confine_base_types() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    object text;
BEGIN
    UPDATE pg_proc AS p SET prosrc = pg_reconcile.stand_in_code(p.oid)
    WHERE p.prolang = 12 AND p.proconfig::text LIKE '%pg_reconcile.original=%'
          AND p.prosrc <> pg_reconcile.stand_in_code(p.oid);
    SELECT t.oid::regtype INTO object FROM pg_reconcile.base_type AS t
    WHERE t.typisdefined
          AND (t.typlen <> -1 OR t.typbyval OR t.typanalyze <> 0
               OR t.typsubscript NOT IN (0, 'pg_reconcile.subscript'::regproc)
               OR EXISTS (SELECT FROM pg_proc AS p
                          WHERE p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend)
                                AND NOT pg_reconcile.stands_in(p.oid)))
    LIMIT 1;
    IF FOUND THEN
        RAISE insufficient_privilege
            USING MESSAGE = format('%s is a base type that would run native code', object);
    END IF;
END $$;
"""


class Original(NamedTuple):
    """The code of a function that has a stand-in; `library` is None if it is internal."""

    language: str
    body: str
    library: str | None


@contextmanager
def explained() -> Generator[None]:
    """Explain the error of a stand-in that PostgreSQL has called; raises StatementFailed."""
    try:
        yield
    except StatementFailed as error:
        if error.message != _FAILURE:
            raise
        raise StatementFailed(
            "it calls a function in C or internal over a base type, which does not run on scratch",
            hint="--scratch URL names a server of yours that has the function's library",
            sqlstate=error.sqlstate,
            sql=error.sql,
        ) from error


@contextmanager
def shells_not_made(connection: Connection) -> Generator[None]:
    """Raise StatementFailed if CREATE FUNCTION makes a shell type of a type that is not there."""
    before = {row["name"] for row in rows(connection, _SHELLS)}
    yield
    for name in sorted({row["name"] for row in rows(connection, _SHELLS)} - before):
        raise StatementFailed(
            f"type {name} does not exist", hint="declare it in base_types", sqlstate="42704"
        )


def stand_in_function(statement: str) -> str | None:
    """Return the statement that makes a stand-in, in place of a function in C or internal."""
    found = _FUNCTION.match(statement)
    if found is None:
        return None
    in_library = found["library"] is not None
    original = Original(
        found["name"],
        found["symbol"].replace("''", "'") if in_library else found["body"],
        found["library"].replace("''", "'") if in_library else None,
    )
    stand_in = compose(
        "{}LANGUAGE internal\n{}SET {} TO {}\nAS 'any_out'",
        raw(found["head"]),
        raw(found["attributes"]),
        raw(ORIGINAL),
        literal(json.dumps(original)),
    )
    return text(stand_in)


def original_of(settings: Mapping[str, str]) -> Original | None:
    """Return the code in the settings of a stand-in; None for settings of another function."""
    with suppress(ValueError, TypeError, RecursionError):
        language, body, library = json.loads(settings.get(ORIGINAL, "null"))
        if isinstance(language, str) and isinstance(body, str) and isinstance(library, str | None):
            return Original(language, body, library)
    return None


def with_stand_in(connection: Connection, statement: str) -> str:
    """Return CREATE TYPE, ALTER TYPE … SET or CREATE CAST for a stand-in; another unchanged.

    A cast that would take the values as they are stored is one by way of text.
    """
    found = _CAST.match(statement)
    if found is None:
        return _with_stand_in_type(statement)
    is_stand_in = rows(connection, _IS_STAND_IN, [found[2], found[3]])[0]["found"]
    return f"{found[1]} WITH INOUT{found[4]}" if is_stand_in else statement


def _with_stand_in_type(statement: str) -> str:
    """Return CREATE TYPE or ALTER TYPE … SET for a stand-in; another statement unchanged."""
    found = _TYPE.match(statement)
    if found is None:
        return statement
    before, last, default = found["options"].partition(_LAST)
    options = [o for o in _BETWEEN.split(before) if not o.startswith(_OMITTED)]
    if any(o.startswith("ELEMENT") for o in options):
        options.append(f"SUBSCRIPT = {_SUBSCRIPT}")
    kept = ",\n    ".join(options)
    return f"{found['head']}\n    {kept}{last}{default}\n)" if kept else "SELECT"
