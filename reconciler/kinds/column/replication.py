"""Columns and logical replication: a subscriber needs every column that is sent.

https://www.postgresql.org/docs/current/logical-replication-restrictions.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from reconciler.kinds.column.definition import ColumnDefinition
from reconciler.model.replicated import Replicated
from reconciler.model.replication import Replication, stops_subscription
from reconciler.model.statement import Hazard


class ReplicatedColumn(Replicated, ColumnDefinition):
    """A column that publisher and subscriber must both have."""

    @classmethod
    def replication_hazards(
        cls, before: Self | None, after: Self | None, replication: Replication
    ) -> Iterable[Hazard]:
        if before is not None and after is not None:
            return _hazards_of_altering(after, before, replication)
        if before is not None:
            return _hazards_of_drop(before, replication)
        return _hazards_of_adding(after, replication) if after is not None else ()

    def renaming_hazards(self, old: str, replication: Replication) -> Iterable[Hazard]:
        if sender := _sender(self, old, replication):
            yield replication.stops_subscribers(
                f"{sender} sends {self.ref} instead of {old}",
                "one that has no column of that name stops; rename it there at the same time",
            )
        if writer := replication.writers(self.target.on):
            yield stops_subscription(writer, f"it writes into {old}, which is now {self.ref}")


def _hazards_of_adding(column: ColumnDefinition, replication: Replication) -> Iterable[Hazard]:
    """Return the hazards of adding a column to an existing table."""
    if sender := _sender(column, column.ref.name, replication):
        yield replication.stops_subscribers(
            f"{sender} sends the new {column.ref}",
            "one that has no such column stops; add it there first",
        )
    writer = replication.writers(column.target.on)
    if writer and column.not_null and column.for_existing_rows() != column:
        yield stops_subscription(writer, f"it writes no value for {column.ref}, which is NOT NULL")


def _hazards_of_drop(column: ColumnDefinition, replication: Replication) -> Iterable[Hazard]:
    """Return the hazards of dropping a column."""
    sender = _sender(column, column.ref.name, replication)
    if sender and column.not_null and column.default is None:
        yield replication.stops_subscribers(
            f"{sender} no longer sends {column.ref}",
            "one that needs a value stops; DROP NOT NULL there first, and the column there last",
        )
    if (writer := replication.writers(column.target.on)) and column.generated is None:
        reason = f"{column.ref} goes: drop it at the publisher first, if that sends it"
        yield stops_subscription(writer, reason)


def _hazards_of_altering(
    column: ColumnDefinition, old: ColumnDefinition, replication: Replication
) -> Iterable[Hazard]:
    """Return the hazards of altering a column from `old`."""
    if column.changes_type(old) and (sender := _sender(column, column.ref.name, replication)):
        yield replication.stops_subscribers(
            f"{sender} sends {column.ref} as {column.type}",
            "one whose type does not accept the values stops; change the type there first",
        )
    writer = replication.writers(column.target.on)
    if writer and column.not_null and not old.not_null:
        yield stops_subscription(writer, f"it may write no value for {column.ref}")


def _sender(column: ColumnDefinition, name: str, replication: Replication) -> str:
    """Name the publications that send the column `name`, unless it overrides a parent's."""
    if column.overrides or column.virtual:
        return ""
    generated = column.generated is not None
    return replication.senders(column.target.on, name, generated=generated)
