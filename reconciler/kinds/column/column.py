"""Columns: https://www.postgresql.org/docs/current/sql-altertable.html

An inheriting table or a partition lists a column of its parent only where it is not as the parent's, and then without a type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar, Literal, Self

from psycopg import sql
from pydantic import AliasChoices, Field, field_validator

from reconciler.kinds.column.backfill_spec import Backfill, Retype, fill
from reconciler.kinds.column.definition import beyond, costs, defined, type_alone
from reconciler.kinds.column.fill_trigger import FillTrigger
from reconciler.kinds.column.identity import Identity
from reconciler.kinds.column.inherited import filled, handed_down, nulls, said_again
from reconciler.kinds.column.not_null import NotNull
from reconciler.kinds.column.shadow import ShadowColumn, ahead, refused
from reconciler.kinds.column.shortform import ShortForm, says_no_more
from reconciler.kinds.column.storage import RESET, STORED, settings
from reconciler.kinds.column.target import Target, query
from reconciler.kinds.column.type_change import Retyping, collate, spelled_collation
from reconciler.model.datatype import COLLATE_PREFIX
from reconciler.model.declared import RowExpressions, Shorthand
from reconciler.model.facts import PartitionCopy
from reconciler.model.inheritance import Inheritable, Overriding
from reconciler.model.object import InlinePart, Object, PlanningContext
from reconciler.model.online_swap import SwappedOnline
from reconciler.model.owned import Owned
from reconciler.model.partitioned import build_name, constraint_name_key
from reconciler.model.privileges import (
    PUBLIC,
    Access,
    Grants,
    after_owner_change,
    all_privileges,
    grantors,
)
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import UNFILLED_COMMENT
from reconciler.model.resumption import LeavesLeftovers, Resumable
from reconciler.model.statement import Hazard, HazardKind, Statement, TypeConversion
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, raw, text


class Column(
    InlinePart,
    Shorthand,
    RowExpressions,
    Inheritable,
    Overriding,
    LeavesLeftovers,
    Resumable,
    SwappedOnline,
):
    """A column of a table; `name: type` is its short form."""

    kind: ClassVar[str] = "column"
    section: ClassVar[str] = "columns"
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "foreign_table")
    sql_fields: ClassVar[tuple[str, ...]] = ("type", "default", "generated", "using", "references")
    first_version: ClassVar[Mapping[str, int]] = {"virtual": 18}

    type: str = Field(default="", description="the data type, as in CREATE TABLE")
    collation: str | None = Field(default=None, description="where it is not the type's own")
    not_null: bool | NotNull = Field(
        default=False, description="online: only after the backfill, and without a scan under lock"
    )
    default: str | None = Field(default=None, description="SQL expression for new rows")
    generated: str | None = Field(
        default=None, description="SQL expression over the row that is its value"
    )
    virtual: bool = Field(
        default=False, description="generated when it is read, not stored (PostgreSQL 18)"
    )
    identity: Literal["always", "by default"] | Identity | None = Field(
        default=None, description="new rows are numbered"
    )
    storage: Literal["plain", "external", "extended", "main"] | None = Field(
        default=None, description="where it is not the type's own"
    )
    compression: Literal["pglz", "lz4"] | None = Field(
        default=None, description="of long values; left out: the server's default"
    )
    statistics: int | None = Field(
        default=None, description="how closely ANALYZE looks; left out: the server's default"
    )
    n_distinct: str | None = Field(
        default=None, description="the number of distinct values; negative: as a share of the rows"
    )
    n_distinct_inherited: str | None = Field(
        default=None, description="the same for the table and its children together"
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="of a foreign table's column: what its wrapper takes"
    )
    grants: dict[str, tuple[str, ...]] | None = Field(
        default=None, description="role (or `public`) → privileges on this column alone"
    )
    backfill: Backfill | None = Field(
        default=None,
        description="how rows that are null get a value, before NOT NULL; or just the value",
    )
    using: str | None = Field(
        default=None,
        description="SQL expression over the row that turns an old value into the new type",
    )
    retype: Retype | None = Field(
        default=None,
        description="`online`: another type is filled in beside; the column then stands last",
    )
    primary_key: bool = Field(default=False, description="short for a constraint of the table")
    unique: bool = Field(default=False, description="short for a constraint of the table")
    references: str | None = Field(
        default=None, description="table(column): short for a foreign key of the table"
    )
    volatile: bool = Field(
        default=False, json_schema_extra={"derived": True}
    )  # the default is another in each row
    constrained: bool = Field(
        default=False, json_schema_extra={"derived": True}
    )  # the type is a domain with constraints
    fill_trigger: FillTrigger | None = Field(  # of a backfill that says `keep_filled`
        default=None,
        validation_alias=AliasChoices("fill_trigger", "keeper"),  # 0.1 called it so in journals
        json_schema_extra={"derived": True},
    )
    inherited: bool = Field(default=False, json_schema_extra={"derived": True})
    nameless: bool = Field(
        default=False, json_schema_extra={"derived": True}
    )  # NOT NULL is no constraint here (before 18)

    _type_alone = field_validator("type")(type_alone)

    @classmethod
    def catalog(cls, server: Server) -> str:
        return query(server)

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        assert ref.on is not None
        seq, nn = row["identity"], row.pop("not_null_constraint")
        if seq is not None:
            row["identity"] = Identity.model_validate(seq).short_form(ref.on.name, ref.name)
        row["nameless"] = row["not_null"] and nn is None
        if row["not_null"] and nn is not None:
            row["not_null"] = NotNull.model_validate(nn).short_form(ref.on.name, ref.name)
        if row["fill_trigger"] is not None:
            row["fill_trigger"] = FillTrigger.read(Target(ref.on, ref.name), **row["fill_trigger"])
        row["collation"] = spelled_collation(*row["collation"]) if row["collation"] else None
        distinct: dict[str, Any] = dict(o.split("=", 1) for o in row.pop("attribute_options") or ())
        row["options"] = dict(o.split("=", 1) for o in row["options"] or ())
        row["grants"] = row["grants"] or None
        row["comment"] = (row["comment"] or "").removeprefix(UNFILLED_COMMENT) or None
        return cls(ref=ref, **row, **distinct)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return key, {"type": body} if isinstance(body, str) else body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["type"] if list(body) == ["type"] else body

    def expand_shorthand(self) -> Iterable[tuple[Ref, dict[str, Any]]]:
        return self._short.unfolded()

    def collapse_shorthand(self, others: Mapping[Ref, Object]) -> tuple[Self, frozenset[Ref]]:
        kept = (
            {"backfill": Backfill(value=self.fill_trigger.value, keep_filled=True)}
            if self.fill_trigger
            else {}
        )
        found, said = self.model_copy(update=kept), frozenset[Ref]()
        for update in self._short.shorter(self.default, others, required=self.not_null is True):
            short_form = found.model_copy(update=update)
            told = {r: body for r, body in short_form.expand_shorthand() if r not in said}
            if all(r in others and says_no_more(others[r], body) for r, body in told.items()):
                found, said = short_form, said | told.keys()
        return found, said

    @property
    def _short(self) -> ShortForm:
        return ShortForm(self._target, self.type, self.primary_key, self.unique, self.references)

    @classmethod
    def kept(cls) -> frozenset[str]:
        return super().kept() - {"fill_trigger"}

    def as_state(self) -> Self:
        short_form: dict[str, Any] = {"primary_key": False, "unique": False, "references": None}
        told: dict[str, Any] = {
            "backfill": None,
            "using": None,
            "retype": None,
            "fill_trigger": self.fill_trigger,
            **short_form,
        }
        if self.backfill is not None and self.backfill.keep_filled and not self.overrides:
            told["fill_trigger"] = FillTrigger.of(self._target, self.backfill.value)
        if self.primary_key:
            told["not_null"] = self.not_null or True
        if self._short.counts is not None:
            told |= {
                "type": self._short.counts,
                "default": self._short.counted,
                "not_null": self.not_null or True,
            }
        return super().as_state().model_copy(update=told)

    def expressions(self) -> Mapping[str, str]:
        said = self.backfill or self.fill_trigger
        return {"backfill": said.value} if said else {}

    def with_expression(self, field: str, value: str) -> Self:
        said = {f: v for f in ("backfill", "fill_trigger") if (v := getattr(self, f)) is not None}
        return self.model_copy(
            update={f: v.model_copy(update={"value": value}) for f, v in said.items()}
        )

    def roles(self) -> frozenset[str]:
        grants = {**(self.grants or {}), **((self.numbering and self.numbering.grants) or {})}
        return frozenset({*grants, *grantors(grants)} - {PUBLIC})

    @property
    def relation_name(self) -> str | None:
        return self.numbering.named(self._target) if self.numbering is not None else None

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        return super().name_keys() | {
            constraint_name_key(self.ref.on, f.named(self._target))
            for f in (self.forbidden,)
            if f is not None
        }

    def free_name(
        self, new: Self, context: PlanningContext
    ) -> tuple[Self, Iterable[Statement]] | None:
        was, wanted = self.forbidden, new.forbidden
        named = (
            was
            and wanted
            and context.server.has_not_null_constraints
            and was.named(self._target) != wanted.named(self._target)
        )
        if was is None or not named or self.also_inherited or new.also_inherited:
            return None
        aside = was.model_copy(update={"name": build_name(self.ref)})
        return self.model_copy(update={"not_null": aside}), aside.renamed_from(
            was, self._target, None
        )

    @property
    def commit_group(self) -> Ref | None:
        """A column that is to be numbered is never without a default in between."""
        return self.ref if self.numbering is not None else None

    @property
    def overrides(self) -> bool:
        return not self.type

    @property
    def also_inherited(self) -> bool:
        return self.overrides or self.inherited

    def filled(self, given: Object) -> Self:
        return self.model_copy(update=filled(self, given) if isinstance(given, Column) else {})

    def must_own_before(self, was: Object, old: Object, new: Object) -> bool:
        return all(getattr(o, "not_null", False) for o in (was, old, self)) and not getattr(
            new, "not_null", False
        )

    def satisfied_by(self, found: Self) -> bool:
        given = {"type": found.type} if self.overrides != found.overrides else {}
        return self.model_copy(update={**given, "inherited": found.inherited}).matches(found)

    def inherited_by(self, child: Ref) -> Self:
        return super().inherited_by(child).model_copy(update=handed_down(self, self._target, child))

    def renamed_while_reparenting(
        self, before: Object, after: Object, context: PlanningContext
    ) -> tuple[Statement, Statement] | None:
        old, new = (
            c.forbidden if isinstance(c, Column) and c.inherited else None for c in (before, after)
        )
        return (
            new.lent(old.named(self._target), self._target)
            if old and new and context.server.has_not_null_constraints
            else None
        )

    def designation(self) -> sql.Composable:
        return compose("COLUMN {}.{}", self._target.table, self.ref.name)

    def renamed_to(self, name: str) -> Statement:
        words = [
            compose("RENAME COLUMN {} TO {}", a, b)
            for a, b in ((self.ref.name, name), (name, self.ref.name))
        ]
        return self._target.alter(words[0], words[1])

    @property
    def _target(self) -> Target:
        assert self.ref.on is not None
        return Target(self.ref.on, self.ref.name)

    @property
    def numbering(self) -> Identity | None:
        """The identity with all that may be said of it."""
        return (
            Identity(generated=self.identity) if isinstance(self.identity, str) else self.identity
        )

    @property
    def forbidden(self) -> NotNull | None:
        """NOT NULL with all that may be said of it."""
        return (
            self.not_null
            if isinstance(self.not_null, NotNull)
            else NotNull()
            if self.not_null
            else None
        )

    def reserved_constraint_names(self) -> frozenset[str]:
        return frozenset(
            {self.not_null.name}
            if isinstance(self.not_null, NotNull) and self.not_null.name
            else ()
        )

    def with_explicit_names(self, reserved: Set[tuple[str, str]]) -> Self:
        said = (
            self.forbidden.with_explicit_names(self._target, reserved)
            if self.forbidden is not None
            else None
        )
        return self.model_copy(update={"not_null": said}) if said is not None else self

    # -- made ------------------------------------------------------------------------------------------------------

    def clause(self) -> sql.Composable:
        return defined(self)

    def override_clause(self, context: PlanningContext) -> sql.Composable | None:
        """NOT NULL under a name of its own, which nothing can give to what is inherited."""
        forbidden = self.forbidden
        if (
            not self.overrides
            or forbidden is None
            or forbidden.not_valid
            or not context.server.has_not_null_constraints
        ):
            return None
        return forbidden.own_transaction(self._target)

    def required_versions(self) -> Mapping[str, int]:
        unlogged = isinstance(self.identity, Identity) and self.identity.unlogged is not None
        named = isinstance(self.not_null, NotNull)
        return {**super().required_versions(), "not_null": 18 * named, "identity": 15 * unlogged}

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        if not self.overrides:
            added = self._target.alter(
                compose("ADD COLUMN {}", self.clause()), hazards=self._dangers_of_adding(context)
            )
            yield self._with_sequence(added)
        if self.overrides and self.default is not None:
            yield self._target.alter_column(compose("SET DEFAULT {}", raw(self.default)))
        if self.overrides and self.not_null and self.override_clause(context) is None:
            yield self._target.alter_column(raw("SET NOT NULL"))
        for part in parts:
            yield from self._overridden_by(part, context)

    def _overridden_by(self, part: Object, context: PlanningContext) -> Iterable[Statement]:
        """What an heir has in its place, when this comes back to heirs that are there."""
        if (
            isinstance(part, Column)
            and part.ref.on is not None
            and part.override_clause(context) is not None
        ):
            yield from part.redefine(self.inherited_by(part.ref.on), context) or ()
        else:
            yield from part.define(context)

    def define_online(
        self, context: PlanningContext, parts: Sequence[Object] = ()
    ) -> Iterable[Statement]:
        """Add the column bare where its rows are to be filled one by one, then fill it and forbid nulls."""
        filling = self._backfill(context)
        if (
            filling is None
            and self.volatile
            and self.default is not None
            and not context.size(self._target.on).tiny
        ):
            filling = Backfill(value=self.default, sure=True)
        if filling is None or self.overrides or self._target.foreign:
            yield from self.define(context)
            return
        bare, drop = (
            self.model_copy(update={"not_null": False, "default": None}),
            compose("DROP COLUMN {}", self.ref.name),
        )
        added = self._target.alter(
            compose("ADD COLUMN {}", bare.clause()),
            drop,
            hazards=self._dangers_of_adding(context, filled=True),
        )
        yield self._with_sequence(added)
        if self.default is not None:
            yield self._target.default(self.default, before=None)
        if (
            unfinished := self._backfill(context) is None or self.forbidden is None
        ):  # else NOT NULL tells that it is still to be filled
            yield self._target.remark(UNFILLED_COMMENT + (self.comment or ""))
        if self.fill_trigger is not None:
            yield from self.fill_trigger.made(self._target)
        if self.forbidden is not None:
            yield from self.forbidden.forbid(self._target, filling, context.server)
        else:
            yield fill(self._target, filling)
        if unfinished:
            yield self._target.remark(self.comment)

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        yield fill(
            self._target,
            self._backfill(context) or Backfill(value=self.default or "NULL", sure=True),
        )
        yield self._target.remark(self.comment)

    def create(
        self, context: PlanningContext, parts: Sequence[InlinePart] = (), *, online: bool = True
    ) -> list[Statement]:
        """What keeps it filled stands before it is filled, and is not said again with the rest."""
        kept, found = (
            {s.sql for s in self.fill_trigger.made(self._target)}
            if self.fill_trigger
            else set[str](),
            list[Statement](),
        )
        for statement in super().create(context, parts, online=online):
            if statement.sql not in kept or all(s.sql != statement.sql for s in found):
                found.append(statement)
        return found

    def attach(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """What the definition of a column has no words for is said once it is there."""
        if old is None:
            yield from (s.model_copy(update={"undo": ()}) for s in self._unsaid(context))
        yield from super().attach(old, context)

    def _unsaid(self, context: PlanningContext) -> Iterator[Statement]:
        said = {} if self.overrides else {"compression": self.compression, "options": self.options}
        yield from settings(
            self,
            type(self)(ref=self.ref, type=self.type).model_copy(update=said),
            self._target,
            context.server,
        )
        if self.forbidden is not None:
            yield from self.forbidden.attached(self._target)
        if self.numbering is not None:
            yield from self.numbering.attached(None, self._target, context)
        if self.fill_trigger is not None:
            yield from self.fill_trigger.made(self._target)

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        yield from self._granted((old.grants if old else None) or {}, context)

    def _granted(self, had: Grants, context: PlanningContext) -> Iterator[Statement]:
        part = text(compose(" ({})", self.ref.name))
        access = Access(
            compose("TABLE {}", self._target.table),
            str(self.ref),
            all_privileges("COLUMN", context.server),
            "",
            context.user,
            part=part,
        )
        return access.changes(had, self.grants or {})

    def _with_sequence(self, added: Statement) -> Statement:
        """Mark ADD COLUMN of an identity column: its sequence is created in the table's schema."""
        where = "schema" if self.numbering is not None else ""
        return added.model_copy(update={"needs_create_on": where})

    def _dangers_of_adding(
        self, context: PlanningContext, *, filled: bool = False
    ) -> tuple[Hazard, ...]:
        costly = costs(
            self, counted=self.volatile and not filled and not context.size(self._target.on).tiny
        )
        return (self._target.rewritten(context),) if costly and not self._target.foreign else ()

    # -- altered ---------------------------------------------------------------------------------------------------

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if beyond(self, old, retyped=self._retyped(old), server=context.server):
            return None
        found = list(self._altered(old, context))
        if found and beyond(
            old, self, retyped=old._retyped(self), server=context.server
        ):  # the way back is a replacement
            return [s.model_copy(update={"undo": () if n else None}) for n, s in enumerate(found)]
        return found

    def needs_dependents_dropped(self, old: Self) -> bool:
        return self._retyped(old)

    def rewrites_values(self, old: Self) -> bool:
        return self._retyped(old) and self._retyping(old).costly

    def _retyped(self, old: Column) -> bool:
        """Whether its type changes, and not because the parent's does."""
        given = self.overrides or old.overrides or (self.inherited and old.inherited)
        return not given and (self.type, self.collation) != (old.type, old.collation)

    def _altered(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        if old.numbering is not None and self.numbering is None:
            yield old.numbering.dropped(self._target, context)
        if old.generated is not None and self.generated is None:
            yield self._target.alter_column(raw("DROP EXPRESSION"))
        before = old.default
        if self._retyped(old):
            if before is not None:
                yield self._target.default(None, before=before)
                before = None
            yield self._retype(old, context)
            old = old.model_copy(update=RESET)
        if self.default != before:
            yield self._target.default(self.default, before=before)
        if (
            self.generated is not None
            and old.generated is not None
            and self.generated != old.generated
        ):
            words = [
                compose("SET EXPRESSION AS ({})", raw(g)) for g in (self.generated, old.generated)
            ]
            yield self._target.alter_column(
                words[0], words[1], hazards=(self._target.rewritten(context),)
            )
        yield from self._filled(old, context)
        yield from settings(self, old, self._target, context.server)
        if old.numbering is not None and self.numbering is not None:
            yield from self.numbering.changed_from(old.numbering, self.type, self._target, context)

    def _filled(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Keep it filled from now on, fill it, and forbid nulls."""
        if self.fill_trigger is not None and self.fill_trigger != old.fill_trigger:
            yield from (
                self.fill_trigger.changed_from(old.fill_trigger, self._target)
                if old.fill_trigger
                else self.fill_trigger.made(self._target)
            )
        forbidden = list(self._forbid(old, context))
        if (
            self.fill_trigger is not None
            and old.fill_trigger is None
            and not any(s.fill for s in forbidden)
            and not self.not_null
        ):
            yield fill(self._target, self._backfill(context))
        yield from forbidden
        if old.fill_trigger is not None and self.fill_trigger is None:
            yield from old.fill_trigger.removed(self._target)

    def _forbid(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        return nulls(self, old, self._target, self._backfill(context), context)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        hazards = (
            ()
            if self.generated is not None
            else (
                Hazard(
                    hazard=HazardKind.DATA_LOSS, reason=f"{self.ref} is dropped with its values"
                ),
            )
        )
        if self.fill_trigger is not None:
            yield from (
                s.model_copy(update={"undo": None}) for s in self.fill_trigger.removed(self._target)
            )
        if not self.overrides:
            yield self._target.alter(compose("DROP COLUMN {}", self.ref.name), hazards=hazards)

    @property
    def accepts_null(self) -> bool:
        return not self.not_null

    def for_existing_rows(self) -> Self:
        filled = self.default is not None or self.generated is not None or self.identity is not None
        return self if filled else self.model_copy(update={"not_null": False})

    def remove_after_parent(self, context: PlanningContext) -> Iterable[Statement]:
        if self.fill_trigger is not None:
            yield from self.fill_trigger.left(self._target)

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Number the column once the sequence of its default is out of the way, whose name it may take."""
        if self.numbering is not None and old is not None and old.numbering is None:
            yield from self.numbering.added(self.type, self._target, context)

    def deferred_needs(self) -> frozenset[Ref]:
        return frozenset(
            {Ref("sequence", self.ref.schema, self.numbering.named(self._target))}
            if self.numbering is not None
            else ()
        )

    def restate_overrides(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """A privilege revoked on the table goes from its columns too; what is said of a parent's column goes for its heirs'."""
        if isinstance(changed, Column) and isinstance(old, Column):
            yield from said_again(self, changed, old, self._target, context.server)
        elif self.grants and getattr(changed, "grants", None) != getattr(old, "grants", None):
            yield from self._own(None, context)

    def keep_through(
        self, changed: Object, old: Object, context: PlanningContext
    ) -> Iterable[Statement]:
        """Privileges go from one owner of the table to the other, as grantee and as grantor."""
        before, after = (o.owner if isinstance(o, Owned) else None for o in (old, changed))
        if self.grants and before and after and before != after:
            yield from self._granted(after_owner_change(self.grants, before, after), context)

    # -- what is replaced beneath it -------------------------------------------------------------------------------

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        """Take away the default, which may call what is replaced."""
        if self.generated is not None:
            return None
        numbered = [] if self.numbering is None else [self.numbering.dropped(self._target, context)]
        return (
            numbered
            if self.default is None
            else [*numbered, self._target.default(None, before=self.default)]
        )

    def restore(
        self, old: Self, turns: Mapping[str, TypeConversion], context: PlanningContext
    ) -> Iterable[Statement]:
        turn = turns.get(old.type)
        bare = old.model_copy(
            update={"default": None, "identity": None, "type": turn.old_name if turn else old.type}
        )
        collated = (
            turns.get(COLLATE_PREFIX + text(collate(old.collation)))
            if old.collation is not None
            else None
        )
        if turn and self.type == old.type:
            yield self._target.turned(turn, context)
        elif collated:
            yield self._retype(bare.model_copy(update={"collation": collated.old_name}), context)
        elif self._retyped(old):
            yield self._retype(bare, context)
        if self.default is not None:
            yield self._target.default(self.default, before=None)

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        return old.model_copy(
            update={
                "type": self.type,
                "collation": self.collation,
                "default": self.default,
                "identity": None,
            }
        )

    # -- exchanged -------------------------------------------------------------------------------------------------

    def shadow(self, old: Object, context: PlanningContext) -> str:
        found = self._twin(old, context) if isinstance(old, Column) else None
        return found.ref.name if found is not None else ""

    def swap(self, old: Object, context: PlanningContext) -> Iterable[Statement]:
        assert isinstance(old, Column)
        shadow = self._twin(old, context)
        assert shadow is not None
        yield from ahead(shadow, self, old, context)
        yield from shadow.put(
            self._target,
            self._retyping(old),
            self,
            old,
            super(Column, old).attach(None, context),
            context,
        )

    def after_swap(self, old: Object) -> Self:
        assert isinstance(old, type(self))
        told = {f: getattr(self, f) for f in (*STORED, "type", "collation", "default")}
        return old.model_copy(update=told | ({"identity": None} if self.identity is None else {}))

    def _twin(self, old: Column, context: PlanningContext) -> ShadowColumn | None:
        """What takes its place, where that is asked for and anything is written anew; raises PlanError."""
        declared, retyping = context.declared.get(self.ref), self._retyping(old)
        if (
            not isinstance(declared, Column)
            or declared.retype is None
            or not self._retyped(old)
            or not retyping.costly
        ):
            return None
        if why := refused(
            self, old, constrained=self.constrained, inherited=self.inherited or old.inherited
        ):
            raise self.unable(why)
        value = raw(declared.using) if declared.using is not None else retyping.value
        return ShadowColumn.of(
            self.ref, self.type, self.collation, text(value), declared.retype, context.leftovers
        )

    def reuses(self, old: Self | None, context: PlanningContext) -> frozenset[Ref]:
        shadow = self._twin(old, context) if old is not None else None
        return frozenset(
            {shadow.ref} if shadow is not None and shadow.begun(context.leftovers) else ()
        )

    def drop_leftover(self, *, wanted: bool = True) -> Iterable[Statement]:
        return ShadowColumn.left(self).discarded()

    def replay(self, pieces: Mapping[Ref, PartitionCopy]) -> Iterable[Statement]:
        return ShadowColumn.left(self).strewn()

    def _retype(self, old: Self, context: PlanningContext) -> Statement:
        retyping, declared = self._retyping(old), context.declared.get(self.ref)
        said = (
            raw(declared.using)
            if isinstance(declared, Column) and declared.using is not None
            else None
        )
        lost = settings(old, old.model_copy(update=RESET), self._target, context.server)
        undo = (self._target.column_action(retyping.back()), *(s.sql for s in lost))
        return self._target.alter_column(
            retyping.forth(said),
            undo=undo,
            hazards=tuple(retyping.hazards(self._target.rewritten(context))),
        )

    def _retyping(self, old: Column) -> Retyping:
        return Retyping(
            self.ref, self._target.relation, (old.type, old.collation), (self.type, self.collation)
        )

    def _backfill(self, context: PlanningContext) -> Backfill | None:
        """How people say that rows without a value get one."""
        declared = context.declared.get(self.ref)
        said = declared.backfill if isinstance(declared, Column) else None
        return (
            Backfill(value=self.fill_trigger.value)
            if said is None and self.fill_trigger is not None
            else said
        )
