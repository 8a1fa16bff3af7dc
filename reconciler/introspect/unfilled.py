"""Make on scratch what may be there: empty materialized views, and no subscriptions.

Nobody's query runs there, and nothing connects to another server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from reconciler.kinds import KINDS
from reconciler.model.object import Object
from reconciler.model.on_scratch import FilledByQuery
from reconciler.model.ref import Ref
from reconciler.model.remote import ConnectsElsewhere, on_scratch
from reconciler.model.state import State

_FILLED = [k for k in KINDS.values() if issubclass(k, FilledByQuery)]
_ELSEWHERE = [k for k in KINDS.values() if issubclass(k, ConnectsElsewhere)]


def unfilled(sql: str) -> str:
    """Return a statement as it runs on scratch, without filling an object or connecting."""
    made = on_scratch(sql, _ELSEWHERE)
    return reduce(lambda found, kind: kind.unfilled(found), _FILLED, made)


def filled_as(found: State, expected: Mapping[Ref, Object]) -> State:
    """Return a state of scratch, with objects as filled as the same objects in `expected`.

    Objects that are never made on scratch are those of `expected`.
    """
    filled: dict[Ref, Object] = {
        r: o for r, o in expected.items() if isinstance(o, ConnectsElsewhere)
    }
    for ref, obj in found.objects.items():
        other = expected.get(ref)
        if isinstance(obj, FilledByQuery) and isinstance(other, FilledByQuery):
            filled[ref] = obj.filled_as(other)
    return replace(found, objects={**found.objects, **filled})
