"""Publications: https://www.postgresql.org/docs/current/sql-createpublication.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.clauses import EXPRESSION, NAME, Fragment, fragments_in
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref, split_name
from reconciler.model.spelling import Name, QualifiedName, Sql
from reconciler.model.statement import Hazard, HazardKind, Lock, Statement
from reconciler.model.successor import FollowsName
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, raw, text

Operation = Literal["insert", "update", "delete", "truncate"]
ALL_OPERATIONS: tuple[Operation, ...] = ("insert", "update", "delete", "truncate")


class Member(BaseModel):
    """A published table."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    main_key: ClassVar[str] = "columns"
    listable: ClassVar[bool] = True  # a list of tables may stand for a mapping

    columns: tuple[Name, ...] = Field(
        default=(), description="the published columns; none: all (PostgreSQL 15)"
    )
    where: Sql | None = Field(
        default=None, description="condition on published rows (PostgreSQL 15)"
    )

    def clause(self, table: str) -> sql.Composable:
        """Return the table for ADD TABLE; child tables are published by entries of their own."""
        columns = compose(" ({})", joined(self.columns)) if self.columns else raw("")
        where = compose(" WHERE ({})", raw(self.where)) if self.where is not None else raw("")
        return compose("TABLE ONLY {}{}{}", raw(table), columns, where)


