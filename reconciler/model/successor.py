"""Let objects follow the name of a table that becomes a partition of a new table of its name."""

from __future__ import annotations

from typing import Self

from reconciler.model.object import Object
from reconciler.model.ref import Ref


class Counts(Object):
    """An object with a counter that belongs to its table: a column with an identity."""

    @property
    def counts(self) -> bool:
        """Whether the object has the counter."""
        raise NotImplementedError


class FollowsName(Object):
    """An object for whoever uses a table by its name: a policy, a publication, a foreign key."""

    def following_name(self, old: Ref, new: Ref) -> Self | None:
        """Return the object for the table `new` in the place of `old`; None if not concerned."""
        return self.on_relation(new) if self.ref.on == old else None

    @property
    def stays_on_partition(self) -> bool:
        """Whether the old table keeps the object besides."""
        return True
