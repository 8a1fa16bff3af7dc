"""Complete the declarations of typed tables by the columns of their composite types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.errors import Position
from reconciler.kinds import KINDS
from reconciler.model.object import InlinePart, Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.model.typed_table import RowType, TypedTable, is_typed


def with_columns_of_types(declaration: Declaration, live: State) -> Declaration:
    """Declare the columns of each typed table whose type is declared, or there already.

    A declared column without a type has that of the attribute. The columns of a typed table are
    those of the type, so that others are dropped.
    """
    tables = {r: o for r, o in declaration.objects.items() if is_typed(o)}
    if not tables or declaration.recorded:
        return declaration
    completed = _Completed(declaration, live)
    for ref, table in tables.items():
        completed.add_columns(ref, table)
    return completed.declaration()


class _Completed:
    """A declaration, and the columns that the types of typed tables add to it."""

    def __init__(self, declaration: Declaration, live: State) -> None:
        self.before, self.live = declaration, live
        self.columns: dict[Ref, dict[Ref, Object]] = {}  # by table, in the order of the type
        self.exclusive = dict(declaration.exclusive)
        self.search_path = dict(declaration.search_path)
        self.positions: dict[tuple[Ref, str], Position] = dict(declaration.positions)

    def declaration(self) -> Declaration:
        """Return the declaration with the columns right behind their tables."""
        added = {r for columns in self.columns.values() for r in columns}
        objects: dict[Ref, Object] = {}
        for ref, obj in self.before.objects.items():
            if ref not in added:
                objects |= {ref: obj, **self.columns.get(ref, {})}
        return replace(
            self.before,
            objects=objects,
            exclusive=self.exclusive,
            search_path=self.search_path,
            positions=self.positions,
        )

    def add_columns(self, ref: Ref, table: Object) -> None:
        """Add the columns of a typed table; none where its type is not known."""
        column = next(
            k for k in KINDS.values() if issubclass(k, InlinePart) and ref.kind in k.parent_kinds
        )
        at = self.before.position(ref, "of")
        if at is not None:
            self.positions.setdefault((ref, column.section), at)
        assert isinstance(table, TypedTable)
        type_ref = table.row_type(self.before.search_path.get(ref) or ref.schema)
        fields = self._fields(type_ref)
        if type_ref is None or fields is None:
            return
        self.exclusive[ref] = self.exclusive.get(ref, frozenset()) | {column.kind}
        own = self.columns[ref] = {}
        for name, values in fields.items():
            part = Ref(column.kind, ref.schema, name, ref)
            if part in self.before.absent:
                continue
            declared = self.before.objects.get(part)
            if declared is None:
                own[part] = column(ref=part, **values)
                self.search_path[part] = self.before.search_path.get(type_ref, "")
                if at is not None:
                    self.positions[part, ""] = at
            else:
                unset = {k: v for k, v in values.items() if k not in declared.model_fields_set}
                own[part] = declared.model_copy(update=unset)

    def _fields(self, ref: Ref | None) -> Mapping[str, Mapping[str, Any]] | None:
        """Return the fields of a type's columns, as declared, else as they are."""
        if ref is None or ref in self.before.absent:
            return None
        for obj in (self.before.objects.get(ref), self.live.get(ref)):
            if isinstance(obj, RowType) and obj.fields_of_columns:
                return obj.fields_of_columns
        return None
