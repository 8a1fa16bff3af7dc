"""Ref: what names one object in one database."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARTS = re.compile(r'"((?:[^"]|"")+)"|([^".\s]+)')


@dataclass(frozen=True)
class Ref:
    """The identity of an object, spelled as `pg_identify_object` does.

    `on` is the relation that the object lives on (a policy's table), `arguments` the types of a routine's input
    arguments. `schema` is "" for what has none (an extension, a role).
    """

    kind: str
    schema: str
    name: str
    on: Ref | None = None
    arguments: str | None = None

    @property
    def schema_ref(self) -> Ref:
        """The schema that holds the object."""
        return Ref("schema", "", self.schema)

    @property
    def identity(self) -> str:
        """The object's name as people write it, without its kind."""
        if self.on is not None:
            if self.kind == "column":
                return f"{self.on.identity}.{self.name}"
            if self.kind != "index":
                return f"{self.name} on {self.on.identity}"
        name = f"{self.schema}.{self.name}" if self.schema else self.name
        return name if self.arguments is None else f"{name}({self.arguments})"

    @property
    def order(self) -> tuple[str, str, str, str, str]:
        """A key that sorts refs of every kind, children after what they live on."""
        on = self.on
        if on is None:
            return (self.schema, self.name, "", self.kind, self.arguments or "")
        return (on.schema, on.name, self.kind, self.name, self.arguments or "")

    def is_overload_of(self, other: Ref) -> bool:
        """Tell whether the kind and the qualified name are the same, whatever the arguments."""
        return (self.kind, self.schema, self.name) == (other.kind, other.schema, other.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


def default_name(table: str, column: str, label: str) -> str:
    """What PostgreSQL calls something of a column's: `table_column_label`, cut to 63 bytes where both are long."""
    parts = [p.encode() for p in (table, column) if p]
    room = 63 - len(label.encode()) - len(parts)
    while sum(map(len, parts)) > room:
        longest = max(range(len(parts)), key=lambda i: (len(parts[i]), i))
        parts[longest] = parts[longest][:-1].decode(errors="ignore").encode()
    return "_".join([*(p.decode() for p in parts), label])


def split_name(spelled: str) -> list[str]:
    """The names in a qualified one as PostgreSQL spells it: `public."T".c`."""
    return [quoted.replace('""', '"') or bare for quoted, bare in _PARTS.findall(spelled)]
