"""Define the contract of a kind; an example is `reconciler/kinds/enum.py`.

A kind is a frozen pydantic class in a file of `reconciler/kinds/`. Its fields are the keys of its
YAML entry, the columns of its catalog query and the values compared by `==`. `Record` holds the
fields of every kind. A kind needs `kind`, `section`, `oid_column`, `omitted_is_default`, `catalog`
and `define`; the other members have defaults. `tests/test_contract.py` checks.

Abilities of some kinds only are capabilities, further base classes in this package:

    inheritance      Inheriting, Inheritable, Overriding: child tables and partitions
    partitioned      PartitionedObject: indexes and constraints of partitioned tables
    deferred         Deferred: statements after all other objects exist
    suspension       Suspendable: release an object that is replaced, without being dropped
    type_change      ChangesType, FollowsTypeChange, PinsType: ALTER … TYPE
    online_recipe    OnlineRecipe: other statements on a busy server
    online_swap      SwappedOnline: build a shadow, fill it, swap it
    resumption       LeavesLeftovers, Resumable, ValidatedLater: continue an interrupted run
    commit_group     CommitsTogether: several changes in one transaction
    declared         DeclaresPart, Shorthand, RowExpressions, RequiresFiles, NamedByTypes,
                     Overloaded, RenamesParts
    markers          AppliesLast, FiresOnDdl, HiddenDependency, PlatformDependent
    access           DecidesAccess: decide who may do what
    kept_off_scratch, remote, global_object
                     KeptOffScratch, ConnectsElsewhere, GlobalObject: never made on scratch
    owned, datatype  Owned, Granted; DataType, Replaceable

Stages ask with `isinstance(obj, Deferred)`, or call the module-level function next to the
capability, with an answer for any object: `deferred_needs(obj)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import ValidationInfo, field_validator

from reconciler.model.clauses import Clause, Fragment, fragments_in
from reconciler.model.context import PlanningContext
from reconciler.model.record import Record, renamed
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind, Statement, undoable
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, literal, text

MOVED = "schema"  # the field that a plan shows of an object that gets another schema


class Object(Record):
    """A database object; see `Record` for fields and names."""

    section: ClassVar[str]  # the YAML key that lists objects of this kind
    parent_kinds: ClassVar[tuple[str, ...]] = ()  # entries with that key; (): the top of a file
    oid_column: ClassVar[
        str
    ]  # "pg_cast.oid": `catalog` is not run if no user's oid is there; or ""
    own_rows: ClassVar[str] = ""  # a condition on the rows of that catalog, if kinds share it
    schemaless: ClassVar[bool] = False  # names are unique in the database
    sql_fields: ClassVar[tuple[str, ...]] = ()  # fields that hold SQL, as the user wrote it
    sql_clauses: ClassVar[Mapping[str, Clause]] = {}  # fields composed as SQL, and where they stand
    renamable: ClassVar[bool] = True  # ALTER … RENAME TO exists, or SET SCHEMA
    keys_when_absent: ClassVar[frozenset[str]] = frozenset()  # keys only of `state: absent`
    only_moved: ClassVar[bool] = False  # ALTER … SET SCHEMA exists, but no RENAME TO
    stays_in_schema: ClassVar[str] = ""  # what SET SCHEMA would leave behind
    commentable: ClassVar[bool] = True  # COMMENT ON exists
    first_version: ClassVar[Mapping[str, int]] = {}  # field: first major version, if not 14

    @field_validator("comment")
    @classmethod
    def _commentable(cls, comment: str | None) -> str | None:
        if comment is not None and not cls.commentable:
            kind = cls.kind.replace("_", " ")
            raise ValueError(f"PostgreSQL keeps none on a {kind}; a # in the file stays there")
        return comment

    @field_validator("renamed_from")
    @classmethod
    def _renamable(cls, renamed_from: str | None, info: ValidationInfo) -> str | None:
        ref: Ref | None = info.data.get("ref")
        if renamed_from is None or ref is None:
            return renamed_from
        kind, old = cls.kind.replace("_", " "), renamed(ref, renamed_from)
        if not cls.renamable:
            raise ValueError(f"PostgreSQL cannot rename a {kind}")
        if cls.only_moved and old.name != ref.name:
            raise ValueError(f"PostgreSQL moves the {kind} to another schema, but cannot rename it")
        if cls.stays_in_schema and old.schema != ref.schema:
            raise ValueError(
                f"it is not moved, since PostgreSQL would leave {cls.stays_in_schema} in"
                f" {old.schema}: declare a new one, let the columns have that type, and declare the"
                " old one absent"
            )
        return renamed_from

    # -- read from the catalog and from YAML ----------------------------------------------------

    @classmethod
    def catalog(cls, server: Server) -> str:
        """Return the query for all objects of the kind outside system schemas and extensions.

        Columns: the kind's fields; the parts of the ref (`schema`, `name` and, if any, `on_kind`,
        `on_name`, `arguments_identity`); `addresses`, the pg_depend address (classid, objid,
        objsubid) of the object, followed by those of its internal parts (a view's rule).
        """
        raise NotImplementedError

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        """Create an object from a catalog row without the parts of the ref."""
        return cls(ref=ref, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        """Split a YAML entry into name and fields; expand a short form of the fields."""
        return key, body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        """Return the short form of the fields, if any, as read by `entry`."""
        return body

    # -- requirements ---------------------------------------------------------------------------

    def needs(self) -> frozenset[Ref]:
        """Return the objects named by the fields and created before; pg_depend adds more."""
        return frozenset({self.ref.on or self.ref.schema_ref} if self.ref.schema else ())

    def roles(self) -> frozenset[str]:
        """Return the roles named by the fields, without PUBLIC."""
        return frozenset()

    def required_versions(self) -> Mapping[str, int]:
        """Return the fields in use unknown to PostgreSQL 14, with each first major version."""
        return {
            f: major
            for f, major in self.first_version.items()
            if getattr(self, f) != type(self).model_fields[f].default
        }

    # -- DDL ------------------------------------------------------------------------------------

    def fragments(self) -> Iterator[Fragment]:
        """Yield the SQL in fields and key that statements are composed of."""
        for field, clause in self.sql_clauses.items():
            if (value := getattr(self, field)) is not None:
                yield from fragments_in(field, clause, value)

    def define(
        self, context: PlanningContext, parts: Sequence[InlinePart] = ()
    ) -> Iterable[Statement]:
        """Create the object, with `parts` inline, but without owner, comment and privileges."""
        raise NotImplementedError

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Alter `old` into `self`; None if the object must be dropped and created."""
        del old, context
        return None

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the object."""
        del context
        yield self._locking(compose("DROP {}", self.designation()))

    def renamed_to(self, name: str) -> Statement:
        """Rename the object."""
        renamed = self.model_copy(update={"ref": self.ref._replace(name=name)})
        rename = compose("ALTER {} RENAME TO {}", self.designation(), name)
        undo = compose("ALTER {} RENAME TO {}", renamed.designation(), self.ref.name)
        return self._locking(rename).model_copy(update={"undo": (text(undo),)})

    def moved_to(self, schema: str, was: Ref) -> Statement:
        """Move the object to another schema; indexes, constraints and owned sequences go along.

        `was` is the ref before all renamings.

        https://www.postgresql.org/docs/current/sql-altertable.html (SET SCHEMA)
        """
        moved = self.model_copy(update={"ref": self.ref._replace(schema=schema)})
        move = compose("ALTER {} SET SCHEMA {}", self.designation(), schema)
        undo = compose("ALTER {} SET SCHEMA {}", moved.designation(), self.ref.schema)
        hazards: tuple[Hazard, ...] = ()
        if self.namespaces():
            reason = f"whoever names {was} with its schema, or has no {schema} on the"
            reason += " search_path, fails from then on"
            hazards = (Hazard(hazard=HazardKind.BLOCKS_READS, reason=reason),)
        return self._locking(move).model_copy(update={"undo": (text(undo),), "hazards": hazards})

    def attach(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Set owner, privileges and comment, if different from `old` or from a new object's."""
        yield from self._own(old, context)
        if self.comment != (old.comment if old else None):
            comment = compose("COMMENT ON {} IS {}", self.designation(), literal(self.comment))
            yield self._locking(comment, "SHARE UPDATE EXCLUSIVE")

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Set owner and privileges."""
        del old, context
        yield from ()

    def _locking(self, command: sql.Composable, lock: str = "ACCESS EXCLUSIVE") -> Statement:
        """Return a statement to lock the object's relation, if any."""
        relation = self.stands_on
        return Statement(sql=text(command), lock=lock if relation else "", relation=relation)

    # -- DDL with its undo, as plans use it -----------------------------------------------------

    def create(
        self, context: PlanningContext, parts: Sequence[InlinePart] = (), *, online: bool = True
    ) -> list[Statement]:
        """Create the object completely; `online` without long locks, if the kind has a recipe."""
        del online
        parts = with_explicit_names(parts, context)
        return self.created_by(self.define(context, parts), parts, context)

    def created_by(
        self,
        definition: Iterable[Statement],
        parts: Sequence[InlinePart],
        context: PlanningContext,
    ) -> list[Statement]:
        """Complete a definition by owner, comment, privileges and the undo."""
        attached = (s for o in (self, *parts) for s in o.attach(None, context))
        if context.building:
            return [*definition, *attached]
        return [
            *undoable(definition, lambda: self._dropped(parts, context, online=False)),
            *undoable(attached, tuple),
        ]

    def alter(self, old: Self, context: PlanningContext) -> list[Statement] | None:
        """Alter `old` into `self` with owner, privileges and comment; None to drop and create.

        `undo` of the first statement is None if undoing needs a DROP and a CREATE.
        """
        redefined: list[Statement] = []
        same = self.with_attached_of(old)
        if same != old:
            statements = same.redefine(old, context)
            if statements is None:
                return None
            redefined = list(statements)
            back = old.redefine(same, context)
            redefined = redefined if back is None else undoable(redefined, lambda: back)
        return [*redefined, *undoable(self.attach(old, context), lambda: old.attach(self, context))]

    def drop(
        self, context: PlanningContext, lost: Sequence[Object] = (), *, online: bool = True
    ) -> list[Statement]:
        """Drop the object; the undo also creates `lost`, the objects dropped by the command."""
        parts = [o for o in lost if isinstance(o, InlinePart)]

        def undo() -> Iterable[Statement]:
            without_undo = replace(context, building=True)
            yield from self.create(without_undo, parts, online=False)
            for obj in lost:
                if not isinstance(obj, InlinePart):
                    yield from obj.create(without_undo, online=False)

        return undoable(self._dropped(parts, context, online=online), undo)

    def _dropped(
        self, parts: Iterable[InlinePart], context: PlanningContext, *, online: bool
    ) -> Iterable[Statement]:
        """Drop the object and the remains of inline parts."""
        yield from self.removal(context, online=online)
        for part in parts:
            yield from part.remove_after_parent(context)

    def removal(self, context: PlanningContext, *, online: bool) -> Iterable[Statement]:
        """Drop the object; `online` without long locks, if the kind has a recipe."""
        del online
        return self.remove(context)


class InlinePart(Object):
    """A part of another object, created within the parent's CREATE if both are new: a column."""

    def clause(self) -> sql.Composable:
        """Return the part as a clause of CREATE TABLE."""
        raise NotImplementedError

    def reserved_constraint_names(self) -> frozenset[str]:
        """Return the names of the part's constraints, chosen or default."""
        return frozenset()

    def with_explicit_names(self, reserved: Set[tuple[str, str]]) -> Self:
        """Return the part with explicit names for constraints with reserved default names.

        `reserved` holds pairs of schema and name: PostgreSQL would choose others to avoid them.
        """
        del reserved
        return self

    def remove_after_parent(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop remains of the part left by DROP of the parent."""
        del context
        return ()

    def keep_through(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Restore the part after a change of the parent from `old` altered the part too."""
        del changed, old, context
        return ()

    @property
    def accepts_null(self) -> bool:
        """Whether values may be null."""
        return False

    def for_existing_rows(self) -> Self:
        """Return the part without values and nullable, for ADD COLUMN on a table with rows."""
        return self


def with_explicit_names(
    parts: Sequence[InlinePart], context: PlanningContext
) -> Sequence[InlinePart]:
    """Return the parts with explicit names for constraints with reserved default names."""
    return [p.with_explicit_names(context.shared_constraint_names) for p in parts]


def keep_through(
    obj: Object, changed: Object, old: Object, context: PlanningContext
) -> Iterable[Statement]:
    """Restore any object after a change of the parent from `old`."""
    return obj.keep_through(changed, old, context) if isinstance(obj, InlinePart) else ()


def reserved_constraint_names(obj: Object) -> frozenset[str]:
    """Return the constraint names reserved by any object."""
    if isinstance(obj, InlinePart):
        return obj.reserved_constraint_names()
    return frozenset({obj.ref.name} if obj.ref.on is not None else ())
