"""Define the capability of objects that tie their table to another one: foreign keys."""

from __future__ import annotations

from reconciler.model.object import Object
from reconciler.model.ref import Ref


class References(Object):
    """An object on a table that may refer to another table."""

    @property
    def referenced_table(self) -> Ref | None:
        """The other table; None if the object refers to none."""
        raise NotImplementedError


def referenced_table(obj: Object | None) -> Ref | None:
    """Return the table to which any object refers; None if it refers to none."""
    return obj.referenced_table if isinstance(obj, References) else None
