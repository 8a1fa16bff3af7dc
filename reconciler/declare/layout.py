"""The layout of the YAML files, derived from the kinds: sections, titles and short forms."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.declare.annotations import Takes, main_key_of
from reconciler.declare.fields import takes_of
from reconciler.model.object import Object

Kinds = Mapping[str, type[Object]]
Sections = Mapping[str, type[Object]]


def sections_of(kinds: Kinds, parent: str = "") -> dict[str, type[Object]]:
    """Map section keys to kinds, for entries of the kind `parent`, or for the top of a file."""
    return {k.section: k for k in kinds.values() if _stands_under(k, parent)}


def _stands_under(kind: type[Object], parent: str) -> bool:
    return parent in kind.parent_kinds if parent else not kind.parent_kinds


def kind_title(kind: type[Object]) -> str:
    """Return the kind's name in messages: `materialized view`."""
    return kind.kind.replace("_", " ")


def main_value_of(kind: type[Object]) -> Takes | None:
    """Return what may stand instead of a mapping; None for a kind without a main key."""
    key = main_key_of(kind)
    return takes_of(kind)[key] if key else None


def short_forms(kind: type[Object]) -> dict[str, str]:
    """Map "text" and "a list", where the kind accepts them instead of a mapping, to a key."""
    takes = main_value_of(kind)
    forms = {} if takes is None else {"text": True, "a list": takes.listed}
    return {form: main_key_of(kind) for form, accepted in forms.items() if accepted}
