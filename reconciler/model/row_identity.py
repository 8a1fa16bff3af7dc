"""Know how logical replication identifies the rows of a table.

https://www.postgresql.org/docs/current/logical-replication-publication.html
"""

from __future__ import annotations

from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import State


class PublishesRows(Object):
    """A table, with the property that says how its rows are identified."""

    @property
    def row_identity(self) -> bool | None:
        """Whether rows have an identity; None if the primary key decides."""
        raise NotImplementedError


class IdentifiesRows(Object):
    """An object on a table that may identify the table's rows by default: a primary key."""

    @property
    def identifies_rows(self) -> bool:
        """Whether the object identifies the rows."""
        raise NotImplementedError


def tables_without_identity(state: State) -> frozenset[Ref]:
    """Collect the tables of which no UPDATE and no DELETE can be published."""
    keys = {
        o.ref.on
        for o in state.objects.values()
        if isinstance(o, IdentifiesRows) and o.identifies_rows
    }
    return frozenset(
        ref
        for ref, obj in state.objects.items()
        if isinstance(obj, PublishesRows)
        and not (ref in keys if obj.row_identity is None else obj.row_identity)
    )
