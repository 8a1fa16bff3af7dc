"""Group objects by transaction: commit all steps for the objects of a group together."""

from __future__ import annotations

from reconciler.model.object import Object
from reconciler.model.ref import Ref


class CommitsTogether(Object):
    """An object with all changes committed in a single transaction: a table with policies."""

    @property
    def commit_group(self) -> Ref | None:
        """Return the ref naming the transaction; None if each change may commit alone."""
        raise NotImplementedError


def commit_group(obj: Object) -> Ref | None:
    """Return the ref naming any object's transaction; None if each change may commit alone."""
    return obj.commit_group if isinstance(obj, CommitsTogether) else None
