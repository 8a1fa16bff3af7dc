"""Publications: https://www.postgresql.org/docs/current/sql-createpublication.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref, split_name
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, raw, text

Operation = Literal["insert", "update", "delete", "truncate"]
EVERYTHING: tuple[Operation, ...] = ("insert", "update", "delete", "truncate")


class Member(BaseModel):
    """A table of a publication."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[str, ...] = Field(
        default=(), description="those that are published; none: all (PostgreSQL 15)"
    )
    where: str | None = Field(default=None, description="which rows are published (PostgreSQL 15)")

    def clause(self, table: str) -> sql.Composable:
        """The table as ADD TABLE takes it; what inherits from it is a member of its own."""
        columns = compose(" ({})", joined(self.columns)) if self.columns else raw("")
        where = compose(" WHERE ({})", raw(self.where)) if self.where is not None else raw("")
        return compose("TABLE ONLY {}{}{}", raw(table), columns, where)


class Publication(Owned):
    """What logical replication may send to subscribers; `tables` may be a list of names."""

    kind: ClassVar[str] = "publication"
    section: ClassVar[str] = "publications"
    oid_column: ClassVar[str] = "pg_publication.oid"
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("tables",)
    first_version: ClassVar[Mapping[str, int]] = {"schemas": 15, "publish_generated_columns": 18}

    all_tables: bool = Field(default=False, description="FOR ALL TABLES, those of the future too")
    tables: dict[str, Member] = Field(
        default_factory=dict,
        description="perhaps with columns and where; what inherits is not implied",
    )
    schemas: tuple[str, ...] = Field(
        default=(), description="schemas all of whose tables are published (PostgreSQL 15)"
    )
    publish: tuple[Operation, ...] = Field(default=EVERYTHING, description="which changes")
    publish_via_partition_root: bool = Field(
        default=False, description="changes of a partition come as its root's"
    )
    publish_generated_columns: Literal["none", "stored"] = Field(
        default="none", description="PostgreSQL 18"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        where, columns = "NULL", "'[]'::jsonb"
        if server.has_publication_details:
            where = "pg_get_expr(r.prqual, r.prrelid)"
            columns = """(SELECT coalesce(jsonb_agg(a.attname ORDER BY a.attname), '[]')
                          FROM unnest(r.prattrs) AS k
                          JOIN pg_attribute AS a ON a.attrelid = r.prrelid AND a.attnum = k)"""
        schemas, parts = "'{}'::text[]", ""
        if server.has_publication_details:
            of = "FROM pg_publication_namespace AS x JOIN pg_namespace AS n ON n.oid = x.pnnspid WHERE x.pnpubid = p.oid"
            schemas = f"ARRAY(SELECT n.nspname {of} ORDER BY n.nspname)"
            parts = f" || ARRAY(SELECT {address('pg_publication_namespace', 'x.oid')} {of})"
        generated = (
            "CASE p.pubgencols WHEN 's' THEN 'stored' ELSE 'none' END"
            if server.has_published_generated_columns
            else "'none'"
        )
        tables = "FROM pg_publication_rel AS r JOIN pg_class AS c ON c.oid = r.prrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        return f"""
            SELECT p.pubname AS name, pg_get_userbyid(p.pubowner)::text AS owner,
                   ARRAY[{address("pg_publication", "p.oid")}]
                       || ARRAY(SELECT {address("pg_publication_rel", "r.oid")} {tables}
                                WHERE r.prpubid = p.oid){parts} AS addresses,
                   p.puballtables AS all_tables, {schemas} AS schemas,
                   (SELECT coalesce(jsonb_object_agg(format('%I.%I', n.nspname, c.relname),
                                                     jsonb_build_object('columns', {columns},
                                                                        'where', {where})), '{{}}')
                    {tables} WHERE r.prpubid = p.oid) AS tables,
                   array_remove(ARRAY[CASE WHEN p.pubinsert THEN 'insert' END,
                                      CASE WHEN p.pubupdate THEN 'update' END,
                                      CASE WHEN p.pubdelete THEN 'delete' END,
                                      CASE WHEN p.pubtruncate THEN 'truncate' END], NULL)
                       AS publish,
                   p.pubviaroot AS publish_via_partition_root,
                   {generated} AS publish_generated_columns
            FROM pg_publication AS p
            WHERE {managed("pg_publication", "p.oid", "p.pubname")}
            ORDER BY p.pubname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        row["tables"] = {t: Member(**m) for t, m in sorted(row["tables"].items())}
        return cls(ref=ref, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        if not isinstance(body, dict):
            return key, body
        fields = dict(cast("dict[str, Any]", body))
        tables: object = fields.get("tables")
        if isinstance(tables, list | tuple):
            fields["tables"] = {t: dict[str, Any]() for t in cast("Iterable[str]", tables)}
        elif isinstance(tables, dict):
            fields["tables"] = {
                t: m or dict[str, Any]() for t, m in cast("Mapping[str, object]", tables).items()
            }
        return key, fields

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        plain = "tables" in body and not any(body["tables"].values())
        return body | {"tables": list(body["tables"])} if plain else body

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def needs(self) -> frozenset[Ref]:
        named = map(split_name, self.tables)
        return frozenset(
            {Ref("table", p[0], p[1]) for p in named if len(p) > 1}
            | {Ref("schema", "", s) for s in self.schemas}
        )

    def required_versions(self) -> Mapping[str, int]:
        return {
            **super().required_versions(),
            "tables": 15 if any(m != Member() for m in self.tables.values()) else 0,
        }

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        members = self._members(self.tables, self.schemas)
        for_what: sql.Composable = raw("")
        if self.all_tables:
            for_what = raw(" FOR ALL TABLES")
        elif members:
            for_what = compose(" FOR {}", joined(members))
        options = self._options(None, context)
        given = compose(" WITH ({})", joined(options)) if options else raw("")
        yield self._statement(
            compose("CREATE PUBLICATION {}{}{}", self.ref.name, for_what, given), self.tables
        )

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        return None if self.all_tables != old.all_tables else self._altered(old, context)

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _altered(self, old: Self, context: PlanningContext) -> Iterator[Statement]:
        gone = [t for t, m in old.tables.items() if self.tables.get(t) != m]
        new = {t: m for t, m in self.tables.items() if old.tables.get(t) != m}
        less = [s for s in old.schemas if s not in self.schemas]
        more = [s for s in self.schemas if s not in old.schemas]
        alter = compose("ALTER PUBLICATION {}", self.ref.name)
        if gone or less:
            members = [*(compose("TABLE ONLY {}", raw(t)) for t in gone), *self._members({}, less)]
            yield self._statement(compose("{} DROP {}", alter, joined(members)), gone)
        if options := self._options(old, context):
            yield self._statement(compose("{} SET ({})", alter, joined(options)), ())
        if new or more:
            yield self._statement(
                compose("{} ADD {}", alter, joined(self._members(new, more))), new
            )

    def _members(
        self, tables: Mapping[str, Member], schemas: Sequence[str]
    ) -> list[sql.Composable]:
        return [
            *(m.clause(t) for t, m in tables.items()),
            *(compose("TABLES IN SCHEMA {}", s) for s in schemas),
        ]

    def _options(self, old: Self | None, context: PlanningContext) -> list[sql.Composable]:
        words: list[sql.Composable] = []
        if set(self.publish) != set(old.publish if old else EVERYTHING):
            words.append(compose("publish = {}", literal(", ".join(self.publish))))
        if self.publish_via_partition_root != (old.publish_via_partition_root if old else False):
            words.append(
                raw(f"publish_via_partition_root = {str(self.publish_via_partition_root).lower()}")
            )
        if self.publish_generated_columns != (old.publish_generated_columns if old else "none"):
            words.append(raw(f"publish_generated_columns = {self.publish_generated_columns}"))
        return words

    def _statement(self, words: sql.Composable, tables: Iterable[str]) -> Statement:
        listed = ", ".join(tables)
        return Statement(
            sql=text(words), lock="SHARE UPDATE EXCLUSIVE" if listed else "", relation=listed
        )
