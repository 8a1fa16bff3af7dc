"""Name what the proof of a plan on scratch leaves open, as far as the plan is concerned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.introspect.unfilled import unfilled
from reconciler.kinds import KINDS
from reconciler.model.deferred import CreatedAsShell
from reconciler.model.kept_off_scratch import KeptOffScratch
from reconciler.model.markers import FiresOnDdl
from reconciler.model.object import Object
from reconciler.plan.step import Step
from reconciler.server.capabilities import Server
from reconciler.server.scratch import Scratch


def unproven_by_steps(steps: Iterable[Step], objects: Iterable[Object]) -> Iterator[str]:
    """Yield what is different on scratch for the steps of a plan; `objects` are all objects."""
    steps, objects = [*steps], [*objects]
    reasons = dict.fromkeys(
        f"{s.kind.replace('_', ' ')} {s.identity} {_left_open(s)}"
        for s in steps
        if any(unfilled(sql, s.kind) != sql for sql in (s.sql, *s.undo))
    )
    yield from reasons
    changed = {(s.kind, s.identity) for s in steps if s.action != "drop"}
    for obj in objects:
        if isinstance(obj, CreatedAsShell) and (obj.ref.kind, obj.ref.identity) in changed:
            kind = obj.ref.kind.replace("_", " ")
            yield from (f"{kind} {obj.ref.identity} {left_open}" for left_open in obj.unproven())
    if any(isinstance(o, FiresOnDdl) for o in objects):
        yield "event triggers let the steps pass: on scratch none fires"


def _left_open(step: Step) -> str:
    kind = KINDS[step.kind]
    if issubclass(kind, KeptOffScratch):
        return kind.unproven
    return "is filled: on scratch it stays empty"


def unproven_by_scratch(scratch: Scratch | None, target: Server) -> Iterator[str]:
    """Yield what a scratch server proves less than one like the target would."""
    if scratch is None:
        return
    if scratch.server.major != target.major:
        yield (
            f"PostgreSQL {target.major} takes the steps: the scratch server is PostgreSQL "
            f"{scratch.server.major}"
        )
    if scratch.caution:
        yield f"declared code stayed where it ran: {scratch.caution}"
