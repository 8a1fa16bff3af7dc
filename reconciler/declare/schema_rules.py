"""Say in JSON Schema which keys of a kind belong together."""

from __future__ import annotations

from typing import Any

from reconciler.declare.annotations import other_keys_of
from reconciler.declare.fields import files_of
from reconciler.model.object import Object

Schema = dict[str, Any]


def rules_of(kind: type[Object]) -> list[Schema]:
    """Return the schema of `exactly_one`, `only_with` and `not_with` of a kind."""
    only = [
        _if_given(kind, f, {"anyOf": [_given(kind, o) for o in others]})
        for f, others in kind.only_with.items()
    ]
    never = [
        _if_given(kind, f, {"not": {"anyOf": [_given(kind, o) for o in others]}})
        for f, others in kind.not_with.items()
    ]
    one = [{"oneOf": [_given(kind, f) for f in fields]} for fields in kind.exactly_one]
    return [*one, *only, *never]


def refused_keys(kind: type[Object]) -> frozenset[str]:
    """Return the keys common to all kinds but refused for the kind."""
    refused = {"comment": not kind.commentable, "renamed_from": not kind.renamable}
    return frozenset(key for key, is_refused in refused.items() if is_refused)


def _if_given(kind: type[Object], field: str, rule: Schema) -> Schema:
    """Apply a rule if the field has any value."""
    return {"if": {"anyOf": [{"required": [k]} for k in _keys(kind, field)]}, "then": rule}


def _keys(kind: type[Object], field: str) -> list[str]:
    key = kind.model_fields[field].alias or field
    return [key, *(k for k, of in other_keys_of(kind).items() if of == key)]


def _given(kind: type[Object], field: str) -> Schema:
    """Tell in JSON Schema whether a field is given, with a value other than the default."""
    default = kind.model_fields[field].get_default(call_default_factory=True)
    values: list[object] = [None, default] if default != () else [None, []]
    keys = _keys(kind, field)
    ways: list[Schema] = [
        {"properties": {k: {"not": {"enum": values}}}, "required": [k]} for k in keys
    ]
    ways += [{"required": [f]} for f, of in files_of(kind).items() if of == keys[0]]
    return {"anyOf": ways}
