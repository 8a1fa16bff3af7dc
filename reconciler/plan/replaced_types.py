"""Rename, instead of drop, recreated types used by suspended objects, and convert their values."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace

from reconciler.model.datatype import Replaceable
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import TypeConversion


@dataclass
class ReplacedTypes:
    """The types under their temporary names, and conversions of values by name of the type."""

    set_aside: dict[Ref, Replaceable] = field(default_factory=dict[Ref, Replaceable])
    conversions: dict[str, TypeConversion] = field(default_factory=dict[str, TypeConversion])


def replaced_types(
    suspended: Iterable[Ref], recreated: Container[Ref], live: State, desired: State
) -> ReplacedTypes:
    """Return the recreated types of suspended objects, and those of which these types consist."""
    types: dict[Ref, tuple[Replaceable, Replaceable]] = {}  # the old and the new type
    queue = [needed for r in suspended for needed in live.needs(r)]
    while queue:
        ref = queue.pop()
        old = live.get(ref)
        if ref in types or ref not in recreated or not isinstance(old, Replaceable):
            continue
        if new := successor(ref, live, desired):
            types[ref] = old, new
            queue += live.needs(ref)
    found = ReplacedTypes()
    names = {name: aside for old, _ in types.values() for name, aside in old.old_names().items()}
    for ref, (old, new) in types.items():
        renamed = found.set_aside[ref] = old.under_old_name(names)
        losses = _losses(ref, types, live)
        for name, conversion in new.conversions(old, renamed).items():
            found.conversions[name] = replace(conversion, losses=losses)
    return found


def successor(ref: Ref, live: State, desired: State) -> Replaceable | None:
    """Return the desired type or collation, of any kind, with the name of a live type."""
    old = live.get(ref)
    if not isinstance(old, Replaceable):
        return None
    namesakes = (
        obj
        for other, obj in desired.objects.items()
        if (other.schema, other.name) == (ref.schema, ref.name) and isinstance(obj, Replaceable)
    )
    return next((o for o in namesakes if o.shared_namespace == old.shared_namespace), None)


def _losses(
    ref: Ref, types: Mapping[Ref, tuple[Replaceable, Replaceable]], live: State
) -> tuple[str, ...]:
    """Return what values of a replaced type lose, and the values of other types in them."""
    found: dict[str, None] = {}
    queue, seen = [ref], set[Ref]()
    while queue:
        ref = queue.pop()
        if ref in types and ref not in seen:
            seen.add(ref)
            old, new = types[ref]
            found |= dict.fromkeys(new.losses(old))
            queue += live.needs(ref)
    return tuple(found)
