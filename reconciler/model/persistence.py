"""Define the capability of tables that may be left out of the write-ahead log."""

from __future__ import annotations

from reconciler.model.object import Object


class MayBeUnlogged(Object):
    """A table: one that is written to the log cannot refer to one that is not."""

    @property
    def is_unlogged(self) -> bool:
        """Whether the table is not written to the write-ahead log."""
        raise NotImplementedError
