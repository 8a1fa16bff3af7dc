"""Capabilities of declarations: shorthand, expressions, files, overloads, renamed parts."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Set
from typing import Any, ClassVar, Self

from pydantic import Field

from reconciler.model.object import Object
from reconciler.model.record import Record
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.connection import Connection
from reconciler.sql import split_commas

_ROUTINE_KEY = re.compile(r'((?:"(?:[^"]|"")*+"|[^"(])++)\((.*)\)', re.DOTALL)


class Shorthand(Object):
    """An object able to declare further objects: `references:` of a column is a foreign key."""

    def expand_shorthand(self) -> Iterable[tuple[Ref, dict[str, Any]]]:
        """Return the refs and the fields of the further objects."""
        raise NotImplementedError

    def collapse_shorthand(self, others: Mapping[Ref, Object]) -> tuple[Self, frozenset[Ref]]:
        """Return the object in the shortest form, and the refs declared by the short form."""
        raise NotImplementedError

    def denied(self, others: Iterable[Object]) -> Iterator[tuple[str, Object]]:
        """Yield each short form declared as false, with the form's constraint in `others`."""
        del others
        yield from ()

    def numbered(self, ref: Ref, used: Container[Ref]) -> tuple[Self, Ref] | None:
        """Return the object with another name for the further object `ref`, and that ref.

        PostgreSQL numbers names that are taken; None if it would refuse the name.
        """
        del ref, used
        return None


class DeclaresPart(Object):
    """A kind with entries that declare a field of another object: NOT NULL belongs to a column."""

    @classmethod
    def declared_part(
        cls, ref: Ref, fields: Mapping[str, object]
    ) -> tuple[Ref, str, dict[str, object]] | None:
        """Return the object of the field, the field and the value; None for an object of the kind.

        Raises ValueError for fields that the part has not.
        """
        raise NotImplementedError

    @classmethod
    def absent_part(cls, ref: Ref, owner: Object) -> dict[str, object]:
        """Return the fields of `owner` without the part `ref`; none if it has no such part."""
        raise NotImplementedError


class NumbersNames(Object):
    """An object with a relation that PostgreSQL names, with a number if the name is taken."""

    def with_free_name(self, used: Set[tuple[str, str]]) -> Self:
        """Return the object under a name outside `used`, a set of schemas and names."""
        raise NotImplementedError


class RowExpressions(Object):
    """An object with SQL expressions over a table's row, stored in no catalog: a backfill."""

    @property
    def value_type(self) -> str:
        """The data type of the object's value in the row."""
        raise NotImplementedError

    def expressions(self) -> Mapping[str, str]:
        """Return the expressions by field name."""
        raise NotImplementedError

    def conversions(self) -> Mapping[str, str]:
        """Return the expressions over a row as it is before the change, by field name."""
        return {}

    def with_expression(self, field: str, value: str, *, constant: bool) -> Self:
        """Return the object with the expression `field` as printed by PostgreSQL.

        A `constant` is the same value, and not null, for all rows.
        """
        raise NotImplementedError


class RequiresFiles(Object):
    """An object created from files installed on the server."""

    def files(self) -> frozenset[str]:
        """Return the extensions' names, as in pg_available_extensions."""
        raise NotImplementedError

    def without_defaults_of_files(self, declared: Record | None) -> Self:
        """Return the object without undeclared fields for which a server's files choose a value."""
        del declared
        return self


class DividesMembers(Object):
    """An object with declared members that PostgreSQL may give to another: an operator class."""

    @property
    def whole(self) -> Ref:
        """The other object: the operator family."""
        raise NotImplementedError

    def divided(self, whole: Object, connection: Connection) -> tuple[Self, Object]:
        """Return both objects with the members that PostgreSQL gives to each.

        The connection leads to a scratch database. Raises StatementFailed.
        """
        raise NotImplementedError


class NamedByTypes(Object):
    """An object with data types in the name, to be spelled as PostgreSQL does."""

    def identify(self, connection: Connection) -> Self:
        """Return the object with name and arguments as a scratch server spells them.

        Raises StatementFailed.
        """
        raise NotImplementedError

    def signature_types(self) -> Iterable[str]:
        """Return the data types needed by the object, as PostgreSQL prints types."""
        raise NotImplementedError


class Overloaded(NamedByTypes):
    """An object identified by argument types as well: several may share a name."""

    defining_field: ClassVar[str] = ""  # the field without which a declaration is of a part only

    arguments: str = Field(default="", json_schema_extra={"derived": True})

    def signature_types(self) -> Iterable[str]:
        """Return the types of the arguments."""
        return split_commas(self.ref.arguments or "")

    def argument_forms(self) -> Iterator[str]:
        """Yield the lists of arguments by which a declaration may name a live object in part."""
        yield self.ref.arguments or ""

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        """Keep the live arguments, with their names and defaults, if only a part is declared."""
        full = super().over(live, with_defaults=with_defaults)
        if live is None or with_defaults or self.defining_field in self.model_fields_set:
            return full
        forms = {_without_modes(form) for form in live.argument_forms()}
        is_named_only = _without_modes(self.arguments) in forms
        return full.model_copy(update={"arguments": live.arguments}) if is_named_only else full


