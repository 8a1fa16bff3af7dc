"""Say in one line what a key is for, with an example of its use."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from reconciler.declare.annotations import annotation_of, taken_by
from reconciler.declare.examples import TOPICS, uses
from reconciler.declare.fields import fields_of, help_on

MAX_EXAMPLE = 80  # characters


def advice_on(model: type[BaseModel], path: Iterable[str]) -> str:
    """Return help on the key at the end of a path, as `key: help, as in: key: value`, or ""."""
    path = tuple(path)
    found, used = help_on(model, path), _use(model, path)
    return f"{found} · as in: {used}" if found and used else found


def _use(model: type[BaseModel], path: Iterable[str]) -> str:
    """Return the first use of the key in the examples, if it fits into a line, or ""."""
    topic = next((name for name, of in TOPICS.items() if of is model), "")
    used, inner = "", model
    for key in path if topic else ():
        fields = fields_of(inner)
        if key not in fields:
            break
        used = uses(topic).get((inner, key), "")
        inner = taken_by(annotation_of(fields[key])).model or inner
    return used if "\n" not in used and len(used) <= MAX_EXAMPLE else ""
