"""Data types: how one is replaced without a column losing a value (https://www.postgresql.org/docs/current/sql-altertype.html).

Where columns have the type, it is renamed, the new one is created under its name, each column is turned into the new
one, and then the old one is dropped: all in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar, Self

from psycopg import sql

from reconciler.model.object import Object
from reconciler.model.owned import Granted
from reconciler.model.reserved_names import OLD_PREFIX
from reconciler.model.statement import Statement, TypeConversion
from reconciler.sql import compose, name, raw, text

COLLATE_PREFIX = "COLLATE "  # begins the key of a turn from one collation to another


class Replaceable(Object):
    """What columns have, a type or a collation: it is renamed and not dropped while another takes its place."""

    rename_keyword: ClassVar[str]  # what ALTER … RENAME calls it

    def under_old_name(self, others: Mapping[str, str]) -> Self:
        """The object under the name that it has while it is replaced; `others` are the asides by name."""
        del others
        return self.model_copy(update={"ref": replace(self.ref, name=old_name(self.ref.name))})

    def rename_to_old_name(self, other: Self) -> Iterable[Statement]:
        """Rename it to make room for the new one: then it is `other`."""
        del other
        yield rename_to_old(self.rename_keyword, self.ref.schema, self.ref.name)

    def old_names(self) -> Mapping[str, str]:
        """What comes with it as PostgreSQL prints it, and what that is called aside."""
        return {text(self.sql_name()): text(name(self.ref.schema, old_name(self.ref.name)))}

    def conversions(self, old: Self, other: Self) -> Mapping[str, TypeConversion]:
        """How values get from `old`, which is `other` now, to this."""
        raise NotImplementedError


class DataType(Granted, Replaceable):
    """A type that columns may have."""

    shared_namespace: ClassVar[str] = "type"
    grant_class: ClassVar[str] = "TYPE"
    rename_keyword: ClassVar[str] = "TYPE"
    public_by_default: ClassVar[tuple[str, ...]] = ("usage",)

    def designation(self) -> sql.Composable:
        return compose("TYPE {}", self.sql_name())

    def old_names(self) -> Mapping[str, str]:
        """The types that come with it as format_type prints them."""
        return {
            k + array: v + array for k, v in super().old_names().items() for array in ("", "[]")
        }

    def converted(self, old: DataType, value: sql.Composable, wanted: str) -> sql.Composable:
        """SQL that turns a value of the old type, or of an array of it, into this type, called `wanted`."""
        del old
        return compose("{}::text::{}", value, raw(wanted))

    def conversions(self, old: Self, other: Self) -> Mapping[str, TypeConversion]:
        def turn(own: str, there: str) -> TypeConversion:
            return TypeConversion(
                own,
                there,
                lambda v: self.converted(other, v, own),
                lambda v: other.converted(self, v, there),
            )

        return {own: turn(own, there) for own, there in old.old_names().items()}


def converted(value: sql.Composable, old: str, new: str) -> sql.Composable:
    """A value cast from one type to another: between two that people made, only text is sure to work."""
    through = compose("{}::text", value) if "." in old and "." in new else value
    return compose("{}::{}", through, raw(new))


def old_name(own: str) -> str:
    """The name of what is being replaced, no longer than PostgreSQL's 63 bytes."""
    return (OLD_PREFIX + own).encode()[:63].decode(errors="ignore")


def rename_to_old(words: str, schema: str, own: str, arguments: str = "") -> Statement:
    """Set aside what `words` calls a type or a function."""

    def rename(one: str, other: str) -> str:
        return text(
            compose(
                "ALTER {} {}{} RENAME TO {}", raw(words), name(schema, one), raw(arguments), other
            )
        )

    return Statement(sql=rename(own, old_name(own)), undo=(rename(old_name(own), own),))
