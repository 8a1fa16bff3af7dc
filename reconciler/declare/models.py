"""Nodes → pydantic models, and pydantic's errors in our words at the place of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from reconciler.declare.nodes import Entries, Items, Node, Scalar, described, plain, unknown
from reconciler.errors import Position, Problem

Keys = tuple[str, ...]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Context:
    """What a problem that is no single key's is a problem of; where that has been found wrong already, it is not `sound`."""

    what: str
    at: Position
    sound: bool = True


@dataclass(frozen=True, eq=False)
class Given:
    """A value for a field, the place of its key, and the node to blame if it does not fit."""

    value: object
    at: Position
    node: Node


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The fields that people write, by their YAML keys."""
    derived = {"derived": True}
    return {
        f.alias or n: f
        for n, f in model.model_fields.items()
        if not f.exclude and f.json_schema_extra != derived
    }


@cache
def files_of(model: type[BaseModel]) -> Mapping[str, str]:
    """The keys that name a file which holds a field's SQL, and that field's key: `body_file` → `body`."""
    written: Collection[str] = getattr(model, "sql_fields", ())
    keys = {model.model_fields[n].alias or n for n in written}
    return {
        f"{k}_file": k
        for k, f in fields_of(model).items()
        if k in keys and str in _options(f.annotation)
    }


def read_fields(
    node: Entries,
    model: type[BaseModel],
    what: str,
    problems: list[Problem],
    beside: Iterable[str] = (),
) -> dict[str, Given]:
    """The values that a mapping gives to a model's fields; keys `beside` them are known, and somebody else's."""
    own, files, given = fields_of(model), files_of(model), dict[str, Given]()
    for key, entry in node.entries.items():
        if key in own:
            given[key] = Given(
                shaped(entry.node, own[key].annotation, key, problems), entry.at, entry.node
            )
        elif key in files and files[key] in node.entries:
            problems.append(
                Problem(f"{files[key]} and {key} are both given", entry.at, "keep one of the two")
            )
        elif key in files:
            given[files[key]] = Given(_text_of(entry.node, key, problems), entry.at, entry.node)
        elif key not in beside:
            problems.append(unknown(f"{what}: unknown key", key, entry.at, {*own, *files, *beside}))
    return given


def _text_of(node: Node, key: str, problems: list[Problem]) -> str:
    """The text of the file that the node names, relative to the node's own file."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        problems.append(
            Problem(f"{key}: expected the path of a file, got {described(node)}", node.at)
        )
        return ""
    path = node.at.file.parent / node.value
    try:
        return path.read_text("utf-8-sig")
    except OSError as e:
        problems.append(
            Problem(
                f"{key}: cannot read {path}: {e.strerror}",
                node.at,
                "the path is relative to this YAML file",
            )
        )
    except ValueError as e:
        problems.append(Problem(f"{key}: cannot read {path}: {e}", node.at, "SQL is read as UTF-8"))
    return ""


def shaped(node: Node, annotation: object, what: str, problems: list[Problem]) -> object:
    """The node as data for a field of that type: one item stands for a list of it, `0` for the text "0"."""
    options = _options(annotation)
    if isinstance(node, Scalar):
        return _shaped_scalar(node, options, what, problems)
    if isinstance(node, Items):
        item = next((get_args(o)[0] for o in options if get_origin(o) is tuple), object)
        return tuple(shaped(i, item, what, problems) for i in node.items)
    for option in options:
        if get_origin(option) is dict:
            return {
                k: shaped(e.node, get_args(option)[1], f"{what}.{k}", problems)
                for k, e in node.entries.items()
            }
        if isinstance(option, type) and issubclass(option, BaseModel):
            given = read_fields(node, option, what, problems)
            return {k: g.value for k, g in given.items()}
    return plain(node)


def _shaped_scalar(
    node: Scalar, options: Collection[object], what: str, problems: list[Problem]
) -> object:
    if node.value is None or type(node.value) in options:
        return node.value
    if str in options:
        return node.source
    several = next((o for o in options if get_origin(o) is tuple), None)
    return node.value if several is None else (shaped(node, get_args(several)[0], what, problems),)