class RenamesParts(Object):
    """An object with named parts, not objects by themselves: the values of an enum."""

    renamed_part: ClassVar[str] = "name"  # the field shown by a plan

    @classmethod
    def parts_catalog(cls) -> str:
        """Return the query for the ids that parts keep under any name, or "" without such ids.

        Columns: `address`, the pg_depend address of the object; `part`, the id; `name`.
        """
        return ""

    def part_in_body(self, name: str) -> str:
        """Return the old name of a part as a function's body writes it.

        "" if a body does not tell, or if another part takes the name.
        """
        del name
        return ""

    def parts_renamed(self, live: Self) -> Iterable[tuple[str, str, Statement]]:
        """Return old name, new name and statement for each part of `live` to be renamed."""
        raise NotImplementedError

    def with_parts_from(self, names: Mapping[str, str]) -> Self:
        """Return the declaration with parts renamed; `names` maps new names to old names."""
        del names
        return self


class NamesParts(RenamesParts):
    """An object whose parts are declared with their old names: `{name: b, renamed_from: a}`."""

    def part_names(self) -> Collection[str]:
        """Return the names of the parts."""
        raise NotImplementedError

    def old_part_names(self) -> Mapping[str, str]:
        """Map the names of parts to the declared old names."""
        raise NotImplementedError

    def rename_part(self, old: str, new: str) -> Statement:
        """Return the statement to rename a part, with its undo."""
        raise NotImplementedError

    def parts_renamed(self, live: Self) -> Iterable[tuple[str, str, Statement]]:
        """Rename first what another part's new name waits for."""
        present = {*live.part_names()}
        waiting = {n: o for n, o in self.old_part_names().items() if o in present}
        while free := [n for n in waiting if n not in present]:
            new, old = free[0], waiting.pop(free[0])
            present = present - {old} | {new}
            yield old, new, self.rename_part(old, new)


def require_names_to_be_free(old_names: Mapping[str, str]) -> None:
    """Raise ValueError for parts that take each other's names, their own, or one old name twice.

    `old_names` maps the names of parts to the old ones. Whether a circle is done already, nobody
    could tell from the names.
    """
    for start, before in old_names.items():
        if before == start:
            raise ValueError(f"renamed_from {before} is its own name: give the one it had before")
        circle = [start]
        while (old := old_names.get(circle[-1])) is not None and old not in circle:
            circle.append(old)
        if old == start:
            names = " and ".join(filter(None, (", ".join(circle[:-1]), circle[-1])))
            raise ValueError(
                f"{names} cannot take each other's names in one plan: "
                "rename one to a third name and apply, then give each its name"
            )
    for new, before in old_names.items():
        other = next(n for n, o in old_names.items() if o == before)
        if other != new:
            raise ValueError(f"{other} and {new} cannot both be renamed from {before}")


def conversions(obj: Object) -> Mapping[str, str]:
    """Return any object's expressions over a row as it is before the change, by field name."""
    return obj.conversions() if isinstance(obj, RowExpressions) else {}


def expressions(obj: Object) -> Mapping[str, str]:
    """Return the row expressions of any object by field name."""
    return obj.expressions() if isinstance(obj, RowExpressions) else {}


def with_expression(obj: Object, field: str, value: str, *, constant: bool) -> Object:
    """Return any object with the row expression `field` as printed by PostgreSQL."""
    if not isinstance(obj, RowExpressions):
        return obj
    return obj.with_expression(field, value, constant=constant)


def files(obj: Object) -> frozenset[str]:
    """Return the files required by any object."""
    return obj.files() if isinstance(obj, RequiresFiles) else frozenset()


def without_defaults_of_files(obj: Object, declared: Record | None) -> Object:
    """Return any object without undeclared fields that the server's files decide."""
    return obj.without_defaults_of_files(declared) if isinstance(obj, RequiresFiles) else obj


def _without_modes(arguments: str) -> tuple[str, ...]:
    return tuple(a.removeprefix("IN ") for a in split_commas(arguments))


def split_arguments(key: str) -> tuple[str, str] | None:
    """Split `name(arguments)`, the key of a routine; brackets in a quoted name do not count."""
    found = _ROUTINE_KEY.fullmatch(key)
    return (found[1].strip(), found[2].strip()) if found else None


def with_arguments(key: str, arguments: str = "") -> str:
    """Return the key of a routine with a list of arguments, for a message."""
    if key.count("(") > key.count(")"):
        return f"{key.rstrip()})"
    written = key if key.count("(") == key.count(")") else re.split(r"[\s()]", key)[0]
    return f"{written}({arguments})"


def declared_arguments(obj: Object | None) -> str | None:
    """Return the arguments as declared, defaults and names included; None without arguments."""
    return obj.arguments if isinstance(obj, Overloaded) else None
