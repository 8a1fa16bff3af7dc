"""Qualify declared SQL outside the catalogs, and resolve `depends_on`."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches

from psycopg import sql

from reconciler.canonicalise.build import sql_rule
from reconciler.canonicalise.overlay import Desired
from reconciler.errors import DeclarationError, Problem, StatementFailed
from reconciler.introspect.introspect import Snapshot
from reconciler.model.declared import (
    RowExpressions,
    conversions,
    declared_arguments,
    expressions,
    with_expression,
)
from reconciler.model.object import Object
from reconciler.model.partitioned import reference_errors
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.connection import Connection, Row, rows, run_sql
from reconciler.sql import compose, joined, literal, name, raw, text

VIEW_NEEDS = """
    SELECT d.refclassid::int8, d.refobjid::int8, d.refobjsubid::int8
    FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.deptype = 'n'
          AND r.ev_class = 'pg_temp.reconcile_probe'::regclass"""
# The parse tree, before constants are folded, tells a literal from SQL that would have to run. A
# literal without a type is text there (25); strings are assigned as they are, so that none is cut.
VIEW_QUERY = """
    SELECT pg_get_viewdef(r.ev_class) AS query,
           r.ev_action::text ~ ':expr {CONST [^{}]*:constisnull false' AS constant,
           r.ev_action::text ~ ':expr {CONST :consttype 25 ' AND t.typcategory <> 'S' AS untyped,
           v.atttypid = t.oid AS has_type, format('%%I.%%I', n.nspname, t.typname) AS type
    FROM pg_rewrite AS r JOIN pg_attribute AS v ON v.attrelid = r.ev_class AND v.attnum = 1,
         pg_attribute AS c JOIN pg_type AS t ON t.oid = c.atttypid
         JOIN pg_namespace AS n ON n.oid = t.typnamespace
    WHERE r.ev_class = 'pg_temp.reconcile_probe'::regclass
          AND c.attrelid = %s::regclass AND c.attname = %s"""
# A rule is parsed, and not run: it refuses what cannot be assigned to the column.
_ASSIGNMENT = """
    CREATE RULE reconcile_probe AS ON DELETE TO pg_temp.reconcile_assigned
    DO INSTEAD INSERT INTO pg_temp.reconcile_assigned SELECT ({}) FROM {}"""
_NO_SUCH_OBJECT = "name its kind and its name: `function f(integer)`, `table public.t`"


def resolve_declared(
    connection: Connection,
    built: Snapshot,
    live: State,
    desired: Desired,
    declaration: Declaration,
) -> tuple[State, dict[Ref, Object]]:
    """Return the built state with qualified expressions and edges, and the declared objects.

    `built` is the desired state, `live` the live state on the same server. Raises
    DeclarationError for expressions that PostgreSQL refuses and references to objects that do not
    exist.
    """
    resolver = _Resolver(connection, built, live, declaration)
    for ref, origin in desired.source.items():
        if ref in built.state:
            resolver.add(ref, origin)
    if resolver.problems:
        raise DeclarationError(resolver.problems)
    state = replace(built.state, objects=resolver.objects, edges=resolver.edges)
    return state, resolver.declared


class _Resolver:
    """Collect the objects, edges and problems of a declaration."""

    def __init__(
        self, connection: Connection, built: Snapshot, live: State, declaration: Declaration
    ) -> None:
        self.connection, self.built, self.declaration = connection, built, declaration
        self.live = live
        self.objects, self.edges = dict(built.state.objects), dict(built.state.edges)
        self.declared: dict[Ref, Object] = {}
        self.problems: list[Problem] = []

    def add(self, ref: Ref, origin: Ref) -> None:
        """Resolve an object; `origin` is the ref in the files."""
        obj = self.declaration.objects[origin]
        obj = obj if obj.ref == ref else obj.model_copy(update={"ref": ref})
        for field, message in reference_errors(obj, self.built.context):
            self._report(ref, origin, field, Problem(message, rule="object-not-found"))
        if obj.depends_on:
            self._add_needs(ref, self._named_in_depends_on(obj, origin))
        for field, expression in expressions(obj).items():
            obj = self._qualify(obj, origin, field, expression, self._row(obj))
        for field, expression in conversions(obj).items() if self._changes_type(ref) else ():
            obj = self._qualify(obj, origin, field, expression, self._row_before(obj))
        self.declared[ref] = obj

    def _changes_type(self, ref: Ref) -> bool:
        """Tell whether a live column gets another type, for which alone USING is meant."""
        found = (s.get(ref) for s in (self.live.objects, self.objects))
        before, after = (o.value_type if isinstance(o, RowExpressions) else None for o in found)
        return before is not None and before != after

    def _row(self, obj: Object) -> sql.Composable:
        """Return the table of an object, for FROM."""
        assert obj.ref.on is not None
        return name(obj.ref.on.schema, obj.ref.on.name)

    def _row_before(self, obj: Object) -> sql.Composable:
        """Return a row of the table with the types before the change, for FROM."""
        table = obj.ref.on
        assert table is not None
        columns = [
            compose("NULL::{} AS {}", raw(o.value_type), o.ref.name)
            for o in self.live.objects_on(table)
            if isinstance(o, RowExpressions) and o.value_type
        ]
        return compose("(SELECT {}) AS {}", joined(columns), table.name)

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
            for title in _names_in_depends_on(other, ref, path)
        }
        for title in obj.depends_on:
            if title not in known:
                nearest = get_close_matches(title, known, 1)
                hint = f"did you mean '{nearest[0]}'?" if nearest else _NO_SUCH_OBJECT
                problem = Problem(f"there is no {title}", None, hint, "object-not-found")
                self._report(obj.ref, origin, "depends_on", problem)
        return frozenset(known[title] for title in obj.depends_on if title in known)

    def _qualify(
        self, obj: Object, origin: Ref, field: str, expression: str, row: sql.Composable
    ) -> Object:
        """Replace an expression of the object over a row by PostgreSQL's spelling."""
        ref = obj.ref
        try:
            with self.connection.transaction():
                path = self._search_path(origin)
                printed, needs, constant = self._print(ref, row, expression, path)
        except StatementFailed as e:
            self._report(ref, origin, field, Problem(e.message, None, e.hint, sql_rule(e)))
            return obj
        if field in expressions(self.objects[ref]):
            self.objects[ref] = with_expression(
                self.objects[ref], field, printed, constant=constant
            )
        self._add_needs(ref, needs - {ref})
        return with_expression(obj, field, printed, constant=constant)

    def _print(
        self, ref: Ref, row: sql.Composable, expression: str, path: str
    ) -> tuple[str, frozenset[Ref], bool]:
        """Let PostgreSQL print an expression over a row, list its needs, and tell a constant.

        A literal takes the type of the column `ref`, as one that is assigned to it does.
        """
        view, needs = self._view(ref, row, expression, path)
        if not view["has_type"]:
            self._require_assignable(ref, row, expression, path)
        if view["untyped"]:
            view, needs = self._view(ref, row, f"CAST(({expression}) AS {view['type']})", path)
        query = view["query"]
        match = re.fullmatch(r'\s*SELECT (.*) AS "reconcile value"\s+FROM .*?;?\s*', query, re.S)
        if match is None:
            raise StatementFailed(
                f"PostgreSQL prints this expression in a form that we do not know: {query}"
            )
        addresses = ((n["refclassid"], n["refobjid"], n["refobjsubid"]) for n in needs)
        refs = (self.built.addresses.get(a) for a in addresses)
        return match[1], frozenset(r for r in refs if r), view["constant"]

    def _view(
        self, ref: Ref, row: sql.Composable, expression: str, path: str
    ) -> tuple[Row, list[Row]]:
        """Return what a temporary view of an expression shows of it, and what the view needs."""
        create = compose(
            'CREATE TEMP VIEW reconcile_probe AS SELECT ({}) AS "reconcile value" FROM {}',
            raw(expression),
            row,
        )
        self._run_with_path(text(create), path)
        assert ref.on is not None
        table = text(name(ref.on.schema, ref.on.name))
        view = rows(self.connection, VIEW_QUERY, [table, ref.name])[0]
        needs = rows(self.connection, VIEW_NEEDS)
        run_sql(self.connection, "DROP VIEW pg_temp.reconcile_probe")
        return view, needs

    def _require_assignable(
        self, ref: Ref, row: sql.Composable, expression: str, path: str
    ) -> None:
        """Raise StatementFailed unless an expression over the row can be assigned to a column."""
        assert ref.on is not None
        create = "CREATE TEMP TABLE reconcile_assigned AS SELECT {} FROM {} WITH NO DATA"
        table = name(ref.on.schema, ref.on.name)
        run_sql(self.connection, text(compose(create, ref.name, table)))
        self._run_with_path(text(compose(_ASSIGNMENT, raw(expression), row)), path)
        run_sql(self.connection, "DROP TABLE pg_temp.reconcile_assigned")

    def _run_with_path(self, statement: str, path: str) -> None:
        run_sql(self.connection, text(compose("SET LOCAL search_path TO {}", literal(path))))
        run_sql(self.connection, statement)
        run_sql(self.connection, "SET LOCAL search_path TO ''")


def _names_in_depends_on(obj: Object, ref: Ref, schema: str) -> list[str]:
    """List the names of an object for `depends_on` in a file with schema `schema`."""
    kind = ref.kind.replace("_", " ")
    names = [f"{kind} {ref.identity}"]
    declared = declared_arguments(obj)
    if declared is not None:
        names.append(f"{ref.kind} {ref._replace(arguments=declared).identity}")
    without_schema = [n.replace(f"{schema}.", "") for n in names if ref.schema == schema]
    return [*names, *without_schema]
