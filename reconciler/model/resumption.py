"""Define capabilities of interrupted runs: leftovers, and unfinished objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.context import PlanningContext
from reconciler.model.facts import PartitionCopy
from reconciler.model.object import Object
from reconciler.model.record import Record
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement


class LeavesLeftovers(Object):
    """An object built in steps, left behind as a leftover by an interrupted run."""

    def drop_leftover(self, *, declared: bool = True) -> Iterable[Statement]:
        """Drop the leftover if the name is ours, or if undeclared (`declared` false)."""
        raise NotImplementedError

    def replay(self, copies: Mapping[Ref, PartitionCopy]) -> Iterable[Statement]:
        """Create the leftover on a clone, with `copies` on partitions."""
        del copies
        return ()


class Resumable(Object):
    """An object left unfinished by an interrupted run, although the catalog shows no difference."""

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        """Return the statements left to run; none if the object is finished."""
        raise NotImplementedError


class ValidatedLater(Object):
    """An object that may exist before the existing rows are checked, as `not_valid` tells."""


def tells_validity(obj: Object | None, field: str) -> bool:
    """Tell whether a field, such as `constraints.c.not_valid`, says that rows are not checked."""
    return isinstance(obj, ValidatedLater) and field.rsplit(".", maxsplit=1)[-1] == "not_valid"


def drop_leftover(leftover: Record, *, declared: bool) -> list[Statement]:
    """Drop any leftover with a name of ours, or undeclared (`declared` false)."""
    if not isinstance(leftover, LeavesLeftovers):
        return []
    return list(leftover.drop_leftover(declared=declared))


def finish_interrupted(obj: Record, context: PlanningContext) -> Iterable[Statement]:
    """Return the statements left to run on any object."""
    return obj.finish_interrupted(context) if isinstance(obj, Resumable) else ()
