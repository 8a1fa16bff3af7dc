"""Capabilities of interrupted runs: objects left behind by one, and objects left unfinished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.context import PlanningContext
from reconciler.model.facts import PartitionCopy
from reconciler.model.object import Object
from reconciler.model.record import Record
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement


class LeavesLeftovers(Object):
    """An object built in steps, of which an interrupted run leaves a leftover behind."""

    def drop_leftover(self, *, wanted: bool = True) -> Iterable[Statement]:
        """Drop this leftover if its name is ours, or if the declaration does not want it."""
        raise NotImplementedError

    def replay(self, copies: Mapping[Ref, PartitionCopy]) -> Iterable[Statement]:
        """Create this leftover on a clone, with those copies on partitions."""
        del copies
        return ()


class Resumable(Object):
    """An object that an interrupted run may leave unfinished, and that is read as if complete."""

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        """Do the rest of the work; nothing if all of it is done."""
        raise NotImplementedError


def drop_leftover(leftover: Record, *, wanted: bool) -> list[Statement]:
    """Drop any leftover if its name is ours, or if the declaration does not want it."""
    if not isinstance(leftover, LeavesLeftovers):
        return []
    return list(leftover.drop_leftover(wanted=wanted))


def finish_interrupted(obj: Record, context: PlanningContext) -> Iterable[Statement]:
    """Do the rest of the work on any object."""
    return obj.finish_interrupted(context) if isinstance(obj, Resumable) else ()
