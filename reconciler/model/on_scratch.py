"""Capabilities of objects with code that PostgreSQL would run on scratch, or with companions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field

from reconciler.model.object import Object
from reconciler.model.ref import Ref


class RunsBody(Object):
    """An object with a body that other objects' creation may run: a function."""

    check_body: bool = Field(
        default=True,
        description="false creates it although its body does not compile, with a warning",
    )

    def as_state(self) -> Self:
        return super().as_state().model_copy(update={"check_body": True})

    def without_body(self) -> Self:
        """Return an object of the same signature that does nothing."""
        raise NotImplementedError

    def literal_body(self) -> str | None:
        """Return the body if PostgreSQL stores the text, not the parsed statements."""
        raise NotImplementedError

    def looked_up(self) -> str | None:
        """Return the part of the body whose names are looked up on the search_path of the caller.

        None if the object sets a search_path of its own.
        """
        raise NotImplementedError


class FilledByQuery(Object):
    """An object that may hold the result of a query: a materialized view."""

    @classmethod
    def unfilled(cls, sql: str) -> str:
        """Return a statement without filling an object; another statement unchanged."""
        raise NotImplementedError

    def filled_as(self, other: Self) -> Self:
        """Return the object, as filled as another."""
        raise NotImplementedError


class StoresResult(Object):
    """An object of which PostgreSQL stores what an expression yields: a partition's bound."""

    def evaluated(self) -> Mapping[str, str]:
        """Return the expressions by field name."""
        raise NotImplementedError


class HasStandIn(Object):
    """An object for which scratch may have a stand-in: a function in C, a base type."""

    def original(self, expected: Object | None) -> Self:
        """Return the object itself, read back from a stand-in; `expected` was put in, if known."""
        raise NotImplementedError


class Companion(Object):
    """An object that PostgreSQL may create together with others: an extension with its schema."""

    def brings(self) -> frozenset[Ref]:
        """Return the others."""
        raise NotImplementedError


def without_body(obj: Object) -> Object:
    """Return any object without its body, if any."""
    return obj.without_body() if isinstance(obj, RunsBody) else obj


def literal_body(obj: Object) -> str | None:
    """Return the literal body of any object, if any."""
    return obj.literal_body() if isinstance(obj, RunsBody) else None


def is_checked(obj: Object) -> bool:
    """Tell whether the body of any object must compile."""
    return not isinstance(obj, RunsBody) or obj.check_body


def without_check(obj: Object) -> Object:
    """Return any object without the need to compile its body, if it has one."""
    has_body = isinstance(obj, RunsBody)
    return obj.model_copy(update={"check_body": False}) if has_body else obj


def looked_up(obj: Object | None) -> str | None:
    """Return what any object looks up on the search_path of a caller, if it has a body."""
    return obj.looked_up() if isinstance(obj, RunsBody) else ""


def brings(obj: Object) -> frozenset[Ref]:
    """Return what PostgreSQL may create together with any object."""
    return obj.brings() if isinstance(obj, Companion) else frozenset()


def evaluated(obj: Object) -> Mapping[str, str]:
    """Return the expressions of any object of which PostgreSQL stores only the results."""
    return obj.evaluated() if isinstance(obj, StoresResult) else {}
