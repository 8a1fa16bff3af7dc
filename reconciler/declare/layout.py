"""The layout of the YAML files, derived from the kinds: sections, titles and short forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import cast

from reconciler.declare.fields import fields_of
from reconciler.model.object import Object

Kinds = Mapping[str, type[Object]]
Sections = Mapping[str, type[Object]]

_PROBE = "probe"
_PROBE_FORMS = {"text": _PROBE, "a list": [_PROBE]}
_PROBE_KEYS = (_PROBE, f"{_PROBE}()")  # a routine's key has parentheses


def sections_of(kinds: Kinds, parent: str = "") -> dict[str, type[Object]]:
    """Map section keys to kinds, for entries of the kind `parent`, or for the top of a file."""
    return {k.section: k for k in kinds.values() if _stands_under(k, parent)}


def _stands_under(kind: type[Object], parent: str) -> bool:
    return parent in kind.parent_kinds if parent else not kind.parent_kinds


def kind_title(kind: type[Object]) -> str:
    """Return the kind's name in messages: `materialized view`."""
    return kind.kind.replace("_", " ")


def short_forms(kind: type[Object]) -> dict[str, str]:
    """Map "text" and "a list", where the kind accepts them instead of a mapping, to a field.

    Only `entry` knows a kind's short forms, so values are tried.
    """
    return {
        form: field
        for form, value in _PROBE_FORMS.items()
        for key in _PROBE_KEYS
        for field in _fields_from(kind, key, value)
    }


def _fields_from(kind: type[Object], key: str, value: object) -> Iterator[str]:
    """Yield the fields with `value` after reading an entry with that key and value."""
    with suppress(ValueError):
        _, body = kind.entry(key, value)
        if isinstance(body, dict):
            for field, content in cast("dict[str, object]", body).items():
                if content == value and field in fields_of(kind):
                    yield field
