"""Extensions: https://www.postgresql.org/docs/current/sql-createextension.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address
from reconciler.model.declared import RenamesParts, RequiresFiles
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, text


class Extension(RequiresFiles, RenamesParts):
    """An extension; the objects it owns are never touched."""

    kind: ClassVar[str] = "extension"
    section: ClassVar[str] = "extensions"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False
    renamable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    renamed_part: ClassVar[str] = "schema"

    namespace: str | None = Field(
        default=None, alias="schema", description="where its objects go, if it lets one choose"
    )
    version: str | None = Field(
        default=None, description="left out: whatever is installed, or the server's default"
    )
    relocatable: bool = Field(default=False, json_schema_extra={"derived": True})
    reaches: tuple[str, ...] = Field(default=(), json_schema_extra={"derived": True})
    usual_comment: str | None = Field(default=None, json_schema_extra={"derived": True})

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT e.extname AS name, ARRAY[{address("pg_extension", "e.oid")}] AS addresses,
                   CASE WHEN NOT EXISTS (
                       SELECT FROM pg_depend AS d WHERE d.classid = 'pg_namespace'::regclass
                       AND d.objid = n.oid
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
        """The comment that comes with it is none of ours; "" stands for one that was taken away."""
        said, usual = row.pop("comment"), row["usual_comment"]
        return cls(
            ref=ref,
            schema=row.pop("extension_schema"),
            comment=None if said == usual else said or "",
            **row,
        )

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def needs(self) -> frozenset[Ref]:
        return frozenset({Ref("schema", "", self.namespace)} if self.namespace else ())

    def over(self, live: Self | None, *, complete: bool = False) -> Self:
        """What says no version is content with the one that is there."""
        full = super().over(live, complete=complete)
        if live is None:
            return full
        kept = {f: getattr(live, f) for f in ("version", "namespace") if getattr(full, f) is None}
        return full.model_copy(
            update=kept | {f: getattr(live, f) for f in ("relocatable", "reaches", "usual_comment")}
        )

    def files(self) -> frozenset[str]:
        return frozenset({self.ref.name})

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        words: list[sql.Composable] = [compose("CREATE EXTENSION {}", self.ref.name)]
        if self.namespace:
            words.append(compose("SCHEMA {}", self.namespace))
        if self._asked_for(context):
            words.append(compose("VERSION {}", literal(self.version)))
        yield Statement(sql=text(joined(words, by=" ")))

    def parts_renamed(self, live: Self) -> Iterable[tuple[str, str, Statement]]:
        """What belongs to it is called otherwise in another schema, and so is all that stands on that."""
        if live.namespace and self.namespace not in (None, live.namespace) and live.relocatable:
            forth, back = self._move(self.namespace), self._move(live.namespace)
            yield live.namespace, self.namespace or "", Statement(sql=forth, undo=(back,))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        updated = self.version is not None and self.version != old.version
        moved = self.namespace is not None and self.namespace != old.namespace
        if (updated and self.version not in old.reaches) or (moved and not old.relocatable):
            return None
        return self._differences(old, updated=updated, moved=moved)

    def _differences(self, old: Self, *, updated: bool, moved: bool) -> Iterable[Statement]:
        if updated:
            oneway = old.version not in self.reaches
            why = f"{self.ref} {self.version} has no way back to {old.version}"
            yield Statement(
                sql=self._update(self.version),
                undo=() if oneway else (self._update(old.version),),
                hazards=(Hazard(hazard=HazardKind.IRREVERSIBLE, reason=why),) if oneway else (),
            )
        if moved:
            yield Statement(sql=self._move(self.namespace), undo=(self._move(old.namespace),))

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        lost = Hazard(
            hazard=HazardKind.DATA_LOSS,
            reason=f"{self.ref} is dropped with everything that it made, tables too",
        )
        yield Statement(sql=text(compose("DROP {}", self.designation())), hazards=(lost,))

    def _update(self, version: str | None) -> str:
        return text(compose("ALTER EXTENSION {} UPDATE TO {}", self.ref.name, literal(version)))

    def _move(self, schema: str | None) -> str:
        return text(compose("ALTER EXTENSION {} SET SCHEMA {}", self.ref.name, schema or ""))

    def _asked_for(self, context: PlanningContext) -> bool:
        """Whether a version is wanted, rather than what the scratch server happened to have."""
        declared = context.declared.get(self.ref)
        return self.version is not None and not (
            isinstance(declared, Extension) and declared.version is None
        )

    def attach(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        if self.comment != (old.comment if old else None):
            said = self.usual_comment if self.comment is None else self.comment
            yield Statement(
                sql=text(compose("COMMENT ON EXTENSION {} IS {}", self.ref.name, literal(said)))
            )
