"""Build pydantic models, and report pydantic's errors at the positions of the wrong values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconciler.declare.advice import advice_on
from reconciler.declare.fields import FieldValue
from reconciler.declare.nodes import Entries, Items, Node, described, plain
from reconciler.errors import Position, Problem

Path = tuple[str, ...]
M = TypeVar("M", bound=BaseModel)

_EXPECTED = {  # pydantic's types of errors about a value of the wrong type
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "literal_error": "{expected}",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
}
_BOOLEANS = {
    "yes": "true",
    "on": "true",
    "true": "true",
    "no": "false",
    "off": "false",
    "false": "false",
}


@dataclass(eq=False, slots=True)
class Subject:
    """The object or check to build: a ref or a title for messages, and a position.

    `readable` is False where a problem of the mapping is reported already. A missing field is then
    no second problem: the key may be misspelled.
    """

    title: object
    position: Position
    readable: bool = True


def validated(
    model: type[M],
    fields: Mapping[str, FieldValue],
    subject: Subject,
    problems: list[Problem],
    **derived: object,
) -> M | None:
    """Build a model of the fields and of `derived` values; None where pydantic refuses."""
    values = {k: f.value for k, f in fields.items()} | derived
    try:
        return model.model_validate(values, strict=True)
    except ValidationError as e:
        problems += _translated(e.errors(include_url=False), fields, subject, model)
        return None


def _translated(
    errors: Iterable[ErrorDetails],
    fields: Mapping[str, FieldValue],
    subject: Subject,
    model: type[BaseModel],
) -> Iterator[Problem]:
    """Translate pydantic's errors into a problem per value.

    Pydantic reports a value of the wrong type once for every member of a union.
    """
    mismatches: dict[tuple[Path, Node], list[ErrorDetails]] = {}
    reported: list[Path] = []
    for error in errors:
        path, node = _locate(error["loc"], fields)
        if node is not None and error["type"] in _EXPECTED:
            mismatches.setdefault((path, node), []).append(error)
        elif subject.readable or (node is not None and error["type"] != "missing"):
            reported.append(path)
            title = ".".join(path) or str(subject.title)
            position = node.position if node else subject.position
            rule = "missing-field" if error["type"] == "missing" else "invalid-value"
            message, hint = _message(error, node), advice_on(model, path)
            yield Problem(f"{title}: {message}", position, hint, rule)
    covered = _parents(path for path, _ in mismatches) | _parents(reported) | {*reported}
    for (path, node), found in mismatches.items():
        if path not in covered:  # else a more specific problem is reported inside the value
            yield _mismatch(".".join(path), node, found, advice_on(model, path))


def _parents(paths: Iterable[Path]) -> set[Path]:
    return {path[:length] for path in paths for length in range(len(path))}


def _message(error: ErrorDetails, node: Node | None) -> str:
    if error["type"] == "missing":
        return f"{error['loc'][-1]} is missing"
    if error["type"] == "string_pattern_mismatch" and node is not None:
        return f"cannot be {described(node)}"
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, Exception):
        return str(raised)
    return error["msg"][:1].lower() + error["msg"][1:]


def _mismatch(path: str, node: Node, errors: Iterable[ErrorDetails], help_line: str) -> Problem:
    expected = dict.fromkeys(_EXPECTED[e["type"]].format(**e.get("ctx", {})) for e in errors)
    message = f"{path}: expected {' or '.join(expected)}, got {described(node)}"
    hints = (_suggestion(plain(node), expected), help_line)
    return Problem(message, node.position, " · ".join(filter(None, hints)), "wrong-type")


def _suggestion(value: object, expected: Collection[str]) -> str:
    if value is None and "text" in expected:
        return 'write "" for empty text'
    if "true or false" in expected and str(value).lower() in _BOOLEANS:
        return f"did you mean {_BOOLEANS[str(value).lower()]}?"
    literals = re.findall(r"'([^']*)'", " ".join(expected))
    nearest = get_close_matches(str(value), literals, 1)
    return f"did you mean '{nearest[0]}'?" if nearest else ""


def _locate(
    location: Iterable[int | str], fields: Mapping[str, FieldValue]
) -> tuple[Path, Node | None]:
    """Find the innermost node on pydantic's path to an error, and the keys on the way.

    Steps without a node are members of a union, or missing keys.
    """
    path: Path = ()
    node: Node | None = None
    for step in location:
        child = _field_node(step, fields) if node is None else _child(node, step)
        if child is not None:
            node = child
            path += (step,) if isinstance(step, str) else ()
    return path, node


def _field_node(step: int | str, fields: Mapping[str, FieldValue]) -> Node | None:
    return fields[step].node if isinstance(step, str) and step in fields else None


def _child(node: Node, step: int | str) -> Node | None:
    if isinstance(step, int):
        return node.items[step] if isinstance(node, Items) else None
    if isinstance(node, Entries) and step in node.entries:
        return node.entries[step].node
    return None
