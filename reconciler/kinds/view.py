"""Views: https://www.postgresql.org/docs/current/sql-createview.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed, object_grants, query_columns
from reconciler.model.object import Object, PlanningContext
from reconciler.model.query_relation import COLUMN_DETAILS, HAS_DETAILS, QueryColumn, QueryRelation
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, raw, text

FLAGS = ("security_invoker", "security_barrier")
CHECKS = ("local", "cascaded")
ON = ("true", "on", "yes", "1", *CHECKS)
OPTIONS = (*FLAGS, "check_option")


class ViewColumn(QueryColumn):
    """What a view's column has beside what the query gives it."""

    default: str | None = Field(
        default=None, description="SQL expression for rows that are inserted into the view"
    )


class View(QueryRelation):
    """A view; replaced in place where the server allows it."""

    kind: ClassVar[str] = "view"
    section: ClassVar[str] = "views"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False
    first_version: ClassVar[Mapping[str, int]] = {"security_invoker": 15}

    security_invoker: bool | str | None = Field(
        default=None, description="reads with the rights of the one who asks (PostgreSQL 15)"
    )
    security_barrier: bool | str | None = Field(
        default=None, description="its conditions run before any function of the one who asks"
    )
    check_option: Literal["local", "cascaded"] | None = Field(
        default=None, description="rows written must be visible"
    )
    columns: dict[str, ViewColumn] = Field(
        default_factory=dict, description="columns with a default, a comment or grants"
    )

    @property
    def described_columns(self) -> Mapping[str, ViewColumn]:
        return self.columns

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
                   (SELECT json_object_agg(a.attname,
                                           json_build_object('default',
                                                             pg_get_expr(d.adbin, d.adrelid),
                                                             {COLUMN_DETAILS})
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

    def over(self, live: Self | None, *, complete: bool = False) -> Self:
        """PostgreSQL keeps `on` and `true` as they were written; a declared boolean is content with either."""
        full = super().over(live, complete=complete)
        if live is None or complete:
            return full
        kept: dict[str, object] = {
            f: getattr(live, f) for f in FLAGS if _alike(getattr(full, f), getattr(live, f))
        }
        return full.model_copy(update=kept)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._statement("CREATE VIEW", context)
        yield from self._dress({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.shape[: len(old.shape)] != old.shape:
            return None
        return [*self._change(old, context), *self._dress(old.columns)]

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _change(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Replace the query, with all options beside it, for those left out would be lost; or set just the options."""
        hazards = tuple(self._weaker(old))
        if (self.query, self.shape) != (old.query, old.shape):
            yield self._statement("CREATE OR REPLACE VIEW", context, hazards)
            return
        gone = [o for o in OPTIONS if getattr(old, o) is not None and getattr(self, o) is None]
        new = [o for o in OPTIONS if getattr(self, o) not in (None, getattr(old, o))]
        if gone:
            yield self._alter(compose("RESET ({})", joined(gone)), hazards)
        if new:
            yield self._alter(compose("SET ({})", self._options(new)), () if gone else hazards)

    def _weaker(self, old: Self) -> Iterable[Hazard]:
        for option, what in (
            ("security_invoker", "reads with its owner's rights and so past row level security"),
            (
                "security_barrier",
                "lets functions of the one who asks see rows that its conditions hide",
            ),
            ("check_option", "lets rows be written that it does not show"),
        ):
            if _on(getattr(old, option)) and not _on(getattr(self, option)):
                yield Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=f"{self.ref} {what}")

    def _dress(self, before: dict[str, ViewColumn]) -> Iterable[Statement]:
        """Defaults and comments of the columns."""
        for column in {**before, **self.columns}:
            was, wanted = before.get(column, ViewColumn()), self.columns.get(column, ViewColumn())
            if wanted.default != was.default:
                new = (
                    raw("DROP DEFAULT")
                    if wanted.default is None
                    else compose("SET DEFAULT {}", raw(wanted.default))
                )
                yield self._alter(compose("ALTER COLUMN {} {}", column, new))
        yield from self.column_comments(before)

    def _alter(self, action: sql.Composable, hazards: tuple[Hazard, ...] = ()) -> Statement:
        words = text(compose("ALTER VIEW {} {}", self.sql_name(), action))
        return Statement(
            sql=words, lock="ACCESS EXCLUSIVE", relation=self.ref.identity, hazards=hazards
        )

    def _options(self, chosen: Iterable[str]) -> sql.Composable:
        return joined(compose("{} = {}", o, _value(getattr(self, o))) for o in chosen)

    def _statement(
        self, verb: str, context: PlanningContext, hazards: tuple[Hazard, ...] = ()
    ) -> Statement:
        given = [o for o in OPTIONS if getattr(self, o) is not None]
        options = compose(" WITH ({})", self._options(given)) if given else raw("")
        query = raw(self.query.strip().rstrip(";"))
        words = compose("{} {}{} AS\n{}", raw(verb), self.sql_name(), options, query)
        return Statement(
            sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.ref.identity, hazards=hazards
        )


def _on(option: bool | str | None) -> bool:
    return str(option).lower() in ON


def _alike(wanted: bool | str | None, live: bool | str | None) -> bool:
    return isinstance(wanted, bool) and live is not None and wanted == _on(live)


def _value(option: bool | str) -> sql.Composable:
    return (
        raw(str(option).lower())
        if isinstance(option, bool)
        else literal(option)
        if option not in CHECKS
        else raw(option)
    )
