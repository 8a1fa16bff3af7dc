"""How a column stands in CREATE TABLE and ADD COLUMN."""

from __future__ import annotations

import re
from typing import Protocol

from psycopg import sql

from reconciler.kinds.column.fill_trigger import FillTrigger
from reconciler.kinds.column.identity import Identity
from reconciler.kinds.column.not_null import NotNull
from reconciler.kinds.column.storage import Stored
from reconciler.kinds.column.type_change import collate
from reconciler.model.ref import Ref
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, name, raw

BESIDE = re.compile(
    r"\b(generated|default|collate|constraint|references|primary\s+key|unique|check|not\s+null|null)\b",
    re.I,
)


class Described(Stored, Protocol):
    """What a column says of itself."""

    @property
    def ref(self) -> Ref: ...
    @property
    def collation(self) -> str | None: ...
    @property
    def default(self) -> str | None: ...
    @property
    def generated(self) -> str | None: ...
    @property
    def virtual(self) -> bool: ...
    @property
    def numbering(self) -> Identity | None: ...
    @property
    def forbidden(self) -> NotNull | None: ...
    @property
    def fill_trigger(self) -> FillTrigger | None: ...
    @property
    def constrained(self) -> bool: ...
    @property
    def overrides(self) -> bool: ...


def said_beside(type_: str) -> str | None:
    """What of a column's definition stands where only the data type should."""
    found = BESIDE.search(re.sub(r'"(?:[^"]|"")*"', "", type_))
    return found[0] if found else None


def defined(column: Described) -> sql.Composable:
    """Its name, its type and what else its definition has words for."""
    words: list[sql.Composable] = [name(column.ref.name), raw(column.type)]
    if column.compression is not None:
        words.append(compose("COMPRESSION {}", column.compression))
    if column.options:
        words.append(
            compose(
                "OPTIONS ({})",
                joined(compose("{} {}", k, literal(v)) for k, v in column.options.items()),
            )
        )
    if column.collation is not None:
        words.append(compose("COLLATE {}", collate(column.collation)))
    if column.default is not None:
        words.append(compose("DEFAULT {}", raw(column.default)))
    if column.generated is not None:
        words.append(
            compose(
                "GENERATED ALWAYS AS ({}) {}",
                raw(column.generated),
                raw("VIRTUAL" if column.virtual else "STORED"),
            )
        )
    if column.numbering is not None:
        words.append(column.numbering.clause(column.ref.schema))
    if (forbidden := column.forbidden) is not None and not forbidden.not_valid:
        words.append(forbidden.clause())
    return joined(words, by=" ")


def costs(column: Described, *, counted: bool) -> bool:
    """Whether every row is written anew where it is added; `counted` if each is to get a default of its own."""
    oid_column = column.generated is not None and not column.virtual
    return oid_column or column.constrained or counted or column.numbering is not None


def beyond(column: Described, old: Described, *, retyped: bool, server: Server) -> bool:
    """Whether it must be dropped and made again; what is generated loses nothing by it."""
    if column.generated is None or column.overrides or old.overrides:
        return old.generated is not None and old.virtual and column.generated is None
    if old.generated is None or column.virtual != old.virtual or retyped:
        return True
    return column.generated != old.generated and (column.virtual or not server.has_set_expression)


def type_alone(value: str) -> str:
    """The type; PostgreSQL would read more than one in a column's definition, and nothing of it would be managed."""
    if beside := said_beside(value):
        raise ValueError(f"type: only the data type stands here, not {beside!r}")
    return value
