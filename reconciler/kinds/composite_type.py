"""Composite types: https://www.postgresql.org/docs/current/rowtypes.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.datatype import DataType, converted
from reconciler.model.object import Object, PlanningContext
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.type_change import ChangesType
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, name, raw, text


class Attribute(BaseModel):
    """One field of a composite type; `name: type` is its short form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    collation: str | None = Field(default=None, description="where it is not the type's own")
    comment: str | None = None

    def clause(self, own: str) -> sql.Composable:
        """How it stands in CREATE TYPE."""
        collate = raw("") if self.collation is None else compose(" COLLATE {}", raw(self.collation))
        return compose("{} {}{}", own, raw(self.type), collate)


class CompositeType(ChangesType, DataType):
    """A row of named attributes that is a type of its own."""

    kind: ClassVar[str] = "composite_type"
    section: ClassVar[str] = "types"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False
    sql_fields: ClassVar[tuple[str, ...]] = ("attributes",)

    attributes: dict[str, Attribute] = Field(
        default_factory=dict, description="name → type, in their order"
    )
    order: tuple[str, ...] = Field(default=(), json_schema_extra={"derived": True})

    @field_validator("attributes", mode="before")
    @classmethod
    def _short_attributes(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        given = cast("Mapping[str, object]", value)
        return {k: {"type": v} if isinstance(v, str) else v for k, v in given.items()}

    @model_validator(mode="before")
    @classmethod
    def _ordered(cls, data: Any) -> Any:
        """What compares as a mapping has an order all the same."""
        given = cast("dict[str, Any]", data)
        if not isinstance(given.get("attributes"), Mapping) or "order" in given:
            return given
        attributes: Mapping[str, Any] = given["attributes"]
        return given | {"order": tuple(attributes)}

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, t.typname AS name,
                   pg_get_userbyid(t.typowner)::text AS owner,
                   ARRAY[{address("pg_type", "t.oid")}, {address("pg_type", "t.typarray")},
                         {address("pg_class", "t.typrelid")}]
                       AS addresses,
                   (SELECT coalesce(json_object_agg(a.attname, json_build_object(
                        'type', format_type(a.atttypid, a.atttypmod),
                        'comment', col_description(a.attrelid, a.attnum),
                        'collation', CASE WHEN a.attcollation <> b.typcollation THEN (
                            SELECT format('%I.%I', cn.nspname, l.collname) FROM pg_collation AS l
                            JOIN pg_namespace AS cn ON cn.oid = l.collnamespace
                            WHERE l.oid = a.attcollation) END)
                        ORDER BY a.attnum), '{{}}')
                    FROM pg_attribute AS a JOIN pg_type AS b ON b.oid = a.atttypid
                    WHERE a.attrelid = t.typrelid AND a.attnum > 0
                          AND NOT a.attisdropped) AS attributes,
                   {object_grants("t.typacl", "T", "t.typowner")} AS grants
            FROM pg_type AS t
            JOIN pg_namespace AS n ON n.oid = t.typnamespace
            JOIN pg_class AS c ON c.oid = t.typrelid
            WHERE c.relkind = 'c' AND {managed("pg_type", "t.oid", "n.nspname")}
            ORDER BY n.nspname, t.typname"""

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        attributes: dict[str, Any] = body.get("attributes", {})
        plain = {
            k: a["type"] if {k for k, v in a.items() if v is not None} == {"type"} else a
            for k, a in attributes.items()
        }
        return body | {"attributes": plain}

    @property
    def relation_name(self) -> str | None:
        return self.ref.name

    def under_old_name(self, others: Mapping[str, str]) -> Self:
        turned = {
            k: a.model_copy(update={"type": others.get(a.type, a.type)})
            for k, a in self.attributes.items()
        }
        return super().under_old_name(others).model_copy(update={"attributes": turned})

    def converted(self, old: DataType, value: sql.Composable, wanted: str) -> sql.Composable:
        """Attribute by attribute; an array as text, which works while their number and order stay."""
        if wanted.endswith("[]") or not isinstance(old, CompositeType):
            return super().converted(old, value, wanted)

        def attribute(own: str) -> sql.Composable:
            new, before = self.attributes[own], old.attributes.get(own)
            if before is None:
                return raw("NULL")
            field = compose("({}).{}", value, own)
            return converted(field, before.type, new.type)

        row = compose("ROW({})::{}", joined(map(attribute, self.order)), raw(wanted))
        return compose("CASE WHEN {} IS DISTINCT FROM NULL THEN {} END", value, row)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        listed = [compose("\n    {}", self.attributes[a].clause(a)) for a in self.order]
        body = compose("{}\n", sql.SQL(",").join(listed)) if listed else raw("")
        yield Statement(sql=text(compose("CREATE TYPE {} AS ({})", self.sql_name(), body)))
        yield from self._remark({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Attributes go, and come at the end, in place; one that changes its type makes another type."""
        kept = [a for a in old.order if a in self.attributes]
        same = all(self._shape(a) == old._shape(a) for a in kept)
        return self._differences(old) if same and list(self.order[: len(kept)]) == kept else None

    def needs_dependents_dropped(self, old: Self) -> bool:
        """Views and indexes hold on to single attributes."""
        return any(a not in self.attributes for a in old.order)

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _shape(self, own: str) -> tuple[str, str | None]:
        return self.attributes[own].type, self.attributes[own].collation

    def _differences(self, old: Self) -> Iterable[Statement]:
        for own in old.order:
            if own not in self.attributes:
                why = f"{self.ref}.{own} is dropped with its values"
                lost = (Hazard(hazard=HazardKind.DATA_LOSS, reason=why),)
                yield self._alter(compose("DROP ATTRIBUTE {}", own)).model_copy(
                    update={"hazards": lost}
                )
        for own in self.order:
            if own not in old.attributes:
                yield self._alter(compose("ADD ATTRIBUTE {}", self.attributes[own].clause(own)))
        yield from self._remark(old.attributes)

    def _alter(self, action: sql.Composable) -> Statement:
        return Statement(sql=text(compose("ALTER TYPE {} {}", self.sql_name(), action)))

    def _remark(self, before: Mapping[str, Attribute]) -> Iterable[Statement]:
        for own in self.order:
            said = before[own].comment if own in before else None
            if self.attributes[own].comment != said:
                target = name(self.ref.schema, self.ref.name, own)
                yield Statement(
                    sql=text(
                        compose(
                            "COMMENT ON COLUMN {} IS {}",
                            target,
                            literal(self.attributes[own].comment),
                        )
                    )
                )
