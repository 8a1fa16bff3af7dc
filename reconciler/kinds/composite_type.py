"""Composite types: https://www.postgresql.org/docs/current/rowtypes.html"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from reconciler.model.casts import losses_by_cast
from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import NAME, TYPE, Fragment, fragments_in
from reconciler.model.datatype import DataType, converted
from reconciler.model.declared import NamesParts, require_names_to_be_free
from reconciler.model.object import Object, PlanningContext
from reconciler.model.spelling import Collation, Comment, Name
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.type_change import ChangesType
from reconciler.model.type_spelling import TypeName
from reconciler.model.typed_table import RowType
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, name, raw, text


class Attribute(BaseModel):
    """An attribute of a composite type; `name: type` is the short form."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    main_key: ClassVar[str] = "type"
    other_keys: ClassVar[Mapping[str, str]] = {"collate": "collation"}

    type: TypeName = Field(description="the data type")
    collation: Collation | None = Field(
        default=None, description="the collation; left out: the type's default"
    )
    comment: Comment | None = Field(default=None, description="COMMENT ON COLUMN")
    renamed_from: Name | None = Field(default=None, description="the old name of the attribute")

    @model_serializer(mode="wrap")
    def _without_no_old_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if self.renamed_from is None:
            fields.pop("renamed_from", None)
        return fields

    def clause(self, name: str) -> sql.Composable:
        """Return the definition for CREATE TYPE and ADD ATTRIBUTE."""
        collate = raw("") if self.collation is None else compose(" COLLATE {}", raw(self.collation))
        return compose("{} {}{}", name, raw(self.type), collate)


