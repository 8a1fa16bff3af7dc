"""The contract of a kind.

A kind is one frozen pydantic class in one file of `reconciler.kinds`. Its fields are the YAML, are what its catalog query
returns, are what `==` compares. The other stages know only what stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from reconciler.model.context import PlanningContext
from reconciler.model.facts import PartitionCopy
from reconciler.model.inheritance import Inheriting
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement, TypeConversion, undoable
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, Row
from reconciler.sql import compose, literal, name, raw, text

ATTACHED = frozenset({"comment", "owner", "grants"})  # what is said of an object that is there


class Object(Inheriting, BaseModel):
    """One object of a database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    section: ClassVar[str]  # the YAML key that lists objects of this kind
    oid_column: ClassVar[str] = (
        ""  # the catalog and column that hold its oid: where none is people's, `catalog` need not be asked
    )
    schemaless: ClassVar[bool] = False  # its name belongs to no schema
    parent_kinds: ClassVar[
        tuple[str, ...]
    ] = ()  # kinds under whose entries that section stands; () is the top level
    inline_in_parent: ClassVar[bool] = (
        False  # created as part of what it lives on, when that is created too
    )
    omitted_is_default: ClassVar[bool] = (
        False  # a declaration is the whole definition: a key left out means its default
    )
    applies_last: ClassVar[bool] = (
        False  # bears on what others are made as: on every clone, and changed after everything else
    )
    follows_type_change: ClassVar[bool] = (
        False  # PostgreSQL itself carries it along when a column under it changes its type
    )
    relation: ClassVar[bool] = False  # shares the namespace of tables, indexes, sequences and views
    shared_namespace: ClassVar[str] = (
        ""  # the namespace, if it is another, that it shares with further kinds: "type" or "routine"
    )
    platform_dependent: ClassVar[bool] = (
        False  # made of what one server has and another of the same version may lack: ICU, a locale
    )
    hidden_dependency: ClassVar[bool] = (
        False  # of what uses it PostgreSQL notes only that it calls the routine behind it
    )
    fires_on_ddl: ClassVar[bool] = (
        False  # acts on changes to other objects, so that it is made last and dropped first
    )
    sql_fields: ClassVar[tuple[str, ...]] = ()  # fields that hold SQL which people wrote
    renamable: ClassVar[bool] = True  # ALTER … RENAME TO knows it
    commentable: ClassVar[bool] = True  # COMMENT ON knows it
    renamed_part: ClassVar[str] = "name"  # what differs then
    has_partition_copies: ClassVar[bool] = (
        False  # each partition has a piece of what its parent has
    )
    first_version: ClassVar[
        Mapping[str, int]
    ] = {}  # the first major version that knows a field, where 14 does not

    ref: SkipJsonSchema[Ref] = Field(exclude=True, repr=False)
    comment: str | None = Field(default=None, description="COMMENT ON")
    renamed_from: str | None = Field(
        default=None,
        description="its old name: it is renamed, where that is still there; may stay for ever",
    )
    depends_on: tuple[str, ...] = Field(
        default=(),
        description="what no catalog knows that it needs: `function f(int)`, `table t`, …",
    )

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

    def expand_shorthand(self) -> Iterable[tuple[Ref, dict[str, Any]]]:
        """The further objects that a declaration is short for: their refs and fields."""
        return ()

    def collapse_shorthand(self, others: Mapping[Ref, Object]) -> tuple[Self, frozenset[Ref]]:
        """The object as a person would declare it, and which of `others` that says too: the way back of `unfold`."""
        del others
        return self, frozenset()

    def identify(self, connection: Connection) -> Ref:
        """The ref as PostgreSQL spells it, asked on scratch; raises StatementFailed."""
        del connection
        return self.ref

    def designation(self) -> sql.Composable:
        """The object as COMMENT ON, ALTER … OWNER TO and DROP name it: `POLICY p ON public.t`."""
        words = self.kind.replace("_", " ").upper()
        if self.ref.on is None:
            return compose("{} {}", raw(words), self.sql_name())
        return compose(
            "{} {} ON {}", raw(words), self.ref.name, name(self.ref.on.schema, self.ref.on.name)
        )

    def sql_name(self) -> sql.Composable:
        """The object's qualified name."""
        return name(self.ref.schema, self.ref.name)

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

    def files(self) -> frozenset[str]:
        """The names of what must be installed on a server that is to hold it."""
        return frozenset()

    def clause(self) -> sql.Composable:
        """How an object that folds stands in the definition of what it lives on."""
        raise NotImplementedError

    def reserved_constraint_names(self) -> frozenset[str]:
        """The names, its own or its parts', that PostgreSQL gives to no constraint in the schema that has none yet."""
        return frozenset(
            {self.ref.name} if self.ref.on is not None and not self.inline_in_parent else ()
        )

    def with_explicit_names(self, claimed: Set[tuple[str, str]]) -> Self:
        """The object with the names given that PostgreSQL would not choose because others have `claimed` them."""
        del claimed
        return self

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        """Plain DDL: for scratch, and for objects on what the same plan creates. `parts` are what folds into it."""
        raise NotImplementedError

    def define_online(
        self, context: PlanningContext, parts: Sequence[Object] = ()
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

    def remove_after_parent(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop what does not go by itself when what the object is part of is dropped."""
        del context
        return ()

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

    def parts_renamed(self, live: Self) -> Iterable[tuple[str, str, Statement]]:
        """Old name, new name and statement for each part of `live` that is to be called otherwise and is no object itself."""
        del live
        return ()

    def with_parts_from(self, names: Mapping[str, str]) -> Self:
        """The declaration with what its parts, by their names, are called now; the way back of `parts_renamed`."""
        del names
        return self

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

    def drop_leftover(self, *, wanted: bool = True) -> Iterable[Statement]:
        """Drop this leftover, if its name tells that nobody wants it as it is, or else where it is known not to be `wanted`."""
        del wanted
        return ()

    def without_parents(self) -> Self:
        """The object without its parents."""
        return self

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        """What is still to be done to the object, which is read as if it were; where it is done, it does nothing."""
        del context
        return ()

    def replay(self, pieces: Mapping[Ref, PartitionCopy]) -> Iterable[Statement]:
        """Make the leftover what it was, with those pieces: on a clone, where the rest of the work is proven."""
        del pieces
        return ()

    # -- what every kind has ---------------------------------------------------------------------------------------

    @property
    def relation_name(self) -> str | None:
        """The name it takes among the relations of its schema, if any."""
        return self.ref.name if self.relation else None

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        """What no other object may have at the same time: its names, each in its namespace."""
        named = {
            *((s, self.ref.name, self.ref.arguments or "") for s in self.namespaces()),
            ("relation", self.relation_name or self.ref.name, ""),
        }
        return frozenset(
            (space, self.ref.schema, *rest)
            for space, *rest in named
            if self.relation_name is not None or space != "relation"
        )

    def free_name(
        self, new: Self, context: PlanningContext
    ) -> tuple[Self, Iterable[Statement]] | None:
        """Let go of what others may take on the way to `new`, a bound, and what it is then; None: it keeps all that it has."""
        del new, context
        return None

    @classmethod
    def namespaces(cls) -> frozenset[str]:
        """The namespaces in which it takes its name: the rows of a relation make a type of that name too."""
        return frozenset({"relation", "type"} if cls.relation else {cls.shared_namespace} - {""})

    @property
    def commit_group(self) -> Ref | None:
        """What names the transaction that changes to this object share with others, whatever the plan creates."""
        return None

    @property
    def partitioned_parent(self) -> bool:
        """Whether all that it holds is in such pieces: a partitioned table."""
        return False

    @property
    def is_partition(self) -> bool:
        """Whether it is a piece of its parent, which gives it everything that it has itself: a partition."""
        return False

    def is_inherited_by(self, child: Object) -> bool:
        """Whether what the object lives on gives it to `heir`, one of whose parents that is."""
        del child
        return self.inline_in_parent

    def inherited_by(self, child: Ref) -> Self:
        """The object as it comes to an heir."""
        told = {
            f: model.get_default() for f, model in type(self).model_fields.items() if f in ATTACHED
        }
        return self.model_copy(
            update=told | {"ref": replace(self.ref, schema=child.schema, on=child)}
        )

    @property
    def stands_on(self) -> str:
        """The relation whose lock matters, for people to read."""
        if self.ref.on is not None:
            return self.ref.on.identity
        return self.ref.identity if self.relation else ""

    @classmethod
    def derived(cls) -> frozenset[str]:
        """The fields that are read but never declared."""
        return frozenset(
            n for n, f in cls.model_fields.items() if f.json_schema_extra == {"derived": True}
        )

    @classmethod
    def kept(cls) -> frozenset[str]:
        """The fields that keep their live value where a declaration leaves them out."""
        return ATTACHED if cls.omitted_is_default else frozenset(cls.model_fields)

    def over(self, live: Self | None, *, complete: bool = False) -> Self:
        """This declaration completed with what it leaves to the live object; `complete` leaves nothing to it."""
        if live is None or complete:
            return self
        kept = {
            f: getattr(live, f)
            for f in self.kept() - self.model_fields_set
            if f in type(self).model_fields
        }
        return self.model_copy(update=kept | {"ref": self.ref})

    def matches(self, live: Self) -> bool:
        """Whether it is that object, if what nobody declares is as it is there."""
        return (
            self.model_copy(
                update={n: getattr(live, n) for n in self.derived() - self.model_fields_set}
            )
            == live
        )

    def satisfied_by(self, found: Self) -> bool:
        """Whether that is what it was to be, where what a parent gives is still to come."""
        return self.matches(found)

    def as_state(self) -> Self:
        """The object without what no catalog stores."""
        return self.model_copy(update={"renamed_from": None, "depends_on": ()})

    def expressions(self) -> Mapping[str, str]:
        """SQL over the row that no catalog stores, by the name of its field."""
        return {}

    def with_expression(self, field: str, value: str) -> Self:
        """The object with such an expression as PostgreSQL spells it."""
        return self.model_copy(update={field: value})

    def fields(self) -> dict[str, Any]:
        """The fields as plain data, without the ref: for differences, plans and the journal."""
        return self.model_dump(mode="json", by_alias=True)

    def create(
        self, context: PlanningContext, parts: Sequence[Object] = (), *, online: bool = True
    ) -> list[Statement]:
        """Everything that makes the object as it is: definition, owner, comment and grants."""
        parts = [p.with_explicit_names(context.claimed) for p in parts]
        made = self.define_online(context, parts) if online else self.define(context, parts)
        attached = (s for o in (self, *parts) for s in o.attach(None, context))
        return [*undoable(made, lambda: self._cleared(parts, context)), *undoable(attached, tuple)]

    def recreate(
        self, old: Self | None, context: PlanningContext, parts: Sequence[Object] = ()
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
        same = self.model_copy(
            update={f: getattr(old, f) for f in ATTACHED & type(self).model_fields.keys()}
        )
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
        parts = [o for o in lost if o.inline_in_parent]

        def back() -> Iterable[Statement]:
            yield from self.create(context, parts, online=False)
            for obj in lost:
                if not obj.inline_in_parent:
                    yield from obj.create(context, online=False)

        return undoable(self._cleared(parts, context, online=online), back)

    def _cleared(
        self, parts: Iterable[Object], context: PlanningContext, *, online: bool = False
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
