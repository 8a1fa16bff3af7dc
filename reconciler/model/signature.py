"""Read the arguments of routines, as people write them, through PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from reconciler.errors import StatementFailed
from reconciler.model.catalog_sql import ARGUMENT_TYPES
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.server.elevation import run_statement
from reconciler.sql import split_commas

PROBE = "reconcile_probe"  # the name of temporary objects on a scratch server
_DEFAULT = re.compile(r"""((?:"(?:""|[^"])*"|[^"'=])*?)(?:\s+default\b|\s*:?=).*""", re.I | re.S)
# Some types are refused by every language but `internal`, which an ordinary role may not use.
_BODIES = ("LANGUAGE plpgsql AS ''", "LANGUAGE internal AS 'any_out'")
_RESULTS = ("RETURNS void", "")  # without one if an OUT argument determines the result
_UNFIT = frozenset({"42P13", "0A000"})  # invalid_function_definition, feature_not_supported
_FOUND = f"""
    SELECT p.oid::regprocedure::text AS probe, {ARGUMENT_TYPES} AS identity,
           pg_get_function_arguments(p.oid) AS arguments
    FROM pg_proc AS p
    WHERE p.proname = '{PROBE}' AND p.pronamespace = pg_my_temp_schema()"""


@dataclass(frozen=True)
class Signature:
    """The types of a routine's input arguments, and all arguments as PostgreSQL prints both.

    `arguments` is None where defaults are given, which only a complete routine could have.
    """

    identity: str
    arguments: str | None


def read_signature(connection: Connection, listed: str, *, procedure: bool = False) -> Signature:
    """Create an empty temporary routine with the arguments, and read them; raises StatementFailed.

    The types are looked up on the search path of the connection, which is empty afterwards.
    """
    bare = ", ".join(without_defaults(listed))
    _create(connection, _attempts("PROCEDURE" if procedure else "FUNCTION", bare))
    run_sql(connection, "SET search_path TO ''")
    found = rows(connection, _FOUND)[0]
    run_sql(connection, f"DROP ROUTINE {found['probe']}")
    has_defaults = bare != ", ".join(split_commas(listed))
    return Signature(found["identity"], None if has_defaults else found["arguments"])


def _attempts(kind: str, arguments: str) -> Iterator[str]:
    for body, result in product(_BODIES, _RESULTS if kind == "FUNCTION" else ("",)):
        yield f"CREATE {kind} pg_temp.{PROBE}({arguments}) {result} {body}"


def _create(connection: Connection, attempts: Iterator[str]) -> None:
    """Run the first statement that PostgreSQL accepts; raises the first error otherwise."""
    refused: StatementFailed | None = None
    for statement in attempts:
        try:
            run_statement(connection, statement)
        except StatementFailed as e:
            refused = refused or e
            if e.sqlstate not in _UNFIT:
                break
        else:
            return
    assert refused is not None
    raise refused


def without_defaults(arguments: str) -> list[str]:
    """List the arguments of a routine without their defaults."""
    return [_DEFAULT.sub(r"\1", a) for a in split_commas(arguments)]
