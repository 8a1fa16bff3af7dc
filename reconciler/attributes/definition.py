"""How a column stands in CREATE TABLE and ADD COLUMN."""

from __future__ import annotations

import re
from typing import Protocol

from psycopg import sql

from reconciler.attributes.conversion import collate
from reconciler.attributes.identity import Identity
from reconciler.attributes.keeper import Keeper
from reconciler.attributes.nulls import NotNull
from reconciler.attributes.storage import Stored
from reconciler.ref import Ref
from reconciler.statement import compose, joined, literal, name, raw

BESIDE = re.compile(r"\b(generated|default|collate|constraint|references|primary\s+key|unique|check|not\s+null|null)\b", re.I)


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
    def keeper(self) -> Keeper | None: ...


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
        words.append(compose("OPTIONS ({})", joined(compose("{} {}", k, literal(v)) for k, v in column.options.items())))
    if column.collation is not None:
        words.append(compose("COLLATE {}", collate(column.collation)))
    if column.default is not None:
        words.append(compose("DEFAULT {}", raw(column.default)))
    if column.generated is not None:
        words.append(compose("GENERATED ALWAYS AS ({}) {}", raw(column.generated), raw("VIRTUAL" if column.virtual else "STORED")))
    if column.numbering is not None:
        words.append(column.numbering.clause(column.ref.schema))
    if (forbidden := column.forbidden) is not None and not forbidden.not_valid:
        words.append(forbidden.clause())
    return joined(words, by=" ")
