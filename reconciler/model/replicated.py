"""Define the capability of objects that publisher and subscriber must both have.

https://www.postgresql.org/docs/current/logical-replication-restrictions.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from reconciler.model.object import Object
from reconciler.model.replication import Replication
from reconciler.model.statement import Hazard


class Replicated(Object):
    """An object of tables that publisher and subscriber must both have."""

    @classmethod
    def replication_hazards(
        cls, before: Self | None, after: Self | None, replication: Replication
    ) -> Iterable[Hazard]:
        """Return the hazards of creating, altering or dropping the object."""
        raise NotImplementedError

    def renaming_hazards(self, old: str, replication: Replication) -> Iterable[Hazard]:
        """Return the hazards of renaming the object from `old`."""
        del old, replication
        return ()


def replication_hazards(
    before: Object | None, after: Object | None, replication: Replication
) -> Iterable[Hazard]:
    """Return the hazards of creating, altering or dropping any object."""
    old = before if isinstance(before, Replicated) else None
    new = after if isinstance(after, Replicated) else None
    obj = new or old
    return obj.replication_hazards(old, new, replication) if obj is not None else ()


def renaming_hazards(obj: Object | None, old: str, replication: Replication) -> Iterable[Hazard]:
    """Return the hazards of renaming any object from `old`."""
    return obj.renaming_hazards(old, replication) if isinstance(obj, Replicated) else ()
