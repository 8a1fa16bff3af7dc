"""Read the examples of the language: the declarations in `examples/KIND.yml`, one per document.

Each begins with a comment, its title. Tests apply every example to a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

import yaml
from pydantic import BaseModel

from reconciler.checks.model import Assertion
from reconciler.declare.annotations import models_in
from reconciler.declare.fields import fields_of
from reconciler.declare.layout import sections_of
from reconciler.kinds import KINDS

FOLDER = Path(__file__).parent / "examples"
CHECK = "check"
TOPICS: Mapping[str, type[BaseModel]] = {**KINDS, CHECK: Assertion}

_TITLE = re.compile(r"(?:#.*\n)+")


@dataclass(frozen=True)
class Example:
    """An example: a declaration to be applied, with the keys shown by the example."""

    title: str
    declaration: str


@cache
def examples(topic: str) -> tuple[Example, ...]:
    """Return the examples of a kind, or of checks."""
    text = (FOLDER / f"{topic}.yml").read_text(encoding="utf-8")
    return tuple(_example(document) for document in re.split(r"^---\n", text, flags=re.MULTILINE))


def _example(document: str) -> Example:
    found = _TITLE.match(document)
    comment = found[0] if found else ""
    title = " ".join(line.removeprefix("#").strip() for line in comment.splitlines())
    return Example(title, document.removeprefix(comment).rstrip() + "\n")


@cache
def uses(topic: str) -> Mapping[tuple[type[BaseModel], str], str]:
    """Map each model and key in the examples of a topic to the first use, as `key: value`."""
    found: dict[tuple[type[BaseModel], str], str] = {}
    for example in examples(topic):
        for model_and_key, text in _uses(topic, example.declaration):
            found.setdefault(model_and_key, text)
    return found


def _uses(topic: str, declaration: str) -> Iterator[tuple[tuple[type[BaseModel], str], str]]:
    root = yaml.compose(declaration, Loader=yaml.SafeLoader)
    bodies = _assertions(root) if topic == CHECK else _bodies(topic, root, "")
    for body in bodies:
        yield from _keys(TOPICS[topic], body, declaration)


def _entries(node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from node.value


def _assertions(root: yaml.Node | None) -> Iterator[yaml.Node]:
    for section, checks in _entries(root):
        for _, body in _entries(checks) if section.value == "checks" else ():
            listed = [v for k, v in _entries(body) if k.value == "all"]
            yield from (item for node in listed for item in node.value)
            yield body


def _bodies(kind: str, node: yaml.Node | None, parent: str) -> Iterator[yaml.Node]:
    """Yield the entries of a kind, in the sections of a document or of an entry of `parent`."""
    sections = sections_of(KINDS, parent)
    for key, section in _entries(node):
        inner = sections.get(key.value)
        for _, body in _entries(section) if inner is not None else ():
            if inner is not None and inner.kind == kind:
                yield body
            elif inner is not None:
                yield from _bodies(kind, body, inner.kind)


def _keys(
    model: type[BaseModel], body: yaml.Node, source: str
) -> Iterator[tuple[tuple[type[BaseModel], str], str]]:
    fields = fields_of(model)
    for key, value in _entries(body):
        if key.value in fields:
            yield (model, key.value), _cut(source, key, value)
            for inner in models_in(fields[key.value].annotation):
                for node in (value, *_members(value)):
                    yield from _keys(inner, node, source)


def _members(value: yaml.Node) -> Iterator[yaml.Node]:
    """Yield the values of a mapping of names, and the items of a list."""
    yield from (inner for _, inner in _entries(value))
    if isinstance(value, yaml.SequenceNode):
        yield from value.value


def _cut(source: str, key: yaml.Node, value: yaml.Node) -> str:
    """Return the text from a key to the end of its value."""
    indent = " " * key.start_mark.column
    return dedent(indent + source[key.start_mark.index : value.end_mark.index]).rstrip()