def _options(annotation: object) -> tuple[object, ...]:
    """The members of a union, without Annotated; a type that is none is its own only member."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(o for member in get_args(annotation) for o in _options(member))
    return (annotation,)


# -- what pydantic found -------------------------------------------------------------------------------------------------

_EXPECTED = {
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
_BOOLS = {
    "yes": "true",
    "on": "true",
    "true": "true",
    "no": "false",
    "off": "false",
    "false": "false",
}


def fitted(
    model: type[M],
    given: Mapping[str, Given],
    context: Context,
    problems: list[Problem],
    **known: object,
) -> M | None:
    """The model of what is given, and of fields that are `known` beside it; None where it does not fit."""
    try:
        return model.model_validate(
            {**{k: g.value for k, g in given.items()}, **known}, strict=True
        )
    except ValidationError as e:
        problems += _translated(e.errors(include_url=False), given, context)
        return None


def _translated(
    errors: Iterable[ErrorDetails], given: Mapping[str, Given], context: Context
) -> Iterator[Problem]:
    """Pydantic's errors in our words; a union has one for each member, those about one value are one problem."""
    misfits: dict[tuple[Keys, Node], list[ErrorDetails]] = {}
    told: list[Keys] = []
    for error in errors:
        path, node = _found(error["loc"], given)
        missing = error["type"] == "missing"
        if error["type"] in _EXPECTED and node is not None:
            misfits.setdefault((path, node), []).append(error)
        elif context.sound or not (
            missing or node is None
        ):  # a key that is spelled wrongly is no second problem
            told.append(path)
            message = f"{error['loc'][-1]} is missing" if missing else _message(error)
            yield Problem(
                f"{'.'.join(path) or context.what}: {message}", node.at if node else context.at
            )
    inside = {p[:n] for p, _ in misfits for n in range(len(p))} | {
        p[:n] for p in told for n in range(len(p) + 1)
    }
    for (path, node), found in misfits.items():
        if path not in inside:  # else more is known of what is in it
            yield _misfit(".".join(path), node, found)


def _message(error: ErrorDetails) -> str:
    raised = error.get("ctx", {}).get("error")
    return (
        str(raised)
        if isinstance(raised, Exception)
        else error["msg"][:1].lower() + error["msg"][1:]
    )


def _misfit(path: str, node: Node, errors: Iterable[ErrorDetails]) -> Problem:
    expected = dict.fromkeys(_EXPECTED[e["type"]].format(**e.get("ctx", {})) for e in errors)
    return Problem(
        f"{path}: expected {' or '.join(expected)}, got {described(node)}",
        node.at,
        _meant(node, expected),
    )


def _meant(node: Node, expected: Collection[str]) -> str:
    said = plain(node)
    if said is None and "text" in expected:
        return 'write "" for empty text'
    if "true or false" in expected and str(said).lower() in _BOOLS:
        return f"did you mean {_BOOLS[str(said).lower()]}?"
    near = get_close_matches(str(said), re.findall(r"'([^']*)'", " ".join(expected)), 1)
    return f"did you mean '{near[0]}'?" if near else ""


def _found(loc: tuple[int | str, ...], given: Mapping[str, Given]) -> tuple[Keys, Node | None]:
    """The keys on the way to what an error is about, and the node there: the innermost that the files hold."""
    path: Keys = ()
    node: Node | None = None
    for step in loc:
        below = _below(node, step, given)
        if below is not None:  # else the step is the member of a union, or what is missing
            node = below
            path += (step,) if isinstance(step, str) else ()
    return path, node


def _below(node: Node | None, step: int | str, given: Mapping[str, Given]) -> Node | None:
    if isinstance(step, int):
        return node.items[step] if isinstance(node, Items) else None
    found = (
        given.get(step)
        if node is None
        else node.entries.get(step)
        if isinstance(node, Entries)
        else None
    )
    return found.node if found else None
