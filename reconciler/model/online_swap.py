"""What is exchanged: built anew beside what is there, kept in step with it, and put in its place in one short transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from reconciler.errors import PlanError
from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.statement import Statement


class SwappedOnline(Object):
    """An object that may be altered so, where its declaration asks for it."""

    def shadow(self, old: Object, context: PlanningContext) -> str:
        """The name of what is built beside `old` to take its place, "" where it is altered as it stands.

        Raises PlanError where that is asked for and cannot be done.
        """
        raise NotImplementedError

    def unable(self, why: str) -> PlanError:
        """That error."""
        return PlanError(
            f"{self.ref} cannot get its new type online: {why}; leave `retype` out, and its table is rewritten under lock",
            objects=[str(self.ref)],
        )

    def swap(self, old: Object, context: PlanningContext) -> Iterable[Statement]:
        """What stands ahead of the transaction, and what is done in it."""
        raise NotImplementedError

    def after_swap(self, old: Object) -> Self:
        """What `old` is after that."""
        raise NotImplementedError