class CompositeType(NamesParts, ChangesType, DataType, RowType):
    """A composite type."""

    kind: ClassVar[str] = "composite_type"
    section: ClassVar[str] = "types"
    oid_column: ClassVar[str] = "pg_class.oid"
    own_rows: ClassVar[str] = "relkind = 'c'"
    omitted_is_default: ClassVar[bool] = False
    sql_fields: ClassVar[tuple[str, ...]] = ("attributes",)

    attributes: dict[Name, Attribute] = Field(
        default_factory=dict, description="name → type, in order"
    )
    order: tuple[str, ...] = Field(default=(), json_schema_extra={"derived": True})

    @model_validator(mode="before")
    @classmethod
    def _keep_order(cls, data: Any) -> Any:
        """Store the attributes' order, since mappings compare without order."""
        fields = cast("dict[str, Any]", data)
        if not isinstance(fields.get("attributes"), Mapping) or "order" in fields:
            return fields
        attributes: Mapping[str, Any] = fields["attributes"]
        return fields | {"order": tuple(attributes)}

    @field_validator("attributes")
    @classmethod
    def _names_free(cls, attributes: dict[str, Attribute]) -> dict[str, Attribute]:
        require_names_to_be_free(_old_names(attributes))
        return attributes

    def as_state(self) -> Self:
        return super().as_state().with_parts_from({})

    def part_in_body(self, name: str) -> str:
        return "" if name in self.attributes else name

    def part_names(self) -> Collection[str]:
        return self.attributes

    def old_part_names(self) -> Mapping[str, str]:
        return _old_names(self.attributes)

    def rename_part(self, old: str, new: str) -> Statement:
        rename, undo = self._rename_attribute(old, new), self._rename_attribute(new, old)
        return Statement(sql=rename, ties="typed tables", undo=(undo,))

    def _rename_attribute(self, old: str, new: str) -> str:
        """Return SQL that renames columns of typed tables, too."""
        action = compose("RENAME ATTRIBUTE {} TO {} CASCADE", old, new)
        return text(compose("ALTER TYPE {} {}", self.sql_name(), action))

    def with_parts_from(self, names: Mapping[str, str]) -> Self:
        attributes = {
            k: a.model_copy(update={"renamed_from": names.get(k)})
            for k, a in self.attributes.items()
        }
        return self.model_copy(update={"attributes": attributes})

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        for attribute in self.attributes.values():
            yield from fragments_in("attributes", TYPE, attribute.type)
            yield from fragments_in("attributes", NAME, attribute.collation)

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
    def parts_catalog(cls) -> str:
        return f"""
            SELECT {address("pg_type", "t.oid")} AS address, a.attnum::int8 AS part,
                   a.attname::text AS name
            FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
            JOIN pg_type AS t ON t.oid = c.reltype
            WHERE c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped"""

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        attributes: dict[str, Any] = body.get("attributes", {})

        def attribute(fields: dict[str, Any]) -> object:
            return (
                fields["type"]
                if all(v is None for k, v in fields.items() if k != "type")
                else fields
            )

        return body | {"attributes": {k: attribute(a) for k, a in attributes.items()}}

    @property
    def fields_of_columns(self) -> Mapping[str, Mapping[str, Any]]:
        fields = {"type", "collation"}
        return {a: self.attributes[a].model_dump(include=fields) for a in self.order}

    @property
    def relation_name(self) -> str | None:
        return self.ref.name

    def under_old_name(self, old_names: Mapping[str, str]) -> Self:
        attributes = {
            k: a.model_copy(update={"type": old_names.get(a.type, a.type)})
            for k, a in self.attributes.items()
        }
        return super().under_old_name(old_names).model_copy(update={"attributes": attributes})

    def converted(self, old: DataType, value: sql.Composable, type_name: str) -> sql.Composable:
        """Convert attribute by attribute; an array by way of text.

        The cast of an array fails unless the number and order of attributes are equal.
        """
        if type_name.endswith("[]") or not isinstance(old, CompositeType):
            return super().converted(old, value, type_name)

        def attribute(name: str) -> sql.Composable:
            new, before = self.attributes[name], old.attributes.get(name)
            if before is None:
                return raw("NULL")
            field = compose("({}).{}", value, name)
            return converted(field, before.type, new.type)

        row = compose("ROW({})::{}", joined(map(attribute, self.order)), raw(type_name))
        return compose("CASE WHEN {} IS DISTINCT FROM NULL THEN {} END", value, row)

    def losses(self, old: Object) -> Iterator[str]:
        if not isinstance(old, CompositeType):
            return
        for attribute, before in old.attributes.items():
            after = self.attributes.get(attribute)
            if after is None:
                yield f"lose the attribute {attribute}"
                continue
            for loss in losses_by_cast(before.type, after.type):
                yield f"have the attribute {attribute} {loss}"

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        lines = [compose("\n    {}", self.attributes[a].clause(a)) for a in self.order]
        body = compose("{}\n", sql.SQL(",").join(lines)) if lines else raw("")
        yield Statement(sql=text(compose("CREATE TYPE {} AS ({})", self.sql_name(), body)))
        yield from self._comments({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Drop attributes, and add attributes at the end; other changes need a new type."""
        kept = [a for a in old.order if a in self.attributes]
        same_types = all(self._type(a) == old._type(a) for a in kept)
        same_order = list(self.order[: len(kept)]) == kept
        return self._differences(old) if same_types and same_order else None

    def needs_dependents_dropped(self, old: Self) -> bool:
        """Drop dependents before attributes: views and indexes may depend on attributes."""
        return any(a not in self.attributes for a in old.order)

    def _type(self, name: str) -> tuple[str, str | None]:
        return self.attributes[name].type, self.attributes[name].collation

    def _differences(self, old: Self) -> Iterable[Statement]:
        for attribute in old.order:
            if attribute not in self.attributes:
                reason = f"{self.ref}.{attribute} is dropped with its values"
                hazard = Hazard(hazard=HazardKind.DATA_LOSS, reason=reason)
                yield self._alter(compose("DROP ATTRIBUTE {}", attribute), hazard)
        for attribute in self.order:
            if attribute not in old.attributes:
                definition = self.attributes[attribute].clause(attribute)
                yield self._alter(compose("ADD ATTRIBUTE {}", definition))
        yield from self._comments(old.attributes)

    def _alter(self, action: sql.Composable, *hazards: Hazard) -> Statement:
        command = compose("ALTER TYPE {} {}", self.sql_name(), action)
        return Statement(sql=text(command), hazards=hazards)

    def _comments(self, before: Mapping[str, Attribute]) -> Iterable[Statement]:
        for attribute in self.order:
            comment = self.attributes[attribute].comment
            if comment != (before[attribute].comment if attribute in before else None):
                target = name(self.ref.schema, self.ref.name, attribute)
                command = compose("COMMENT ON COLUMN {} IS {}", target, literal(comment))
                yield Statement(sql=text(command))


def _old_names(attributes: Mapping[str, Attribute]) -> Mapping[str, str]:
    return {own: a.renamed_from for own, a in attributes.items() if a.renamed_from is not None}
