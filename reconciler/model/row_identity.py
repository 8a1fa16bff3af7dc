"""Know how logical replication identifies the rows of a table.

https://www.postgresql.org/docs/current/logical-replication-publication.html
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from reconciler.model.inheritance import is_partition, parents_of
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


def identifies_rows(obj: Object | None) -> bool:
    """Tell whether any object identifies the rows of its table."""
    return isinstance(obj, IdentifiesRows) and obj.identifies_rows


def tables_without_identity(state: State, around: Mapping[Ref, Object]) -> frozenset[Ref]:
    """Collect the tables of which no UPDATE and no DELETE can be published.

    `around` are objects beside the state: a table may be compared without its primary key.
    """
    state = State({**around, **state.objects}, {})
    keys = {o.ref.on for o in state.of(IdentifiesRows) if o.identifies_rows}
    return frozenset(
        obj.ref
        for obj in state.of(PublishesRows)
        if not (_has_key(state, obj.ref, keys) if obj.row_identity is None else obj.row_identity)
    )


def _has_key(state: State, table: Ref, keys: Set[Ref | None]) -> bool:
    """Tell whether a table has a primary key, be it that of its partitioned table."""
    obj = state.get(table)
    above = parents_of(obj) if obj is not None and is_partition(obj) else ()
    return table in keys or any(_has_key(state, parent, keys) for parent in above)
