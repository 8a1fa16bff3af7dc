"""Capabilities of inheritance and partitions.

https://www.postgresql.org/docs/current/ddl-inherit.html

A table that may have parents is `Inheriting`. An object on a parent table that its child tables
have as well is `Inheritable`: a column, a constraint, an index. An object that alters an inherited
one is `Overriding`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Self

from psycopg import sql

from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.record import ATTACHED
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement

_NOT_MARKED = re.compile(r'column "(.+)" in child table.* must be marked NOT NULL')


class Inheriting(Object):
    """A table with parent tables, a partition, or a table eligible to be either.

    `kept_in_place` are the fields that a partitioned table takes over from a table that it replaces
    and that becomes its partition.
    """

    kept_in_place: ClassVar[frozenset[str]] = ATTACHED

    @property
    def parents(self) -> tuple[Ref, ...]:
        """The parent tables, the partitioned table last."""
        raise NotImplementedError

    @property
    def is_partition(self) -> bool:
        """Whether the only parent is a partitioned table."""
        raise NotImplementedError

    @property
    def is_default_partition(self) -> bool:
        """Whether the table is the partition of all rows that no other takes."""
        return False

    @property
    def partitioned_parent(self) -> bool:
        """Whether the table is partitioned itself."""
        return False

    def without_parents(self) -> Self:
        """Return the table without parents."""
        raise NotImplementedError


def is_default_partition(obj: Object | None) -> bool:
    """Tell whether any object is a default partition."""
    return isinstance(obj, Inheriting) and obj.is_default_partition


def in_place_of(new: Object, old: Object) -> Object:
    """Return a table named as `new` with nothing but what `new` takes over from `old`."""
    fields = new.kept_in_place if isinstance(new, Inheriting) else frozenset[str]()
    kept = {f: getattr(old, f) for f in fields & type(new).model_fields.keys()}
    return type(new)(ref=new.ref, **kept)


class Inheritable(Object):
    """An object on a table, inherited by child tables."""

    def is_inherited_by(self, child: Inheriting) -> bool:
        """Tell whether a direct child table has the object too."""
        del child
        return True

    def inherited_by(self, child: Ref) -> Self:
        """Return the child table's inherited object, without comment, owner and privileges."""
        return self.without_attached().on_relation(child)

    def satisfied_by(self, found: Self) -> bool:
        """Compare with a live object; parents attached later may still add properties."""
        return self.matches(found)


class Overriding(Object):
    """An object able to alter an inherited object: a column's default, a partition's trigger."""

    @property
    def overrides(self) -> bool:
        """Whether the object only alters an inherited object."""
        raise NotImplementedError

    @property
    def also_inherited(self) -> bool:
        """Whether a parent has the object too: changes on the parent apply to the child."""
        return self.overrides

    def filled(self, inherited: Object) -> Self:
        """Return the object with unset fields filled from the inherited object."""
        del inherited
        return self

    def must_own_before(self, was: Object, old: Object, new: Object) -> bool:
        """Tell whether to define the object locally before the parent's changes from old to new.

        `was` is the object before the plan. Without a local definition, the parent's change would
        drop the object on the child table.
        """
        del was, old, new
        return False

    def override_clause(self, context: PlanningContext) -> sql.Composable | None:
        """Return the override as a CREATE TABLE clause; None if ALTER can set the override."""
        del context
        return None

    def restate_overrides(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Repeat statements undone by a change of the table or of the parent's object."""
        del changed, old, context
        return ()

    def renamed_while_reparenting(
        self, before: Object, after: Object, context: PlanningContext
    ) -> tuple[Statement, Statement] | None:
        """Return a rename of the parent's object, and the reverse, around a change of parents.

        A child table inherits the object as `before` from the old parents, and as `after` from the
        new parents.
        """
        del before, after, context
        return None


def parents_of(obj: Object | None) -> tuple[Ref, ...]:
    """Return the parent tables of any object."""
    return obj.parents if isinstance(obj, Inheriting) else ()


def is_partition(obj: Object | None) -> bool:
    """Tell whether any object is a partition."""
    return isinstance(obj, Inheriting) and obj.is_partition


def is_partitioned(obj: Object | None) -> bool:
    """Tell whether any object is a partitioned table."""
    return isinstance(obj, Inheriting) and obj.partitioned_parent


def overrides(obj: Object | None) -> bool:
    """Tell whether any object only alters an inherited object."""
    return isinstance(obj, Overriding) and obj.overrides


def also_inherited(obj: Object | None) -> bool:
    """Tell whether a parent has any object too."""
    return isinstance(obj, Overriding) and obj.also_inherited


def filled(obj: Object, inherited: Object | None) -> Object:
    """Return any object with unset fields filled from the inherited object."""
    if inherited is None or not isinstance(obj, Overriding):
        return obj
    return obj.filled(inherited)


def inherited_by(obj: Object, child: Object) -> Object | None:
    """Return any object as inherited by a direct child table, None if not inherited."""
    if not isinstance(obj, Inheritable) or not isinstance(child, Inheriting):
        return None
    return obj.inherited_by(child.ref) if obj.is_inherited_by(child) else None


def restate_overrides(
    obj: Object, changed: Object, old: Object, context: PlanningContext
) -> Iterable[Statement]:
    """Repeat statements for any object undone by a change from `old`."""
    return obj.restate_overrides(changed, old, context) if isinstance(obj, Overriding) else ()


def must_own_before(obj: Object, was: Object, old: Object, new: Object) -> bool:
    """Tell whether to define any object locally before the parent's changes from old to new."""
    return isinstance(obj, Overriding) and obj.must_own_before(was, old, new)


def override_clause(obj: Object, context: PlanningContext) -> sql.Composable | None:
    """Return any object's override as a CREATE TABLE clause; None if ALTER can set the override."""
    return obj.override_clause(context) if isinstance(obj, Overriding) else None


def satisfied_by(desired: Object, found: Object) -> bool:
    """Tell whether any object was created as planned; parents attached later may bring the rest."""
    if isinstance(desired, Inheritable):
        return isinstance(found, Inheritable) and desired.satisfied_by(found)
    return desired.matches(found)


def hint_on_joining(message: str) -> str:
    """Return what to declare where PostgreSQL refuses to give a table a parent, else ""."""
    found = _NOT_MARKED.search(message)
    return (
        f"declare it with the child table too: columns: {{{found[1]}: {{not_null: true}}}}"
        if found
        else ""
    )
