"""Make on scratch what may be there: empty materialized views, no subscriptions, no roles.

Nobody's query runs there, nothing connects to another server, and no role gets attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from reconciler.kinds import KINDS
from reconciler.model.kept_off_scratch import NOTHING, KeptOffScratch
from reconciler.model.object import Object
from reconciler.model.on_scratch import FilledByQuery, HasStandIn
from reconciler.model.ref import Ref
from reconciler.model.state import State

_SCHEMAS = re.compile(r'(?:"(?:[^"]|"")+"|\w+)\.')
_FILLED = [k for k in KINDS.values() if issubclass(k, FilledByQuery)]


def unfilled(sql: str, kind: str) -> str:
    """Return a statement on an object of a kind as it runs on scratch.

    It fills no object, and is nothing for an object that is never made there.
    """
    if issubclass(KINDS[kind], KeptOffScratch):
        return NOTHING
    return reduce(lambda found, filled: filled.unfilled(found), _FILLED, sql)


def filled_as(found: State, expected: Mapping[Ref, Object]) -> State:
    """Return a state of scratch, with objects as filled as the same objects in `expected`.

    Objects that are never made on scratch are those of `expected`. Of stand-ins the originals are
    returned.
    """
    filled: dict[Ref, Object] = {r: o for r, o in expected.items() if isinstance(o, KeptOffScratch)}
    for ref, obj in found.objects.items():
        other = expected.get(ref)
        if isinstance(obj, FilledByQuery) and isinstance(other, FilledByQuery):
            filled[ref] = obj.filled_as(other)
        elif isinstance(obj, HasStandIn):
            filled[ref] = obj.original(other or _unspelled(ref, found, expected))
    return replace(found, objects={**found.objects, **filled})


def _unspelled(ref: Ref, found: State, expected: Mapping[Ref, Object]) -> Object | None:
    """Return what was put in under another spelling of the types in its name, if it is clear."""
    if ref.schema:
        return None
    missing = [o for r, o in expected.items() if r.kind == ref.kind and r not in found]
    new = {_bare(r) for r in found if r.kind == ref.kind and r not in expected}
    same = [o for o in missing if _bare(o.ref) == _bare(ref)]
    others = same or [o for o in missing if _bare(o.ref) not in new]
    return others[0] if len(others) == 1 else None


def _bare(ref: Ref) -> str:
    return _SCHEMAS.sub("", ref.name)
