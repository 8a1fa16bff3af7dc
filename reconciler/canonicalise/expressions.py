"""Qualify declared SQL outside the catalogs, and resolve `depends_on`."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches

from reconciler.canonicalise.build import sql_rule
from reconciler.canonicalise.overlay import Desired
from reconciler.diff.renames import names_in_depends_on
from reconciler.errors import DeclarationError, Problem, StatementFailed
from reconciler.introspect.introspect import Snapshot
from reconciler.model.declared import expressions, with_expression
from reconciler.model.object import Object
from reconciler.model.partitioned import reference_errors
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import compose, literal, name, raw, text

VIEW_NEEDS = """
    SELECT d.refclassid::int8, d.refobjid::int8, d.refobjsubid::int8
    FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.deptype = 'n'
          AND r.ev_class = 'pg_temp.reconcile_probe'::regclass"""
VIEW_QUERY = "SELECT pg_get_viewdef('pg_temp.reconcile_probe'::regclass) AS query"
_NO_SUCH_OBJECT = "name its kind and its name: `function f(integer)`, `table public.t`"


def resolve_declared(
    connection: Connection, built: Snapshot, desired: Desired, declaration: Declaration
) -> tuple[State, dict[Ref, Object]]:
    """Return the built state with qualified expressions and edges, and the declared objects.

    Raises DeclarationError for expressions that PostgreSQL refuses and references to objects that
    do not exist.
    """
    resolver = _Resolver(connection, built, declaration)
    for ref, origin in desired.source.items():
        if ref in built.state:
            resolver.add(ref, origin)
    if resolver.problems:
        raise DeclarationError(resolver.problems)
    state = replace(built.state, objects=resolver.objects, edges=resolver.edges)
    return state, resolver.declared


class _Resolver:
    """Collect the objects, edges and problems of a declaration."""

    def __init__(self, connection: Connection, built: Snapshot, declaration: Declaration) -> None:
        self.connection, self.built, self.declaration = connection, built, declaration
        self.objects, self.edges = dict(built.state.objects), dict(built.state.edges)
        self.declared: dict[Ref, Object] = {}
        self.problems: list[Problem] = []

    def add(self, ref: Ref, origin: Ref) -> None:
        """Resolve an object; `origin` is the ref in the files."""
        obj = self.declaration.objects[origin].model_copy(update={"ref": ref})
        for field, message in reference_errors(obj, self.built.context):
            self._report(ref, origin, field, Problem(message, rule="object-not-found"))
        if obj.depends_on:
            self._add_needs(ref, self._named_in_depends_on(obj, origin))
        for field, expression in expressions(obj).items():
            obj = self._qualify(obj, origin, field, expression)
        self.declared[ref] = obj

    def _report(self, ref: Ref, origin: Ref, field: str, problem: Problem) -> None:
        message = f"{ref}: {field}: {problem.message}"
        position = self.declaration.position(origin, field)
        self.problems.append(replace(problem, message=message, position=position))

    def _add_needs(self, ref: Ref, needs: frozenset[Ref]) -> None:
        self.edges[ref] = self.edges.get(ref, frozenset()) | needs

    def _search_path(self, origin: Ref) -> str:
        return self.declaration.search_path.get(origin, "")

    def _named_in_depends_on(self, obj: Object, origin: Ref) -> frozenset[Ref]:
        path = self._search_path(origin)
        known = {
            title: ref
            for ref, other in self.built.state.objects.items()
            for title in names_in_depends_on(other, ref, path)
        }
        for title in obj.depends_on:
            if title not in known:
                nearest = get_close_matches(title, known, 1)
                hint = f"did you mean '{nearest[0]}'?" if nearest else _NO_SUCH_OBJECT
                problem = Problem(f"there is no {title}", None, hint, "object-not-found")
                self._report(obj.ref, origin, "depends_on", problem)
        return frozenset(known[title] for title in obj.depends_on if title in known)

    def _qualify(self, obj: Object, origin: Ref, field: str, expression: str) -> Object:
        """Replace an expression of the object by PostgreSQL's spelling."""
        ref = obj.ref
        assert ref.on is not None
        try:
            with self.connection.transaction():
                printed, needs = self._print(ref.on, expression, self._search_path(origin))
        except StatementFailed as e:
            self._report(ref, origin, field, Problem(e.message, None, e.hint, sql_rule(e)))
            return obj
        if field in expressions(self.objects[ref]):
            self.objects[ref] = with_expression(self.objects[ref], field, printed)
        self._add_needs(ref, needs - {ref})
        return with_expression(obj, field, printed)

    def _print(self, table: Ref, expression: str, path: str) -> tuple[str, frozenset[Ref]]:
        """Let PostgreSQL print an expression over a table's row, and list the needs of the SQL.

        A temporary view of the expression has both.
        """
        create = compose(
            'CREATE TEMP VIEW reconcile_probe AS SELECT ({}) AS "reconcile value" FROM {}',
            raw(expression),
            name(table.schema, table.name),
        )
        run_sql(self.connection, text(compose("SET LOCAL search_path TO {}", literal(path))))
        run_sql(self.connection, text(create))
        run_sql(self.connection, "SET LOCAL search_path TO ''")
        query = rows(self.connection, VIEW_QUERY)[0]["query"]
        needs = rows(self.connection, VIEW_NEEDS)
        run_sql(self.connection, "DROP VIEW pg_temp.reconcile_probe")
        match = re.fullmatch(r'\s*SELECT (.*) AS "reconcile value"\s+FROM .*?;?\s*', query, re.S)
        if match is None:
            raise StatementFailed(
                f"PostgreSQL prints this expression in a form that we do not know: {query}"
            )
        addresses = ((n["refclassid"], n["refobjid"], n["refobjsubid"]) for n in needs)
        refs = (self.built.addresses.get(a) for a in addresses)
        return match[1], frozenset(r for r in refs if r)
