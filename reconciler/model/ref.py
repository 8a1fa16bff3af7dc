"""Name objects of a database: Ref, and names in PostgreSQL's spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.names import MAX_NAME_BYTES

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_PARTS = re.compile(r'"((?:[^"]|"")+)"|([^".\s]+)')

# Objects that belong to a relation are spelled `name on schema.relation`, with two exceptions:
# getObjectIdentityParts() in PostgreSQL's objectaddress.c spells a column `schema.relation.name`,
# and an index, which is a relation itself, `schema.name`.
_AFTER_RELATION = frozenset({"column"})
_WITHOUT_RELATION = frozenset({"index"})


@dataclass(frozen=True)
class WrittenRef:
    """A Ref in JSON: in plans, and in the journal."""

    kind: str
    schema: str
    name: str
    on: WrittenRef | None = None
    arguments: str | None = None


class Ref(NamedTuple):
    """The identity of an object, spelled as pg_identify_object() spells names.

    `on` is the relation to which the object belongs (a policy's table), `arguments` the types of a
    routine's input arguments. `schema` is "" for objects outside schemas (an extension, a role).
    Refs are keys of nearly every mapping, and tuples are hashed and compared without Python code.
    """

    kind: str
    schema: str
    name: str
    on: Ref | None = None
    arguments: str | None = None

    @property
    def document(self) -> dict[str, object]:
        """The ref as data for JSON: in plans, and in the journal."""
        on = self.on.document if self.on is not None else None
        return {**self._asdict(), "on": on}

    @classmethod
    def _read(cls, written: WrittenRef) -> Ref:
        on = cls._read(written.on) if written.on is not None else None
        return cls(written.kind, written.schema, written.name, on, written.arguments)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate refs and their documents; write documents."""
        from pydantic_core import core_schema  # noqa: PLC0415 - slow to import

        written = core_schema.no_info_after_validator_function(
            cls._read, handler.generate_schema(WrittenRef)
        )
        return core_schema.json_or_python_schema(
            json_schema=written,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), written], mode="left_to_right"
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(_document),
        )

    @property
    def schema_ref(self) -> Ref:
        """Return the ref of the object's schema."""
        return Ref("schema", "", self.schema)

    @property
    def identity(self) -> str:
        """Return the object's qualified name, without the kind."""
        if self.on is not None:
            if self.kind in _AFTER_RELATION:
                return f"{self.on.identity}.{self.name}"
            if self.kind not in _WITHOUT_RELATION:
                return f"{self.name} on {self.on.identity}"
        name = f"{self.schema}.{self.name}" if self.schema else self.name
        return name if self.arguments is None else f"{name}({self.arguments})"

    @property
    def with_relation(self) -> str:
        """Return kind and name, and the relation of an index, which its identity lacks."""
        lacks = self.on is not None and self.kind in _WITHOUT_RELATION
        return f"{self} on {self.on.identity}" if self.on is not None and lacks else str(self)

    @property
    def order(self) -> tuple[str, str, str, str, str]:
        """Return a sort key to put the objects of a relation after the relation."""
        on = self.on
        if on is None:
            return (self.schema, self.name, "", self.kind, self.arguments or "")
        return (on.schema, on.name, self.kind, self.name, self.arguments or "")

    def is_overload_of(self, other: Ref) -> bool:
        """Tell whether the kind and the qualified name are the same, whatever the arguments."""
        return (self.kind, self.schema, self.name) == (other.kind, other.schema, other.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


def placed(ref: Ref, on: Ref | None) -> Ref:
    """Return the ref of an object on another table, in whose schema the object is."""
    return ref._replace(on=on, schema=on.schema if on is not None else ref.schema)


def _document(ref: Ref) -> dict[str, object]:
    return ref.document


def default_name(table: str, column: str, label: str) -> str:
    """Return the default name of an index, constraint or sequence: `table_column_label`.

    As makeObjectName() does, it shortens the longer of table and column until 63 bytes suffice.
    """
    whole = "_".join([p for p in (table, column, label) if p])
    if len(whole.encode()) <= MAX_NAME_BYTES:
        return whole
    parts = [p.encode() for p in (table, column) if p]
    available = MAX_NAME_BYTES - len(label.encode()) - len(parts)
    while sum(map(len, parts)) > available:
        longest = max(range(len(parts)), key=lambda i: (len(parts[i]), i))
        parts[longest] = parts[longest][:-1].decode(errors="ignore").encode()
    return "_".join([*(p.decode() for p in parts), label])


def split_name(qualified: str) -> list[str]:
    """Split a qualified name as PostgreSQL prints names, without quotes: `public."T".c`."""
    return [quoted.replace('""', '"') or bare for quoted, bare in _PARTS.findall(qualified)]
