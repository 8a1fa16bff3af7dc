"""Ask PostgreSQL for the catalog's spelling of the types in declared names."""

from __future__ import annotations

from collections.abc import Set

from reconciler.canonicalise.build import sql_rule
from reconciler.errors import DeclarationError, Problem, StatementFailed
from reconciler.model.declared import NamedByTypes
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration
from reconciler.server.connection import Connection, run_sql
from reconciler.sql import compose, literal, text

NO_TYPE = frozenset({"42704", "3F000"})  # undefined_object, invalid_schema_name
NO_COLUMN = frozenset({"42P01", "42703"})  # undefined_table, undefined_column: `t.c%TYPE`


def identified(
    connection: Connection, declaration: Declaration, known: Set[Ref]
) -> dict[Ref, NamedByTypes]:
    """Return the declared objects named by types as PostgreSQL spells them, except the `known`.

    An object is left out whose types do not exist: then it does not exist either. Raises
    DeclarationError for any other name that PostgreSQL refuses.
    """
    found, problems = dict[Ref, NamedByTypes](), list[Problem]()
    for ref, obj in {**declaration.absent, **declaration.objects}.items():
        if not isinstance(obj, NamedByTypes) or ref in known:
            continue
        path = declaration.search_path.get(ref, "")
        run_sql(connection, text(compose("SET search_path TO {}", literal(path))))
        try:
            found[ref] = obj.identify(connection)
        except StatementFailed as e:
            may_be_new = ref in declaration.objects and e.sqlstate in NO_COLUMN
            if not may_be_new and e.sqlstate not in NO_TYPE:
                at = declaration.position(ref)
                problems.append(Problem(f"{ref}: {e.message}", at, e.hint, sql_rule(e)))
    if problems:
        raise DeclarationError(problems)
    return found
