"""Test that a key with a value is refused, or changes what a new object is created by.

A declaration that is accepted and does nothing is the worst fault of a language. The values are
those of all examples, every word of a choice, true and false: each is given to every example of
its kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args, get_origin

import pytest
from pydantic import ValidationError

from reconciler.declare.annotations import union_members
from reconciler.declare.examples import TOPICS, examples
from reconciler.declare.fields import fields_of
from reconciler.declare.load import load
from reconciler.kinds import KINDS
from reconciler.model.context import PlanningContext
from reconciler.model.declared import Shorthand, conversions, expressions
from reconciler.model.deferred import define_deferred
from reconciler.model.object import Object
from reconciler.server.capabilities import Server

CONTEXT = PlanningContext(Server(180000))
EARLIER = "it is about an object that is there already"
NOT_FOR_NEW = {  # keys that a new object is not created by, and why
    "renamed_from": EARLIER,
    "retype": EARLIER,
    "attach_under_lock": EARLIER,
    "depends_on": "it orders the steps of a plan",
    "lint": "it is about findings",
    "check_body": "it lets the body be created unchecked",
}
KEYS = [(kind, key) for kind, model in KINDS.items() for key in fields_of(model)]


def _named(kind: str, key: str) -> object:
    return pytest.param(kind, key, id=f"{kind}.{key}")


@pytest.mark.parametrize(("kind", "key"), [_named(*k) for k in KEYS if k[1] not in NOT_FOR_NEW])
def test_an_accepted_key_changes_what_is_created(kind: str, key: str) -> None:
    ignored = [f"{obj.ref} with {key}: {value!r}" for obj, value in _ignored(kind, key)]
    assert ignored == []


def _ignored(kind: str, key: str) -> Iterator[tuple[Object, object]]:
    """Yield examples, each with an accepted value of the key without effect."""
    model = KINDS[kind]
    field = _attribute(model, key)
    for obj in _examples_of(kind):
        given = {
            model.model_fields[n].alias or n: getattr(obj, n) for n in obj.model_fields_set
        } | {"ref": obj.ref}
        before = _meaning(obj)
        for value in _values(kind, key):
            if value is None or _same(value, getattr(obj, field)):
                continue
            try:
                changed = model.model_validate(given | {key: value})
            except ValidationError:
                continue
            if not [*changed.misplaced()] and _meaning(changed) == before:
                yield obj, value


def _same(one: object, other: object) -> bool:
    return one == other and type(one) is type(other)


def _attribute(model: type[Object], key: str) -> str:
    return next(n for n, f in model.model_fields.items() if (f.alias or n) == key)


@cache
def _objects() -> tuple[Object, ...]:
    found: list[Object] = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "example.yml"
        for topic in TOPICS:
            for example in examples(topic):
                file.write_text(example.declaration)
                found += load(file).objects.values()
    return tuple(found)


def _examples_of(kind: str) -> Iterator[Object]:
    return (o for o in _objects() if o.kind == kind)


@cache
def _values(kind: str, key: str) -> tuple[object, ...]:
    """Return the values of a key to try, each once."""
    model = KINDS[kind]
    tried: list[object] = [getattr(o, _attribute(model, key)) for o in _examples_of(kind)]
    for member in union_members(fields_of(model)[key].annotation):
        tried += get_args(member) if get_origin(member) is Literal else ()
        tried += (True, False) if member is bool else ()
    found: list[object] = []
    for value in tried:
        if not any(_same(value, f) for f in found):
            found.append(value)
    return tuple(found)


def _meaning(obj: Object) -> object:
    """Return all that a declaration of a new object leads to; an error is no silence."""
    context = replace(CONTEXT, declared={obj.ref: obj})
    try:
        statements = [s.sql for s in obj.create(context, online=False)]
        statements += [s.sql for s in define_deferred(obj, context)]
    except (KeyError, ValueError) as error:
        return repr(error)
    further = [*obj.expand_shorthand()] if isinstance(obj, Shorthand) else []
    return statements, further, expressions(obj), conversions(obj)


def test_keys_without_effect_on_new_objects_are_keys() -> None:
    assert NOT_FOR_NEW.keys() <= {key for _, key in KEYS}
