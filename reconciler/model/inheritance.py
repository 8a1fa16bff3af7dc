"""What an object is to what inherits from it, or from what it lives on: a part of the contract of a kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from psycopg import sql

from reconciler.model.context import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement

if TYPE_CHECKING:
    from reconciler.model.object import Object


class Inheriting:
    """What a kind says of parents and heirs; nothing, where it has none."""

    @property
    def parents(self) -> tuple[Ref, ...]:
        """The objects whose parts are this object's too, without being listed: a table's parents, for its columns."""
        return ()

    def restate_overrides(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Say again what the change of `old` to `changed`, on which this stands or which it overrides, has overwritten."""
        del changed, old, context
        return ()

    def keep_through(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Stay as it is through the change of `old` to `changed`, on which it stands and which changes it too."""
        del changed, old, context
        return ()

    @property
    def overrides(self) -> bool:
        """Whether it only alters a part that a parent gives; `define` says how, where `clause` cannot."""
        return False

    def filled(self, given: Object) -> Self:
        """One that overrides, as if it were the heir's own: with what it leaves to what a parent gives."""
        del given
        return self

    def must_own_before(self, was: Object, old: Object, new: Object) -> bool:
        """Whether what it has, and `was` had, must be the heir's own before the change of the parent's from `old` to `new` takes it."""
        del was, old, new
        return False

    @property
    def also_inherited(self) -> bool:
        """Whether a parent gives it too, so that what is said of the parent's is said of this one."""
        return self.overrides

    def override_clause(self, context: PlanningContext) -> sql.Composable | None:
        """How one that overrides stands in the definition of the heir, where nothing can say it later."""
        del context
        return None

    def renamed_while_reparenting(
        self, before: Object, after: Object, context: PlanningContext
    ) -> tuple[Statement, Statement] | None:
        """What is done to this part, and undone, around the moment in which an heir gets other parents.

        It gives the heir `before`, which is to be `after`, as other parents give it.
        """
        del before, after, context
        return None
