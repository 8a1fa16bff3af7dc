"""Typed tables: https://www.postgresql.org/docs/current/sql-createtable.html (OF type_name)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import Field

from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.spelling import QualifiedName
from reconciler.model.statement import Statement, TypeConversion
from reconciler.model.table_like import InheritableTable
from reconciler.model.type_change import PinsType
from reconciler.sql import compose, raw


class RowType(Object):
    """A composite type with the columns of a typed table."""

    @property
    def fields_of_columns(self) -> Mapping[str, Mapping[str, Any]]:
        """The fields of each column, by name, in order."""
        raise NotImplementedError


class TypedTable(PinsType, InheritableTable):
    """A table with columns declared, or taken from a composite type."""

    of: QualifiedName | None = Field(
        default=None,
        description="the composite type of a typed table, which has the columns of the type; "
        "`columns` need not repeat them, and adds defaults and the like",
    )

    def row_type(self, schema: str) -> Ref | None:
        """Return the composite type, in `schema` if the type is named without one."""
        raise NotImplementedError

    def pins_type(self, dependency: Object) -> bool:
        return self.of is not None and dependency.ref != self.ref.schema_ref

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        """Make a typed table an ordinary one, whose columns can be altered."""
        return None if self.of is None else [self._typed(self.of, typed=False)]

    def restore(
        self, old: Self, conversions: Mapping[str, TypeConversion], context: PlanningContext
    ) -> Iterable[Statement]:
        return () if self.of is None else [self._typed(self.of, typed=True)]

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        return old.model_copy(update={"of": self.of})

    def _typed(self, type_: str, *, typed: bool) -> Statement:
        not_of, of = self._alter(raw("NOT OF")), self._alter(compose("OF {}", raw(type_)))
        statement, undo = (of, not_of) if typed else (not_of, of)
        return statement.model_copy(update={"undo": (undo.sql,)})


def is_typed(obj: Object) -> bool:
    """Tell whether a table takes the columns from a composite type."""
    return isinstance(obj, TypedTable) and obj.of is not None
