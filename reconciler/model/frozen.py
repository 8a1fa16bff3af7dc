"""Define frozen models that are copied often."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    _PlainClass = type
else:

    class _PlainClass(type(BaseModel)):
        """A class whose instances and subclasses are found as those of any class.

        Pydantic's are abstract base classes, for which `isinstance` takes ten times as long. No
        class is registered as a subclass of one here.
        """

        __instancecheck__ = type.__instancecheck__
        __subclasscheck__ = type.__subclasscheck__


_FIELD_SETS: dict[frozenset[str], set[str]] = {}


class Frozen(BaseModel, metaclass=_PlainClass):
    """A frozen model without private attributes and without keys beside its fields.

    `model_copy` does what pydantic's does, in a third of the time: plans of large databases copy
    every object several times, and share the set of given fields, which nothing changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def __init_subclass__(cls, **options: Any) -> None:
        """Put types in place of the texts of annotations, where all their names are known by now.

        Pydantic evaluates the texts of a class once more for each of its subclasses.
        """
        super().__init_subclass__(**options)
        with suppress(NameError):
            cls.__annotations__ = get_annotations(cls, eval_str=True)

    def share_fields_set(self) -> Self:
        """Hold the same set of given fields as other models; large databases have few different.

        Nothing changes the set of a frozen model.
        """
        given = self.__pydantic_fields_set__
        shared = _FIELD_SETS.setdefault(frozenset(given), given)
        object.__setattr__(self, "__pydantic_fields_set__", shared)
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        if deep:
            return super().model_copy(update=update, deep=True)
        copied = object.__new__(type(self))
        values, fields_set = self.__dict__.copy(), self.__pydantic_fields_set__
        if update:
            values.update(update)
            if not fields_set.issuperset(update):
                fields_set = fields_set.union(update)
        object.__setattr__(copied, "__dict__", values)
        object.__setattr__(copied, "__pydantic_fields_set__", fields_set)
        object.__setattr__(copied, "__pydantic_extra__", None)
        object.__setattr__(copied, "__pydantic_private__", None)
        return copied
