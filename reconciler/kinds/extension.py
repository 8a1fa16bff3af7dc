"""Extensions: https://www.postgresql.org/docs/current/sql-createextension.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address
from reconciler.model.declared import RenamesParts, RequiresFiles
from reconciler.model.object import Object, PlanningContext
from reconciler.model.on_scratch import Companion
from reconciler.model.record import Record
from reconciler.model.ref import Ref
from reconciler.model.spelling import Name, Text
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, text


class Extension(RequiresFiles, RenamesParts, Companion):
    """An extension; objects of the extension are not managed."""

    kind: ClassVar[str] = "extension"
    main_key: ClassVar[str] = "version"
    section: ClassVar[str] = "extensions"
    oid_column: ClassVar[str] = "pg_extension.oid"
    omitted_is_default: ClassVar[bool] = False
    renamable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    adjusted: ClassVar[frozenset[str]] = frozenset({"version", "namespace"})  # to what is installed
    renamed_part: ClassVar[str] = "schema"

    comment: Text | None = Field(default=None, description="COMMENT ON")  # "": none, not the usual
    namespace: Name | None = Field(
        default=None,
        alias="schema",
        description="the schema for the extension's objects; left out: the extension's choice",
    )
    version: str | None = Field(
        default=None,
        description="the version; left out: the installed one, or the server's default",
    )
    relocatable: bool = Field(default=False, json_schema_extra={"derived": True})
    reaches: tuple[str, ...] = Field(default=(), json_schema_extra={"derived": True})
    # fields are stored in journals: their names cannot change
    usual_comment: str | None = Field(default=None, json_schema_extra={"derived": True})

    def brings(self) -> frozenset[Ref]:
        return self.needs()

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT e.extname AS name, ARRAY[{address("pg_extension", "e.oid")}] AS addresses,
                   CASE WHEN NOT EXISTS (
                       SELECT FROM pg_depend AS d
                       WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid
                              AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                              AND d.deptype = 'e')
                        THEN n.nspname END AS extension_schema,
                   e.extversion AS version, e.extrelocatable AS relocatable,
                   (SELECT a.comment FROM pg_available_extensions() AS a
                    WHERE a.name = e.extname) AS usual_comment,
                   ARRAY(SELECT p.target FROM pg_extension_update_paths(e.extname) AS p
                         WHERE p.source = e.extversion AND p.path IS NOT NULL ORDER BY 1) AS reaches
            FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
            WHERE e.extname <> 'plpgsql'
            ORDER BY e.extname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        """Leave out the extension's default comment; "" means a removed comment."""
        comment = row.pop("comment")
        return cls(
            ref=ref,
            schema=row.pop("extension_schema"),
            comment=None if comment == row["usual_comment"] else comment or "",
            **row,
        )

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def needs(self) -> frozenset[Ref]:
        return frozenset({Ref("schema", "", self.namespace)} if self.namespace else ())

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        """Keep the installed version and schema if none is declared."""
        full = super().over(live, with_defaults=with_defaults)
        if live is None:
            return full
        kept = {f: getattr(live, f) for f in ("version", "namespace") if getattr(full, f) is None}
        return full.model_copy(
            update=kept | {f: getattr(live, f) for f in ("relocatable", "reaches", "usual_comment")}
        )

    def files(self) -> frozenset[str]:
        return frozenset({self.ref.name})

    def without_defaults_of_files(self, declared: Record | None) -> Self:
        if isinstance(declared, Extension) and declared.version is None:
            return self.model_copy(update={"version": None})
        return self

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        clauses: list[sql.Composable] = [compose("CREATE EXTENSION {}", self.ref.name)]
        if self.namespace:
            clauses.append(compose("SCHEMA {}", self.namespace))
        if self._version_declared(context):
            clauses.append(compose("VERSION {}", literal(self.version)))
        yield Statement(sql=text(joined(clauses, by=" ")))

    def parts_renamed(self, live: Self) -> Iterable[tuple[str, str, Statement]]:
        """Move to another schema, which renames the extension's objects for all dependents."""
        if live.namespace and self.namespace not in (None, live.namespace) and live.relocatable:
            move, undo = self._move(self.namespace), self._move(live.namespace)
            yield live.namespace, self.namespace or "", Statement(sql=move, undo=(undo,))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        updated = self.version is not None and self.version != old.version
        moved = self.namespace is not None and self.namespace != old.namespace
        if (updated and self.version not in old.reaches) or (moved and not old.relocatable):
            return None
        return self._differences(old, updated=updated, moved=moved)

    def _differences(self, old: Self, *, updated: bool, moved: bool) -> Iterable[Statement]:
        if updated:
            update = Statement(sql=self._update(self.version), undo=(self._update(old.version),))
            if old.version not in self.reaches:
                reason = f"{self.ref} {self.version} has no way back to {old.version}"
                hazard = Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason)
                update = update.model_copy(update={"undo": (), "hazards": (hazard,)})
            yield update
        if moved:
            yield Statement(sql=self._move(self.namespace), undo=(self._move(old.namespace),))

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        hazard = Hazard(
            hazard=HazardKind.DATA_LOSS,
            reason=f"{self.ref} is dropped with everything that it made, tables too",
        )
        yield Statement(sql=text(compose("DROP {}", self.designation())), hazards=(hazard,))

    def _update(self, version: str | None) -> str:
        return text(compose("ALTER EXTENSION {} UPDATE TO {}", self.ref.name, literal(version)))

    def _move(self, schema: str | None) -> str:
        return text(compose("ALTER EXTENSION {} SET SCHEMA {}", self.ref.name, schema or ""))

    def _version_declared(self, context: PlanningContext) -> bool:
        """Return whether the version is declared, not merely the scratch server's default."""
        declared = context.declared.get(self.ref)
        return self.version is not None and not (
            isinstance(declared, Extension) and declared.version is None
        )

    def attach(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        if self.comment != (old.comment if old else None):
            comment = self.usual_comment if self.comment is None else self.comment
            yield Statement(
                sql=text(compose("COMMENT ON EXTENSION {} IS {}", self.ref.name, literal(comment)))
            )
