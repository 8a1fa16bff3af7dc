"""Read the fields of a pydantic model from the nodes of a mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reconciler.declare.annotations import (
    Takes,
    annotation_of,
    main_key_of,
    other_keys_of,
    taken_by,
)
from reconciler.declare.files import FileRefused, Files
from reconciler.declare.nodes import (
    MAX_NAME_SHOWN,
    Entries,
    Entry,
    Items,
    Node,
    Scalar,
    described,
    plain,
    shortened,
    unknown,
)
from reconciler.declare.variables import MARK, Variables
from reconciler.errors import Position, Problem
from reconciler.model.spelling import folded


@dataclass(eq=False, slots=True)
class FieldValue:
    """A field's value, the position of the key, and the node to blame if pydantic refuses it.

    Nothing changes one; the class is not frozen, because that makes creating one twice as slow.
    """

    value: object
    position: Position
    node: Node


@dataclass(eq=False)
class Reading:
    """The problems found until now, the files that may be read, and the document's variables."""

    problems: list[Problem]
    files: Files
    variables: Variables


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the declarable fields by YAML key."""
    derived = {"derived": True}
    return {
        f.alias or n: f
        for n, f in model.model_fields.items()
        if not f.exclude and f.json_schema_extra != derived
    }


@cache
def takes_of(model: type[BaseModel]) -> Mapping[str, Takes]:
    """Return what each declarable field takes, by YAML key."""
    return {key: taken_by(annotation_of(field)) for key, field in fields_of(model).items()}


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
        inner = taken_by(annotation_of(fields[key])).model
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
        if key in sql_keys and taken_by(annotation_of(fields[key])).text
    }


@cache
def _aliases_of(model: type[BaseModel]) -> Mapping[str, str]:
    """Map the keys that are read as another key of the model, those for files too."""
    return {**files_of(model), **other_keys_of(model)}


def read_fields(
    node: Entries,
    model: type[BaseModel],
    title: str,
    reading: Reading,
    other_keys: Collection[str] = (),
) -> dict[str, FieldValue]:
    """Read a model's fields from a mapping; `other_keys` are accepted and skipped."""
    problems = reading.problems
    fields, files, aliases = takes_of(model), files_of(model), _aliases_of(model)
    values, given = dict[str, FieldValue](), dict[str, str]()
    has_aliases = not aliases.keys().isdisjoint(node.entries)
    for written, entry in node.entries.items():
        key = first = written
        if has_aliases:
            key = aliases.get(written, written)
            is_second = key != written and key in node.entries
            first = key if is_second else given.setdefault(key, written)
        if first != written:
            message = f"{first} and {written} are both given"
            hint = "keep one of the two"
            problems.append(Problem(message, entry.position, hint, "contradiction"))
        elif written in files:
            text = _file_text(entry.node, written, reading)
            values[key] = FieldValue(text, entry.position, entry.node)
        elif key in fields:
            value = convert(entry.node, fields[key], key, reading)
            values[key] = FieldValue(value, entry.position, entry.node)
        elif key not in other_keys:
            accepted = {*fields, *files, *other_keys}
            advice: str = getattr(model, "wrong_keys", {}).get(key.lower(), "")
            problem = unknown(f"{title}: unknown key", key, entry.position, accepted, advice)
            problems.append(problem)
    return values


