"""Views: https://www.postgresql.org/docs/current/sql-createview.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field, model_validator

from reconciler.model.access import DecidesAccess
from reconciler.model.catalog_sql import address, managed, object_grants, query_columns
from reconciler.model.clauses import EXPRESSION, Fragment, fragments_in
from reconciler.model.object import Object, PlanningContext
from reconciler.model.query_relation import COLUMN_DETAILS, HAS_DETAILS, QueryColumn, QueryRelation
from reconciler.model.ref import Ref
from reconciler.model.spelling import Name, Sql
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, raw, text

FLAGS = ("security_invoker", "security_barrier")
CHECKS = ("local", "cascaded")
ON = ("true", "on", "yes", "1", *CHECKS)
OPTIONS = (*FLAGS, "check_option")


# what a view does without the option
_WEAKER_WITHOUT = {
    "security_invoker": "reads with its owner's rights and so past row level security",
    "security_barrier": "lets functions of the one who asks see rows that its conditions hide",
    "check_option": "lets rows be written that it does not show",
}


class ViewColumn(QueryColumn):
    """Declared properties of a column of a view."""

    default: Sql | None = Field(
        default=None, description="SQL expression, used for rows inserted into the view"
    )


class View(DecidesAccess, QueryRelation):
    """A view, replaced in place unless PostgreSQL refuses."""

    kind: ClassVar[str] = "view"
    adjusted: ClassVar[frozenset[str]] = frozenset(
        {"columns", "recursive"}  # with the SQL of defaults; the query says WITH RECURSIVE
    )
    section: ClassVar[str] = "views"
    oid_column: ClassVar[str] = "pg_class.oid"
    own_rows: ClassVar[str] = "relkind = 'v'"
    access_fields: ClassVar[frozenset[str]] = frozenset(FLAGS)
    omitted_is_default: ClassVar[bool] = False
    first_version: ClassVar[Mapping[str, int]] = {"security_invoker": 15}
    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **QueryRelation.only_with,
        "recursive": ("column_names",),
    }

    security_invoker: bool | str | None = Field(
        default=None,
        description="checks the privileges of the querying role, not the owner (PostgreSQL 15)",
    )
    security_barrier: bool | str | None = Field(
        default=None,
        description="conditions of the view are evaluated before functions of the query",
    )
    check_option: Literal["local", "cascaded"] | None = Field(
        default=None,
        description="rows written through the view must be visible (WITH CHECK OPTION)",
    )
    recursive: bool = Field(
        default=False,
        description="the query may name the view itself (CREATE RECURSIVE VIEW), with column_names",
    )
    columns: dict[Name, ViewColumn] = Field(
        default_factory=dict, description="columns with a default, a comment or grants"
    )

    @model_validator(mode="after")
    def _recursive_with_names(self) -> Self:
        if self.recursive and not self.column_names:
            raise ValueError("recursive: column_names lists the columns of such a view")
        return self

    @property
    def described_columns(self) -> Mapping[str, ViewColumn]:
        return self.columns

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        for column in self.columns.values():
            yield from fragments_in("columns", EXPRESSION, column.default)

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, c.relname AS name,
                   pg_get_userbyid(c.relowner)::text AS owner,
                   ARRAY[{address("pg_class", "c.oid")}, {address("pg_rewrite", "r.oid")},
                         {address("pg_type", "c.reltype")},
                         {address("pg_type", "t.typarray")}]
                       || ARRAY(SELECT {address("pg_attrdef", "d.oid")} FROM pg_attrdef AS d
                                WHERE d.adrelid = c.oid) AS addresses,
                   btrim(pg_get_viewdef(c.oid), ' ;') AS query, c.reloptions AS options,
                   {query_columns("c.oid")} AS shape,
                   (SELECT json_object_agg(a.attname, json_build_object(
                               'default', pg_get_expr(d.adbin, d.adrelid), {COLUMN_DETAILS})
                               ORDER BY a.attnum)
                    FROM pg_attribute AS a
                    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                    WHERE a.attrelid = c.oid AND a.attnum > 0
                          AND (d.oid IS NOT NULL OR {HAS_DETAILS})) AS columns,
                   {object_grants("c.relacl", "r", "c.relowner")} AS grants
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
            JOIN pg_type AS t ON t.oid = c.reltype
            WHERE c.relkind = 'v' AND {managed("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        options = dict(o.split("=", 1) for o in row.pop("options") or ())
        flags = {
            f: {"true": True, "false": False}.get(options[f], options[f])
            for f in FLAGS
            if f in options
        }
        row["columns"] = row["columns"] or {}
        return cls(ref=ref, check_option=options.get("check_option"), **flags, **row)

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        """Keep a live `on` for a declared true: PostgreSQL stores booleans as they were written."""
        full = super().over(live, with_defaults=with_defaults)
        if live is None or with_defaults:
            return full
        kept: dict[str, object] = {
            f: getattr(live, f) for f in FLAGS if _equivalent(getattr(full, f), getattr(live, f))
        }
        return full.model_copy(update=kept)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._statement("CREATE RECURSIVE VIEW" if self.recursive else "CREATE VIEW", context)
        yield from self._alter_columns({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.shape[: len(old.shape)] != old.shape:
            return None
        return [*self._alter_view(old, context), *self._alter_columns(old.columns)]

    def _alter_view(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Replace the query, or set only the options.

        CREATE OR REPLACE VIEW sets all options: options that are left out would be lost.
        """
        hazards = tuple(self._hazards(old))
        if (self.query, self.shape) != (old.query, old.shape):
            yield self._statement("CREATE OR REPLACE VIEW", context, hazards)
            return
        removed = [o for o in OPTIONS if getattr(old, o) is not None and getattr(self, o) is None]
        changed = [o for o in OPTIONS if getattr(self, o) not in (None, getattr(old, o))]
        if removed:
            yield self._alter(compose("RESET ({})", joined(removed)), hazards)
            hazards = ()
        if changed:
            yield self._alter(compose("SET ({})", self._options(changed)), hazards)

    def _hazards(self, old: Self) -> Iterable[Hazard]:
        for option, effect in _WEAKER_WITHOUT.items():
            if _on(getattr(old, option)) and not _on(getattr(self, option)):
                reason = f"{self.ref} {effect}"
                yield Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=reason)

    def _alter_columns(self, before: dict[str, ViewColumn]) -> Iterable[Statement]:
        """Set defaults and comments of columns."""
        for column in {**before, **self.columns}:
            default = self.columns.get(column, ViewColumn()).default
            if default != before.get(column, ViewColumn()).default:
                action = raw("DROP DEFAULT")
                if default is not None:
                    action = compose("SET DEFAULT {}", raw(default))
                yield self._alter(compose("ALTER COLUMN {} {}", column, action))
        yield from self.column_comments(before)

    def _alter(self, action: sql.Composable, hazards: tuple[Hazard, ...] = ()) -> Statement:
        command = text(compose("ALTER VIEW {} {}", self.sql_name(), action))
        return Statement(
            sql=command, lock="ACCESS EXCLUSIVE", relation=self.ref.identity, hazards=hazards
        )

    def _options(self, names: Iterable[str]) -> sql.Composable:
        return joined(compose("{} = {}", o, _value(getattr(self, o))) for o in names)

    def _statement(
        self, verb: str, context: PlanningContext, hazards: tuple[Hazard, ...] = ()
    ) -> Statement:
        declared = [o for o in OPTIONS if getattr(self, o) is not None]
        options = compose(" WITH ({})", self._options(declared)) if declared else raw("")
        query, columns = raw(self.select), self.column_list()
        command = compose("{} {}{}{} AS\n{}", raw(verb), self.sql_name(), columns, options, query)
        return Statement(
            sql=text(command), lock="ACCESS EXCLUSIVE", relation=self.ref.identity, hazards=hazards
        )


def _on(option: bool | str | None) -> bool:
    return str(option).lower() in ON


def _equivalent(declared: bool | str | None, live: bool | str | None) -> bool:
    return isinstance(declared, bool) and live is not None and declared == _on(live)


def _value(option: bool | str) -> sql.Composable:
    if isinstance(option, bool):
        return raw(str(option).lower())
    return raw(option) if option in CHECKS else literal(option)
