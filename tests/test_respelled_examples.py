"""Test that every example means the same in other spellings of its names, words and lists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from reconciler.declare.annotations import Takes, annotation_of, other_keys_of, taken_by
from reconciler.declare.examples import TOPICS, examples
from reconciler.declare.fields import fields_of
from reconciler.declare.layout import sections_of
from reconciler.declare.load import load
from reconciler.kinds import KINDS
from reconciler.model.object import Object
from reconciler.model.privileges import PUBLIC
from reconciler.model.spelling import RawName, SqlName, folded
from reconciler.model.state import Declaration
from tests.reference import yaml_document

PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
Change = Callable[[Any, Takes], Any]
Body = dict[str, Any]


def quoted(value: Any, takes: Takes) -> Any:
    is_name = isinstance(takes.spelling, RawName | SqlName) and isinstance(value, str)
    return f'"{value}"' if is_name and PLAIN.fullmatch(value) and value != PUBLIC else value


def in_capitals(value: Any, takes: Takes) -> Any:
    is_word = isinstance(value, str) and folded(value) in takes.words
    return value.upper() if is_word else value


def listed(value: Any, takes: Takes) -> Any:
    return [value] if takes.items is not None and isinstance(value, str) else value


def alone(value: Any, takes: Takes) -> Any:
    return value[0] if takes.items is not None and _length(value) == 1 else value


def _length(value: Any) -> int:
    return len(cast("list[Any]", value)) if isinstance(value, list) else 0


CHANGES: Mapping[str, Change] = {
    "quoted names": quoted,
    "words in capitals": in_capitals,
    "lists of one": listed,
    "one for a list": alone,
}


def _respelled(value: Any, annotation: object, change: Change) -> Any:
    takes = taken_by(annotation)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if takes.items is not None:
            return change([_respelled(v, takes.items, change) for v in items], takes)
        return items
    if not isinstance(value, dict):
        return change(value, takes)
    content = cast("Body", value)
    if takes.model is not None:
        return _fields(content, takes.model, change)
    if takes.keys is None:
        return content
    names = taken_by(takes.keys)
    return {change(k, names): _respelled(v, takes.values, change) for k, v in content.items()}


def _fields(body: Body, model: type[BaseModel], change: Change) -> Body:
    known, others = fields_of(model), other_keys_of(model)
    return {
        key: _respelled(value, annotation_of(known[others.get(key, key)]), change)
        if others.get(key, key) in known
        else value
        for key, value in body.items()
    }


def _sections(body: Body, parent: str, change: Change) -> Body:
    found = dict(body)
    for section, kind in sections_of(KINDS, parent).items():
        if isinstance(body.get(section), dict):
            entries: Body = body[section]
            found[section] = {_name(n, change): _entry(b, kind, change) for n, b in entries.items()}
    return found


def _name(name: str, change: Change) -> str:
    return f'"{name}"' if change is quoted and PLAIN.fullmatch(name) else name


def _entry(body: Any, kind: type[Object], change: Change) -> Any:
    if not isinstance(body, dict):
        return body
    return _fields(_sections(cast("Body", body), kind.kind, change), kind, change)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("topic", TOPICS)
def test_an_example_means_the_same(topic: str, change: str, tmp_path: Path) -> None:
    for example in examples(topic):
        document = yaml_document(example.declaration)
        other = _sections(document, "", CHANGES[change])
        first, second = _loaded(document, tmp_path), _loaded(other, tmp_path)
        assert second.objects == first.objects, json.dumps(other)
        assert second.absent == first.absent, json.dumps(other)


def _loaded(document: Body, folder: Path) -> Declaration:
    file = folder / "state.yml"
    file.write_text(json.dumps(document))
    return load(file)
