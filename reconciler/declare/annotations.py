"""Read the annotations of fields: the accepted values and the spelling of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reconciler.model.spelling import Spelling, folded

MAX_REMEMBERED = 1 << 12  # texts of a field: large databases have few types


@dataclass(frozen=True)
class Takes:
    """The kinds of values of a field, by the members of the field's type; None for none of a kind.

    `words` maps each word in `folded` form to the word of the field. `items` is the type of a
    list's items, `keys` and `values` are the types of a mapping's.
    """

    plain: frozenset[type]
    spelling: Spelling | None
    words: Mapping[str, str]
    items: object = None
    keys: object = None
    values: object = None
    model: type[BaseModel] | None = None

    @cached_property
    def listed(self) -> bool:
        """Whether the field takes a list, or a list of names for a mapping of names."""
        values = None if self.values is None else self.of_values.model
        return self.items is not None or bool(getattr(values, "listable", False))

    @cached_property
    def text(self) -> bool:
        """Whether the field takes any text."""
        return str in self.plain

    @cached_property
    def constants(self) -> frozenset[type]:
        """The types of values that the field takes as YAML reads them: numbers and booleans."""
        return self.plain - {str}

    @cached_property
    def read(self) -> Callable[[str], str]:
        """The function that reads a text by the spelling; it raises ValueError."""
        assert self.spelling is not None
        return lru_cache(MAX_REMEMBERED)(self.spelling.read)

    @cached_property
    def write(self) -> Callable[[str], str]:
        """The function that returns the text that is read as a value."""
        assert self.spelling is not None
        return lru_cache(MAX_REMEMBERED)(self.spelling.write)

    @cached_property
    def of_items(self) -> Takes:
        """What an item of a list takes."""
        return taken_by(object if self.items is None else self.items)

    @cached_property
    def of_keys(self) -> Takes:
        """What a key of a mapping takes."""
        return taken_by(self.keys)

    @cached_property
    def of_values(self) -> Takes:
        """What a value of a mapping takes."""
        return taken_by(self.values)


def annotation_of(field: FieldInfo) -> object:
    """Return the type of a field with the annotations."""
    spellings = [m for m in field.metadata if isinstance(m, Spelling)]
    return Annotated[cast("Any", field.annotation), *spellings] if spellings else field.annotation


@cache
def taken_by(annotation: object) -> Takes:
    """Return what a field of a type takes."""
    found: dict[str, Any] = {"plain": frozenset[type](), "spelling": None, "words": {}}
    for member, spelling in _members(annotation):
        origin, args = get_origin(member), get_args(member)
        if origin is Literal:
            found["words"] |= {folded(w): w for w in args if isinstance(w, str)}
        elif origin in (tuple, list):
            found["items"] = args[0]
        elif origin is dict:
            found["keys"], found["values"] = args
        elif is_model(member):
            found["model"] = member
        elif isinstance(member, type):
            found["plain"] |= {member}
            found["spelling"] = spelling or found["spelling"]
    return Takes(**found)


def _members(annotation: object, spelling: Spelling | None = None) -> list[tuple[object, Any]]:
    """List the types of a union without Annotated, each with its spelling."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        own = next((m for m in marks if isinstance(m, Spelling)), spelling)
        return _members(inner, own)
    if origin in (Union, UnionType):
        return [m for a in get_args(annotation) for m in _members(a, spelling)]
    return [(annotation, spelling)]


def is_model(member: object) -> TypeGuard[type[BaseModel]]:
    """Tell whether a type is a pydantic model."""
    return isinstance(member, type) and issubclass(member, BaseModel)


def models_in(annotation: object) -> tuple[type[BaseModel], ...]:
    """List the models in a type, those of a mapping's values and of a list's items too."""
    found: list[type[BaseModel]] = []
    for member in union_members(annotation):
        if is_model(member):
            found.append(member)
        elif get_origin(member) in (dict, tuple):
            found += [m for inner in get_args(member) for m in models_in(inner)]
    return tuple(found)


def union_members(annotation: object) -> tuple[object, ...]:
    """List the types of a union without Annotated; another type is the only member."""
    return tuple(member for member, _ in _members(annotation))


def main_key_of(model: type[BaseModel]) -> str:
    """Return the key whose value alone may stand for a mapping of the model, or ""."""
    return str(getattr(model, "main_key", ""))


@cache
def other_keys_of(model: type[BaseModel]) -> Mapping[str, str]:
    """Map the keys that are read as another key of the model, and not written."""
    return {k: v for c in reversed(model.__mro__) for k, v in vars(c).get("other_keys", {}).items()}


def _written(value: Any, takes: Takes) -> Any:
    """Spell a dumped value of a field as a declaration of the same value."""
    if isinstance(value, str):
        return takes.write(value) if takes.spelling is not None else value
    if isinstance(value, list):
        of_items = takes.of_items
        return [_written(v, of_items) for v in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    content = cast("dict[str, Any]", value)
    if takes.keys is not None:
        of_keys, of_values = takes.of_keys, takes.of_values
        return {_written(k, of_keys): _written(v, of_values) for k, v in content.items()}
    return content if takes.model is None else written_fields(content, takes.model)


def written_fields(dumped: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Spell the dumped fields of a model as a declaration."""
    takes = _taken_by_fields(model)
    return {k: _written(v, takes[k]) for k, v in dumped.items()}


@cache
def _taken_by_fields(model: type[BaseModel]) -> Mapping[str, Takes]:
    return {f.alias or n: taken_by(annotation_of(f)) for n, f in model.model_fields.items()}
