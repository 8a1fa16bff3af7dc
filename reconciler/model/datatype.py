"""Replace data types and collations of columns without losing values.

If columns have the type, the old type is renamed, the new type is created under the name, each
column is converted, and the old type is dropped: all in one transaction. ALTER TYPE cannot change
most types (https://www.postgresql.org/docs/current/sql-altertype.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

from psycopg import sql

from reconciler.model.object import Object
from reconciler.model.owned import Granted
from reconciler.model.reserved_names import OLD_PREFIX
from reconciler.model.statement import Statement, TypeConversion
from reconciler.sql import compose, name, raw, text

COLLATE_PREFIX = "COLLATE "  # begins the key of a conversion from one collation to another


class Replaceable(Object):
    """A type or collation of columns, renamed and dropped last when replaced."""

    rename_keyword: ClassVar[str]  # the keyword of ALTER … RENAME

    def under_old_name(self, old_names: Mapping[str, str]) -> Self:
        """Return the object under the temporary name of a replaced object.

        `old_names` holds the temporary names of all replaced types and collations.
        """
        del old_names
        return self.model_copy(update={"ref": self.ref._replace(name=old_name(self.ref.name))})

    def rename_to_old_name(self, renamed: Self) -> Iterable[Statement]:
        """Rename the object to `renamed`, to free the name for the replacement."""
        del renamed
        yield rename_to_old(self.rename_keyword, self.ref.schema, self.ref.name)

    def old_names(self) -> Mapping[str, str]:
        """Map names printed by PostgreSQL to temporary names, for dependent types too."""
        return {text(self.sql_name()): text(name(self.ref.schema, old_name(self.ref.name)))}

    def conversions(self, old: Self, renamed: Self) -> Mapping[str, TypeConversion]:
        """Return conversions of values by type name, from `old`, now `renamed`, to `self`."""
        raise NotImplementedError

    def losses(self, old: Object) -> Iterator[str]:
        """Yield what the conversion of values does to them without an error, as a predicate."""
        del old
        yield from ()


class DataType(Granted, Replaceable):
    """A data type of columns."""

    shared_namespace: ClassVar[str] = "type"
    grant_class: ClassVar[str] = "TYPE"
    rename_keyword: ClassVar[str] = "TYPE"
    public_by_default: ClassVar[tuple[str, ...]] = ("usage",)

    def designation(self) -> sql.Composable:
        return compose("TYPE {}", self.sql_name())

    def old_names(self) -> Mapping[str, str]:
        """Map the type and the array type, as format_type() prints both."""
        return {
            k + array: v + array for k, v in super().old_names().items() for array in ("", "[]")
        }

    def converted(self, old: DataType, value: sql.Composable, type_name: str) -> sql.Composable:
        """Return SQL to cast a value of the old type, or of the array type, to `type_name`."""
        del old
        return compose("{}::text::{}", value, raw(type_name))

    def conversions(self, old: Self, renamed: Self) -> Mapping[str, TypeConversion]:
        def conversion(new_type: str, old_type: str) -> TypeConversion:
            return TypeConversion(
                new_type,
                old_type,
                lambda v: self.converted(renamed, v, new_type),
                lambda v: renamed.converted(self, v, old_type),
            )

        names = old.old_names()
        return {new_type: conversion(new_type, old_type) for new_type, old_type in names.items()}


def converted(value: sql.Composable, old: str, new: str) -> sql.Composable:
    """Cast a value, between two user-defined types by way of text, for lack of a direct cast."""
    through = compose("{}::text", value) if "." in old and "." in new else value
    return compose("{}::{}", through, raw(new))


def old_name(name: str) -> str:
    """Return the temporary name of a replaced object, at most PostgreSQL's 63 bytes."""
    return (OLD_PREFIX + name).encode()[:63].decode(errors="ignore")


def rename_to_old(keyword: str, schema: str, current: str, arguments: str = "") -> Statement:
    """Rename a type or function to the temporary name of a replaced object."""

    def rename(before: str, after: str) -> str:
        function_or_type = compose("{} {}{}", raw(keyword), name(schema, before), raw(arguments))
        return text(compose("ALTER {} RENAME TO {}", function_or_type, after))

    temporary = old_name(current)
    return Statement(sql=rename(current, temporary), undo=(rename(temporary, current),))
