"""The contract of a kind.

A kind is one frozen pydantic class in one file of `reconciler.kinds`. Its fields are the YAML, are what its catalog query
returns, are what `==` compares. The other stages know only what stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import field_validator, model_validator

from reconciler.model.context import PlanningContext
from reconciler.model.record import Record
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement, TypeConversion, undoable
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, literal, text


class Object(Record):
    """One object of a database."""

    section: ClassVar[str]  # the YAML key that lists objects of this kind
    oid_column: ClassVar[str] = (
        ""  # the catalog and column that hold its oid: where none is people's, `catalog` need not be asked
    )
    schemaless: ClassVar[bool] = False  # its name belongs to no schema
    parent_kinds: ClassVar[
        tuple[str, ...]
    ] = ()  # kinds under whose entries that section stands; () is the top level
    follows_type_change: ClassVar[bool] = (
        False  # PostgreSQL itself carries it along when a column under it changes its type
    )
    sql_fields: ClassVar[tuple[str, ...]] = ()  # fields that hold SQL which people wrote
    renamable: ClassVar[bool] = True  # ALTER … RENAME TO knows it
    commentable: ClassVar[bool] = True  # COMMENT ON knows it
    first_version: ClassVar[
        Mapping[str, int]
    ] = {}  # the first major version that knows a field, where 14 does not

    @model_validator(mode="after")
    def _renamable(self) -> Self:
        if self.renamed_from is not None and not self.renamable:
            raise ValueError(
                f"renamed_from: PostgreSQL cannot rename a {self.kind.replace('_', ' ')}"
            )
        return self

    @field_validator("comment")
    @classmethod
    def _remarkable(cls, value: str | None) -> str | None:
        if value is not None and not cls.commentable:
            raise ValueError(
                f"comment: PostgreSQL keeps none on a {cls.kind.replace('_', ' ')}; a # in the file stays there"
            )
        return value

    # -- what a kind says ------------------------------------------------------------------------------------------

    @classmethod
    def catalog(cls, server: Server) -> str:
        """The query that reads every object of the kind outside the system's schemas and extensions.

        A row holds the model's fields, the parts of the Ref (`schema`, `name`, and as they apply `on_kind`, `on_name`,
        `arguments`) and `addresses`: pg_depend's (classid, objid, objsubid) for the object and for what stands for it
        (a view's rule), its own first.
        """
        raise NotImplementedError

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        """Make an object of a catalog row, from which the parts of the ref have been taken."""
        return cls(ref=ref, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        """Turn a YAML entry's key and value into the object's name and its fields; short forms end here."""
        return key, body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        """The short form of an entry, where it has one; `entry` reads it back."""
        return body

    def needs(self) -> frozenset[Ref]:
        """What must exist before this object, as far as its own fields tell; pg_depend tells the rest."""
        return frozenset({self.ref.on or self.ref.schema_ref} if self.ref.schema else ())

    def roles(self) -> frozenset[str]:
        """The roles that the object names; PUBLIC is none."""
        return frozenset()

    def required_versions(self) -> Mapping[str, int]:
        """What it says that 14 does not know, with the first major version that does."""
        return {
            f: major
            for f, major in self.first_version.items()
            if getattr(self, f) != type(self).model_fields[f].default
        }

    def define(
        self, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> Iterable[Statement]:
        """Plain DDL: for scratch, and for objects on what the same plan creates. `parts` are what folds into it."""
        raise NotImplementedError

    def define_online(
        self, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> Iterable[Statement]:
        """The recipe for a busy server, where it is not the plain DDL."""
        return self.define(context, parts)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """The statements that turn `old` into this object, or None where it must be dropped and made again."""
        del old, context
        return None

    def needs_dependents_dropped(self, old: Self) -> bool:
        """Whether PostgreSQL refuses `redefine` while views, policies and the like stand on the object."""
        del old
        return False

    def rewrites_values(self, old: Self) -> bool:
        """Whether it `disturbs`, and what holds values of it is written anew."""
        del old
        return False

    def reparses_expressions(self, old: Self) -> bool:
        """Whether PostgreSQL, when it carries `old` along, would read expressions of which this one has others."""
        del old
        return False

    def pins_column_type(self, part: Object) -> bool:
        """Whether PostgreSQL lets nobody change the type of a part: of a partition key."""
        del part
        return False

    def pins_type(self, beneath: Object) -> bool:
        """Whether PostgreSQL refuses every change to what is beneath while this stands on it: to the type of a typed table."""
        return beneath is self

    def accepts(self, beneath: Object) -> bool:
        """Whether it can stand on what is beneath, once that is so: no primary key does on a column that may be null."""
        del beneath
        return True

    def must_recreate(self, old: Self, standing: Iterable[Object]) -> bool:
        """Whether it must be replaced because these stand on it, although `redefine` knows a way."""
        del old, standing
        return False

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        """Plain DDL that drops the object."""
        del context
        lock = "ACCESS EXCLUSIVE" if self.stands_on else ""
        yield Statement(
            sql=text(compose("DROP {}", self.designation())), lock=lock, relation=self.stands_on
        )

    def remove_online(self, context: PlanningContext) -> Iterable[Statement]:
        """The recipe for a busy server, where it is not the plain DDL."""
        return self.remove(context)

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        """Let go of what is replaced beneath the object, if it holds data; None: it holds none, and is made again."""
        del context
        return None

    def restore(
        self, old: Self, turns: Mapping[str, TypeConversion], context: PlanningContext
    ) -> Iterable[Statement]:
        """Turn `old`, released, into this object on what was replaced; `turns` holds the new data types by name."""
        del old, turns, context
        return ()

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        """What `old` is after that."""
        del old, context
        return self

    def renamed_to(self, name: str) -> Statement:
        """Give the object another name."""
        other = self.model_copy(update={"ref": replace(self.ref, name=name)})
        words = [
            text(compose("ALTER {} RENAME TO {}", o.designation(), n))
            for o, n in ((self, name), (other, self.ref.name))
        ]
        return Statement(
            sql=words[0],
            lock="ACCESS EXCLUSIVE" if self.stands_on else "",
            relation=self.stands_on,
            undo=(words[1],),
        )

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """What can only be said once `finish_needs` are there too: a sequence's owner, whose default needs the sequence."""
        del old, context
        return ()

    def deferred_needs(self) -> frozenset[Ref]:
        """What `finish` needs beside the object itself; it is no prerequisite of the object."""
        return frozenset()

    def reference_errors(self, context: PlanningContext) -> Iterable[tuple[str, str]]:
        """Field and complaint, where it speaks of what is not there and PostgreSQL would not say so; `on` tells what is."""
        del context
        return ()

    def replaces_object(self, old: Self) -> bool:
        """Whether `redefine` puts another object in the place of `old`, of which nobody has said what `finish` says."""
        del old
        return False

    def remove_deferred(self, context: PlanningContext) -> Iterable[Statement]:
        """Take back what `finish` said, before what it needed goes and would take the object with it."""
        del context
        return ()

    def reuses(self, old: Self | None, context: PlanningContext) -> frozenset[Ref]:
        """What is there already of which the recipe makes use, so that nobody else is to drop it: leftovers, pieces."""
        del old, context
        return frozenset()

    def define_replacement(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Make the object again in the transaction that drops what stood in its way; `old` is it, where it is what changes."""
        del old
        return self.define(context)

    # -- what every kind has ---------------------------------------------------------------------------------------

    def free_name(
        self, new: Self, context: PlanningContext
    ) -> tuple[Self, Iterable[Statement]] | None:
        """Let go of what others may take on the way to `new`, a bound, and what it is then; None: it keeps all that it has."""
        del new, context
        return None

    @property
    def commit_group(self) -> Ref | None:
        """What names the transaction that changes to this object share with others, whatever the plan creates."""
        return None

    def create(
        self, context: PlanningContext, parts: Sequence[InlinePart] = (), *, online: bool = True
    ) -> list[Statement]:
        """Everything that makes the object as it is: definition, owner, comment and grants."""
        parts = [p.with_explicit_names(context.claimed) for p in parts]
        made = self.define_online(context, parts) if online else self.define(context, parts)
        attached = (s for o in (self, *parts) for s in o.attach(None, context))
        return [*undoable(made, lambda: self._cleared(parts, context)), *undoable(attached, tuple)]

    def recreate(
        self, old: Self | None, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> list[Statement]:
        """The same, within a replacement: of `old`, or of what the object stands on."""
        parts = [p.with_explicit_names(context.claimed) for p in parts]
        made = self.define(context, parts) if parts else self.define_replacement(old, context)
        attached = (s for o in (self, *parts) for s in o.attach(None, context))
        return [*undoable(made, lambda: self._cleared(parts, context)), *undoable(attached, tuple)]

    def alter(self, old: Self, context: PlanningContext) -> list[Statement] | None:
        """Everything that turns `old` into this object, or None where it must be replaced.

        The first has no undo where the way back is a replacement.
        """
        same = self.with_attached_of(old)
        redefined: Iterable[Statement] | None = () if same == old else same.redefine(old, context)
        if redefined is None:
            return None

        found, restored = list(redefined), () if same == old else old.redefine(same, context)
        if restored is not None:
            found = undoable(found, lambda: restored)
        return [*found, *undoable(self.attach(old, context), lambda: old.attach(self, context))]

    def complete(self, old: Self | None, context: PlanningContext) -> list[Statement]:
        """`finish`, with its way back."""
        return undoable(
            self.define_deferred(old, context),
            lambda: (
                old.define_deferred(self, context)
                if old is not None
                else self.remove_deferred(context)
            ),
        )

    def drop(
        self, context: PlanningContext, lost: Sequence[Object] = (), *, online: bool = True
    ) -> list[Statement]:
        """Everything that drops the object; `lost` are those that go with it and come back when it is undone."""
        parts = [o for o in lost if isinstance(o, InlinePart)]

        def back() -> Iterable[Statement]:
            yield from self.create(context, parts, online=False)
            for obj in lost:
                if not isinstance(obj, InlinePart):
                    yield from obj.create(context, online=False)

        return undoable(self._cleared(parts, context, online=online), back)

    def _cleared(
        self, parts: Iterable[InlinePart], context: PlanningContext, *, online: bool = False
    ) -> Iterable[Statement]:
        """Drop it, and what of its parts does not go with it."""
        yield from self.remove_online(context) if online else self.remove(context)
        for part in parts:
            yield from part.remove_after_parent(context)

    def attach(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Owner, comment and grants, as far as they differ from `old` or from what a new object has."""
        yield from self._own(old, context)
        if self.comment != (old.comment if old else None):
            words = compose("COMMENT ON {} IS {}", self.designation(), literal(self.comment))
            lock = "SHARE UPDATE EXCLUSIVE" if self.stands_on else ""
            yield Statement(sql=text(words), lock=lock, relation=self.stands_on)

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        del old, context
        yield from ()


class InlinePart(Object):
    """A part of another object, created within its CREATE statement when both are new: a column."""

    def clause(self) -> sql.Composable:
        """Return the part as CREATE TABLE lists it."""
        raise NotImplementedError

    def reserved_constraint_names(self) -> frozenset[str]:
        """Return the names of its constraints that are given explicitly."""
        return frozenset()

    def with_explicit_names(self, reserved: Set[tuple[str, str]]) -> Self:
        """Return the part with explicit names for constraints whose default names are reserved.

        `reserved` holds pairs of schema and name: PostgreSQL would choose others to avoid them.
        """
        del reserved
        return self

    def remove_after_parent(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop remains of the part that stay when its parent is dropped."""
        del context
        return ()

    def keep_through(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Restore the part after a change of its parent from `old`, which alters the part too."""
        del changed, old, context
        return ()

    @property
    def accepts_null(self) -> bool:
        """Whether values may be null."""
        return False

    def for_existing_rows(self) -> Self:
        """Return the part as it can be added to a table with rows: without values, nullable."""
        return self


def keep_through(
    obj: Object, changed: Object, old: Object, context: PlanningContext
) -> Iterable[Statement]:
    """Restore any object after a change of its parent from `old`."""
    return obj.keep_through(changed, old, context) if isinstance(obj, InlinePart) else ()


def reserved_constraint_names(obj: Object) -> frozenset[str]:
    """Return the names that PostgreSQL does not choose for a new constraint because of an object."""
    if isinstance(obj, InlinePart):
        return obj.reserved_constraint_names()
    return frozenset({obj.ref.name} if obj.ref.on is not None else ())