class Publication(FollowsName, Owned):
    """A publication for logical replication; `tables` may be a list of names."""

    kind: ClassVar[str] = "publication"
    main_key: ClassVar[str] = "tables"
    other_keys: ClassVar[Mapping[str, str]] = {
        "for_all_tables": "all_tables",
        "tables_in_schema": "schemas",
    }
    section: ClassVar[str] = "publications"
    oid_column: ClassVar[str] = "pg_publication.oid"
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("tables",)
    first_version: ClassVar[Mapping[str, int]] = {"schemas": 15, "publish_generated_columns": 18}

    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        ("tables", "schemas"), ("all_tables",)
    )

    all_tables: bool = Field(default=False, description="FOR ALL TABLES: tables created later too")
    tables: dict[QualifiedName, Member] = Field(
        default_factory=dict,
        description="schema.table → columns and where; child tables are not implied",
    )
    schemas: tuple[Name, ...] = Field(
        default=(), description="schemas with all tables published (PostgreSQL 15)"
    )
    publish: tuple[Operation, ...] = Field(
        default=ALL_OPERATIONS, description="the published operations"
    )
    publish_via_partition_root: bool = Field(
        default=False, description="publish changes of a partition as changes of the root table"
    )
    publish_generated_columns: Literal["none", "stored"] = Field(
        default="none", description="whether stored generated columns are published (PostgreSQL 18)"
    )

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        for table, member in self.tables.items():
            yield Fragment("tables", NAME, table)
            yield from fragments_in("tables", EXPRESSION, member.where)

    @classmethod
    def catalog(cls, server: Server) -> str:
        where, columns = "NULL", "'[]'::jsonb"
        schemas, schema_addresses = "'{}'::text[]", ""
        if server.has_publication_details:
            where = "pg_get_expr(r.prqual, r.prrelid)"
            columns = """(
                SELECT coalesce(jsonb_agg(a.attname ORDER BY a.attname), '[]')
                FROM unnest(r.prattrs) AS k
                JOIN pg_attribute AS a ON a.attrelid = r.prrelid AND a.attnum = k)"""
            from_schemas = """
                FROM pg_publication_namespace AS x JOIN pg_namespace AS n ON n.oid = x.pnnspid
                WHERE x.pnpubid = p.oid"""
            schemas = f"ARRAY(SELECT n.nspname {from_schemas} ORDER BY n.nspname)"
            address_ = address("pg_publication_namespace", "x.oid")
            schema_addresses = f" || ARRAY(SELECT {address_} {from_schemas})"
        generated = (
            "CASE p.pubgencols WHEN 's' THEN 'stored' ELSE 'none' END"
            if server.has_published_generated_columns
            else "'none'"
        )
        tables = """
            FROM pg_publication_rel AS r
            JOIN pg_class AS c ON c.oid = r.prrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace"""
        return f"""
            SELECT p.pubname AS name, pg_get_userbyid(p.pubowner)::text AS owner,
                   ARRAY[{address("pg_publication", "p.oid")}]
                       || ARRAY(SELECT {address("pg_publication_rel", "r.oid")} {tables}
                                WHERE r.prpubid = p.oid){schema_addresses} AS addresses,
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
    def short_form(cls, body: dict[str, Any]) -> object:
        plain = "tables" in body and not any(body["tables"].values())
        return body | {"tables": list(body["tables"])} if plain else body

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def needs(self) -> frozenset[Ref]:
        names = map(split_name, self.tables)
        return frozenset(
            {Ref("table", n[0], n[1]) for n in names if len(n) > 1}
            | {Ref("schema", "", s) for s in self.schemas}
        )

    def following_name(self, old: Ref, new: Ref) -> Self | None:
        was, is_now = (text(name(r.schema, r.name)) for r in (old, new))
        if was not in self.tables:
            return None
        tables = {is_now if t == was else t: m for t, m in self.tables.items()}
        return self.model_copy(update={"tables": dict(sorted(tables.items()))})

    def required_versions(self) -> Mapping[str, int]:
        return {
            **super().required_versions(),
            "tables": 15 if any(m != Member() for m in self.tables.values()) else 0,
        }

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        members = self._members(self.tables, self.schemas)
        published: sql.Composable = raw("")
        if self.all_tables:
            published = raw(" FOR ALL TABLES")
        elif members:
            published = compose(" FOR {}", joined(members))
        options = self._options(None)
        with_ = compose(" WITH ({})", joined(options)) if options else raw("")
        create = self._statement(
            compose("CREATE PUBLICATION {}{}{}", self.ref.name, published, with_), self.tables
        )
        yield create.model_copy(update={"hazards": self._blocked_writes(None, context)})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.all_tables != old.all_tables:
            return None
        blocked = self._blocked_writes(old, context)
        return [
            *self._drop_members(old),
            *(s.model_copy(update={"hazards": blocked}) for s in self._set_options(old)),
            *(s.model_copy(update={"hazards": blocked}) for s in self._add_members(old)),
        ]

    def _blocked_writes(self, old: Self | None, context: PlanningContext) -> tuple[Hazard, ...]:
        """Return the hazard of tables whose rows nothing identifies to subscribers."""
        before = old.published_without_identity(context) if old is not None else frozenset[Ref]()
        if blocked := sorted(r.identity for r in self.published_without_identity(context) - before):
            reason = (
                f"every UPDATE and DELETE of {', '.join(blocked)} fails once it is published,"
                " because nothing identifies its rows: give it a primary key or replica_identity"
            )
            return (Hazard(hazard=HazardKind.BLOCKS_WRITES, reason=reason),)
        return ()

    def published_without_identity(self, context: PlanningContext) -> frozenset[Ref]:
        """Collect the tables without an identity of rows whose updates are published."""
        if not {"update", "delete"} & {*self.publish}:
            return frozenset()
        return frozenset(
            t
            for t in context.without_identity
            if self.all_tables or t in self.needs() or t.schema in self.schemas
        )

    def _drop_members(self, old: Self) -> Iterable[Statement]:
        tables = [t for t, m in old.tables.items() if self.tables.get(t) != m]
        schemas = [s for s in old.schemas if s not in self.schemas]
        if tables or schemas:
            members = [compose("TABLE ONLY {}", raw(t)) for t in tables]
            members += self._members({}, schemas)
            yield self._alter(compose("DROP {}", joined(members)), tables)

    def _add_members(self, old: Self) -> Iterable[Statement]:
        tables = {t: m for t, m in self.tables.items() if old.tables.get(t) != m}
        schemas = [s for s in self.schemas if s not in old.schemas]
        if tables or schemas:
            yield self._alter(compose("ADD {}", joined(self._members(tables, schemas))), tables)

    def _members(
        self, tables: Mapping[str, Member], schemas: Sequence[str]
    ) -> list[sql.Composable]:
        return [
            *(m.clause(t) for t, m in tables.items()),
            *(compose("TABLES IN SCHEMA {}", s) for s in schemas),
        ]

    def _set_options(self, old: Self) -> Iterable[Statement]:
        if options := self._options(old):
            yield self._alter(compose("SET ({})", joined(options)), ())

    def _options(self, old: Self | None) -> list[sql.Composable]:
        """Return the options that differ from `old`, or from the defaults."""
        options: list[sql.Composable] = []
        if set(self.publish) != set(old.publish if old else ALL_OPERATIONS):
            options.append(compose("publish = {}", literal(", ".join(self.publish))))
        if self.publish_via_partition_root != (old is not None and old.publish_via_partition_root):
            value = str(self.publish_via_partition_root).lower()
            options.append(raw(f"publish_via_partition_root = {value}"))
        if self.publish_generated_columns != (old.publish_generated_columns if old else "none"):
            options.append(raw(f"publish_generated_columns = {self.publish_generated_columns}"))
        return options

    def _alter(self, action: sql.Composable, tables: Iterable[str]) -> Statement:
        return self._statement(compose("ALTER PUBLICATION {} {}", self.ref.name, action), tables)

    def _statement(self, command: sql.Composable, tables: Iterable[str]) -> Statement:
        locks = [Lock(relation=t, mode="SHARE UPDATE EXCLUSIVE") for t in tables]
        return Statement(sql=text(command), others=tuple(locks))
