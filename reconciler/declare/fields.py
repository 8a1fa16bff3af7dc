"""Read the fields of a pydantic model from the nodes of a mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reconciler.declare.files import FileRefused, Files
from reconciler.declare.nodes import (
    MAX_NAME_SHOWN,
    Entries,
    Items,
    Node,
    Scalar,
    described,
    plain,
    shortened,
    unknown,
)
from reconciler.errors import Position, Problem


@dataclass(frozen=True, eq=False)
class FieldValue:
    """A field's value, the position of the key, and the node to blame if pydantic refuses it."""

    value: object
    position: Position
    node: Node


@dataclass(frozen=True, eq=False)
class Reading:
    """The problems found until now, and the files that may be read."""

    problems: list[Problem]
    files: Files


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the declarable fields by YAML key."""
    derived = {"derived": True}
    return {
        f.alias or n: f
        for n, f in model.model_fields.items()
        if not f.exclude and f.json_schema_extra != derived
    }


def key_of(model: type[BaseModel], field: str) -> str:
    """Return the YAML key of a field."""
    info = model.model_fields.get(field)
    return (info.alias if info else None) or field


def help_on(model: type[BaseModel], path: Iterable[str]) -> str:
    """Return the one-line help of the key at the end of a path, as `key: help`, or ""."""
    found = ""
    fields: Mapping[str, FieldInfo] = fields_of(model)
    for key in path:
        if key not in fields:
            break
        found = f"{key}: {fields[key].description}" if fields[key].description else ""
        members = union_members(fields[key].annotation)
        inner = next((m for m in members if is_model(m)), None)
        fields = fields_of(inner) if inner else {}
    return found


@cache
def files_of(model: type[BaseModel]) -> Mapping[str, str]:
    """Map keys for files to the keys of fields with the file's SQL: `body_file: body`."""
    sql_fields: Collection[str] = getattr(model, "sql_fields", ())
    sql_keys = {model.model_fields[n].alias or n for n in sql_fields}
    fields = fields_of(model)
    return {
        f"{key}_file": key
        for key in fields
        if key in sql_keys and str in union_members(fields[key].annotation)
    }


def read_fields(
    node: Entries,
    model: type[BaseModel],
    title: str,
    reading: Reading,
    other_keys: Iterable[str] = (),
) -> dict[str, FieldValue]:
    """Read a model's fields from a mapping; `other_keys` are accepted and skipped."""
    problems = reading.problems
    fields, files = fields_of(model), files_of(model)
    values: dict[str, FieldValue] = {}
    for key, entry in node.entries.items():
        if key in fields:
            value = convert(entry.node, fields[key].annotation, key, reading)
            values[key] = FieldValue(value, entry.position, entry.node)
        elif key in files and files[key] in node.entries:
            message = f"{files[key]} and {key} are both given"
            problems.append(
                Problem(message, entry.position, "keep one of the two", "contradiction")
            )
        elif key in files:
            text = _file_text(entry.node, key, reading)
            values[files[key]] = FieldValue(text, entry.position, entry.node)
        elif key not in other_keys:
            accepted = {*fields, *files, *other_keys}
            problems.append(unknown(f"{title}: unknown key", key, entry.position, accepted))
    return values


def _file_text(node: Node, key: str, reading: Reading) -> str:
    """Read the named file; the path is relative to the YAML file."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        message = f"{key}: expected the path of a file, got {described(node)}"
        reading.problems.append(Problem(message, node.position, rule="wrong-type"))
        return ""
    path = node.position.file.parent / node.value
    try:
        return reading.files.read_sql(path)
    except FileRefused as e:
        shown = shortened(str(path), MAX_NAME_SHOWN)
        message = f"{key}: cannot read {shown}: {e.reason}"
        hint = e.hint or "the path is relative to this YAML file"
        reading.problems.append(Problem(message, node.position, hint, "unreadable-file"))
        return ""


def convert(node: Node, annotation: object, key: str, reading: Reading) -> object:
    """Convert a node to plain data for a field of the type.

    A single item is accepted for a list, and a number or a boolean for text.
    """
    members = union_members(annotation)
    if isinstance(node, Scalar):
        return _convert_scalar(node, members, key, reading)
    if isinstance(node, Items):
        item_type = next((get_args(m)[0] for m in members if get_origin(m) is tuple), object)
        return tuple(convert(i, item_type, key, reading) for i in node.items)
    return _convert_mapping(node, members, key, reading)


def _convert_scalar(
    node: Scalar, members: Collection[object], key: str, reading: Reading
) -> object:
    if node.value is None or type(node.value) in members:
        return node.value
    if str in members or any(is_model(m) for m in members):
        return node.source
    list_type = next((m for m in members if get_origin(m) is tuple), None)
    if list_type is None:
        return node.value
    return (convert(node, get_args(list_type)[0], key, reading),)


def _convert_mapping(
    node: Entries, members: Collection[object], key: str, reading: Reading
) -> object:
    for member in members:
        if get_origin(member) is dict:
            value_type = get_args(member)[1]
            return {
                k: convert(e.node, value_type, f"{key}.{k}", reading)
                for k, e in node.entries.items()
            }
        if is_model(member):
            values = read_fields(node, member, key, reading)
            return {k: v.value for k, v in values.items()}
    return plain(node)


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
    origin = get_origin(annotation)
    if origin is Annotated:
        return union_members(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(m for member in get_args(annotation) for m in union_members(member))
    return (annotation,)