def _file_text(node: Node, key: str, reading: Reading) -> str:
    """Read the named file; the path is relative to the YAML file."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        message = f"{key}: expected the path of a file, got {described(node)}"
        reading.problems.append(Problem(message, node.position, rule="wrong-type"))
        return ""
    path = node.position.file.parent / node.value
    try:
        sql = reading.files.read_sql(path)
    except FileRefused as e:
        shown = shortened(str(path), MAX_NAME_SHOWN)
        message = f"{key}: cannot read {shown}: {e.reason}"
        hint = e.hint or "the path is relative to this YAML file"
        reading.problems.append(Problem(message, node.position, hint, "unreadable-file"))
        return ""
    reading.variables.refuse_in_file(sql, node, key)
    return sql


def convert(node: Node, takes: Takes, key: str, reading: Reading) -> object:
    """Convert a node to plain data for a field.

    A single item is accepted for a list, a number or a boolean for text, a word in any case, and
    the value of the main key for a mapping.
    """
    if isinstance(node, Scalar):
        return _convert_scalar(node, takes, key, reading)
    if isinstance(node, Items):
        return _convert_items(node, takes, key, reading)
    return _convert_mapping(node, takes, key, reading)


def _convert_scalar(node: Scalar, takes: Takes, key: str, reading: Reading) -> object:
    if MARK in node.source and _takes_value(takes):
        node = reading.variables.in_value(node, key, is_text=takes.text or not takes.constants)
    if node.value is None or type(node.value) in takes.constants:
        return node.value
    word = takes.words.get(folded(node.source)) if takes.words else None
    if word is not None:
        return word
    if takes.text:
        return spelled(node.source, node, key, takes, reading)
    if takes.listed:
        return _convert_items(Items(node.position, (node,)), takes, key, reading)
    if takes.model is not None:
        return _main_value(node, takes.model, key, reading)
    return node.value


def _convert_items(node: Items, takes: Takes, key: str, reading: Reading) -> object:
    if takes.keys is not None and takes.listed:
        return _named(node, takes, key, reading)
    if takes.items is None and takes.model is not None:
        return _main_value(node, takes.model, key, reading)
    of_items = takes.of_items
    return tuple([convert(i, of_items, key, reading) for i in node.items])


def _named(node: Items, takes: Takes, key: str, reading: Reading) -> object:
    """Read a list of names as a mapping of the names, each with nothing declared."""
    names = [n for n in node.items if isinstance(n, Scalar) and n.value is not None]
    if len(names) < len(node.items):
        return tuple(plain(i) for i in node.items)
    entries = {n.source: Entry(n.source, n.position, Entries(n.position)) for n in names}
    return _convert_keys(Entries(node.position, entries), takes, key, reading)


def spelled(written: str, node: Node, key: str, takes: Takes, reading: Reading) -> str:
    """Read a text by the field's spelling; report an unreadable text."""
    if takes.spelling is None:
        return written
    if takes.spelling.variables == "name":
        written = reading.variables.in_name(written, node, key, takes.spelling)
    try:
        return takes.read(written)
    except ValueError as e:
        reading.problems.append(Problem(f"{key}: {e}", node.position, rule="invalid-name"))
        return written


def _takes_value(takes: Takes) -> bool:
    """Tell whether a scalar is a literal of SQL, a number, a boolean or a word for the field."""
    if takes.spelling is not None:
        return takes.spelling.variables == "value"
    return not (takes.text or takes.listed or takes.model)


def _main_value(node: Scalar | Items, model: type[BaseModel], key: str, reading: Reading) -> object:
    """Read a value without a key as the value of the model's main key, if there is a main key."""
    main = main_key_of(model)
    takes = takes_of(model)[main] if main else None
    if takes is None or (isinstance(node, Items) and not takes.listed):
        return node.source if isinstance(node, Scalar) else plain(node)
    return {main: convert(node, takes, key, reading)}


def _convert_mapping(node: Entries, takes: Takes, key: str, reading: Reading) -> object:
    if takes.keys is not None:
        return _convert_keys(node, takes, key, reading)
    if takes.model is not None:
        values = read_fields(node, takes.model, key, reading)
        return {k: v.value for k, v in values.items()}
    if takes.items is not None and takes.of_items.model is not None:
        return (convert(node, takes.of_items, key, reading),)
    return plain(node)


def _convert_keys(node: Entries, takes: Takes, key: str, reading: Reading) -> object:
    """Read a mapping by names; report a name in two spellings."""
    converted: dict[str, object] = {}
    of_keys, of_values = takes.of_keys, takes.of_values
    for written, entry in node.entries.items():
        at_key = Scalar(entry.position, written, written)
        own = spelled(written, at_key, key, of_keys, reading)
        if own in converted:
            message = f"{key}: '{shortened(own, MAX_NAME_SHOWN)}' is given twice"
            hint = "keep one of the two"
            reading.problems.append(Problem(message, entry.position, hint, "duplicate-key"))
        value = entry.node
        if takes.listed and of_values.model is not None and plain(value) is None:
            value = Entries(value.position)
        converted[own] = convert(value, of_values, f"{key}.{own}", reading)
    return converted
