"""Short forms of a column: for a key, a foreign key, a sequence.

https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-SERIAL
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count
from typing import Any

from reconciler.kinds.column.target import Target
from reconciler.model.object import Object
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref, default_name
from reconciler.sql import literal, name, text

SERIAL = {
    **dict.fromkeys(("smallserial", "serial2"), "smallint"),
    **dict.fromkeys(("serial", "serial4"), "integer"),
    **dict.fromkeys(("bigserial", "serial8"), "bigint"),
}

MAX_TYPES = 4096  # remembered: most columns have one of a few types
_CLAUSES = re.compile(
    r"\b(generated|default|collate|constraint|references|primary\s+key|unique|check"
    r"|not\s+null|null)\b",
    re.I,
)  # after the type in CREATE TABLE


@dataclass(frozen=True)
class ShortForm:
    """The short forms in the declaration of a column."""

    target: Target
    type: str
    primary_key: bool
    unique: bool
    references: str | None

    @property
    def serial_type(self) -> str | None:
        """The data type of a serial column."""
        return SERIAL.get(self.type.lower())

    @property
    def serial_default(self) -> str:
        """The default of a serial column."""
        return self.nextval(default_name(self.target.name, self.target.column, "seq"))

    def nextval(self, sequence: str) -> str:
        """Return the default of a column with that sequence."""
        qualified = literal(text(name(self.target.schema, sequence)))
        return f"nextval({text(qualified)}::regclass)"

    def numbered(self, sequence: Ref, used: Container[Ref]) -> tuple[dict[str, Any], Ref] | None:
        """Return an update of a serial column to another sequence, and the ref of that."""
        if self.serial_type is None or sequence.on is not None:
            return None
        table, column = self.target.name, self.target.column
        numbers = (default_name(table, column, f"seq{n}") for n in count(1))
        free = next(r for n in numbers if (r := sequence._replace(name=n)) not in used)
        return {"type": self.serial_type, "default": self.nextval(free.name)}, free

    def candidates(
        self, default: str | None, others: Mapping[Ref, Object], *, required: bool
    ) -> Iterator[dict[str, Any]]:
        """Yield updates of the column as candidates to declare objects in `others`.

        `required` says that the column is NOT NULL without attributes, as a serial implies.
        """
        implied: dict[str, Any] = {"not_null": False} if required else {}
        serial = next((s for s, type_ in SERIAL.items() if type_ == self.type), None)
        if serial is not None and implied and default and default == self.serial_default:
            yield {"type": serial, "default": None, **implied}
        if self._constraint("", "pkey") in others:
            yield {"primary_key": True, **implied}
        if self._constraint(self.target.column, "key") in others:
            yield {"unique": True}
        foreign_key = others.get(self._constraint(self.target.column, "fkey"))
        if references := getattr(foreign_key, "references", None):
            yield {"references": references}

    def expand(self) -> Iterator[tuple[Ref, dict[str, Any]]]:
        """Yield refs and fields of the declared objects, with default names."""
        table, column = self.target.on, self.target.column
        if self.primary_key:
            yield self._constraint("", "pkey"), {"primary_key": (column,)}
        if self.unique:
            yield self._constraint(column, "key"), {"unique": (column,)}
        if self.references is not None:
            body = {"foreign_key": (column,), "references": self.references}
            yield self._constraint(column, "fkey"), body
        if self.serial_type is not None:
            own = default_name(table.name, column, "seq")
            owned_by = text(name(table.name, column))
            sequence = Ref("sequence", table.schema, own)
            yield sequence, {"type": self.serial_type, "owned_by": owned_by}

    def _constraint(self, columns: str, label: str) -> Ref:
        table = self.target.on
        return Ref("constraint", table.schema, default_name(table.name, columns, label), table)


@lru_cache(MAX_TYPES)
def type_alone(value: str) -> str:
    """Refuse further clauses in `type`: PostgreSQL would accept all in ADD COLUMN."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", value) if '"' in value else value
    if clause := _CLAUSES.search(bare):
        raise ValueError(f"type: only the data type stands here, not {clause[0]!r}")
    return value


def denied(column: Object, others: Iterable[Object]) -> Iterator[tuple[str, Object]]:
    """Yield each short form declared as false or null, with the live constraint of the form."""
    forms = {"primary_key": "primary_key", "unique": "unique", "references": "foreign_key"}
    for form, field in forms.items():
        if form in column.model_fields_set and not getattr(column, form):
            key = (column.ref.name,)
            yield from ((form, o) for o in others if getattr(o, field, None) == key)


def declares_fully(body: Mapping[str, Any], obj: Object) -> bool:
    """Return whether an object has no fields but `body`, owner and default privileges."""
    defaults: dict[str, Any] = {}
    if isinstance(obj, Granted):
        defaults["grants"] = {r: tuple(p) for r, p in obj.default_grants().items()}
    declared = type(obj).model_validate({"ref": obj.ref, **defaults, **body})
    return all(getattr(obj, f) == getattr(declared, f) for f in _declarable(type(obj)))


@cache
def _declarable(kind: type[Object]) -> tuple[str, ...]:
    ignored = {*kind.derived(), "owner"}
    return tuple(n for n, f in kind.model_fields.items() if n not in ignored and not f.exclude)
