"""Hand the counter of a numbered column over between a serial's sequence and an identity's."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kinds.column.definition import ColumnDefinition
from reconciler.kinds.column.identity import count_on, save_counter, sequence_of
from reconciler.model.commit_group import CommitsTogether
from reconciler.model.context import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.model.successor import Counts


class NumberedColumn(Counts, CommitsTogether, ColumnDefinition):
    """A column that may number the rows by an identity."""

    @property
    def commit_group(self) -> Ref | None:
        """The column if numbered, to add the identity in the transaction of DROP DEFAULT."""
        return self.ref if self.counts else None

    @property
    def counts(self) -> bool:
        return self.full_identity is not None


def drop_identity(
    column: ColumnDefinition, context: PlanningContext, *, counts_on: bool
) -> Iterable[Statement]:
    """Save the identity's counter, and drop the identity."""
    identity = column.full_identity
    assert identity is not None
    yield save_counter(identity.sql_name(column.target), column.target)
    yield identity.drop(column.target, context, saved=counts_on)


def hand_over(new: ColumnDefinition, old: ColumnDefinition) -> Iterable[Statement]:
    """Save a serial's counter for an identity, or set it from an identity's saved counter."""
    before, after = sequence_of(old.default), sequence_of(new.default)
    if before is not None and new.identity is not None and new.default is None:
        yield save_counter(before, new.target)
    if after is not None and old.identity is not None:
        yield count_on(after, new.target)


def goes_on_counting(column: ColumnDefinition, context: PlanningContext) -> bool:
    """Return whether the column is declared with a sequence or an identity."""
    declared = context.declared.get(column.ref)
    return isinstance(declared, ColumnDefinition) and (
        declared.identity is not None or declared.default is not None or declared.is_serial
    )
