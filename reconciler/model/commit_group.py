"""Objects with changes that several steps of a plan must commit together."""

from __future__ import annotations

from reconciler.model.object import Object
from reconciler.model.ref import Ref


class CommitsTogether(Object):
    """An object that never is visible half changed: a table with all its policies."""

    @property
    def commit_group(self) -> Ref | None:
        """The object that names the transaction; None if each change may commit on its own."""
        raise NotImplementedError


def commit_group(obj: Object) -> Ref | None:
    """Return the object that names the transaction of changes to any object."""
    return obj.commit_group if isinstance(obj, CommitsTogether) else None
