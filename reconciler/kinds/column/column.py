"""Columns: https://www.postgresql.org/docs/current/sql-altertable.html

An inheriting table or a partition lists a column of its parent only where it is not as the parent's, and then without a type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field, field_validator

from reconciler.kinds.column.backfill_spec import Backfill, Retype, fill
from reconciler.kinds.column.definition import beyond, costs, defined, type_alone
from reconciler.kinds.column.fill_trigger import Keeper
from reconciler.kinds.column.identity import Identity
from reconciler.kinds.column.inherited import filled, handed_down, nulls, said_again
from reconciler.kinds.column.not_null import NotNull
from reconciler.kinds.column.shadow import Twin, ahead, refused
from reconciler.kinds.column.shortform import ShortForm, says_no_more
from reconciler.kinds.column.storage import RESET, STORED, settings
from reconciler.kinds.column.target import Place, query
from reconciler.kinds.column.type_change import Retyping, collate, spelled_collation
from reconciler.model.datatype import COLLATED
from reconciler.model.facts import Piece
from reconciler.model.object import Object, Situation
from reconciler.model.online_swap import Exchanged
from reconciler.model.owned import Owned
from reconciler.model.partitioned import aside_of, place_of
from reconciler.model.privileges import PUBLIC, Access, Grants, grantors, handed_over, known
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import UNFILLED
from reconciler.model.statement import Danger, Hazard, Statement, Turn
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, raw, text


class Column(Exchanged):
    """A column of a table; `name: type` is its short form."""

    kind: ClassVar[str] = "column"
    section: ClassVar[str] = "columns"
    within: ClassVar[tuple[str, ...]] = ("table", "foreign_table")
    folds: ClassVar[bool] = True
    written: ClassVar[tuple[str, ...]] = ("type", "default", "generated", "using", "references")
    since: ClassVar[Mapping[str, int]] = {"virtual": 18}

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
    keeper: Keeper | None = Field(
        default=None, json_schema_extra={"derived": True}
    )  # of a backfill that says `keep_filled`
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
            row["identity"] = Identity.model_validate(seq).short(ref.on.name, ref.name)
        row["nameless"] = row["not_null"] and nn is None
        if row["not_null"] and nn is not None:
            row["not_null"] = NotNull.model_validate(nn).short(ref.on.name, ref.name)
        if row["keeper"] is not None:
            row["keeper"] = Keeper.read(Place(ref.on, ref.name), **row["keeper"])
        row["collation"] = spelled_collation(*row["collation"]) if row["collation"] else None
        distinct: dict[str, Any] = dict(o.split("=", 1) for o in row.pop("attribute_options") or ())
        row["options"] = dict(o.split("=", 1) for o in row["options"] or ())
        row["grants"] = row["grants"] or None
        row["comment"] = (row["comment"] or "").removeprefix(UNFILLED) or None
        return cls(ref=ref, **row, **distinct)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return key, {"type": body} if isinstance(body, str) else body

    @classmethod
    def short(cls, body: dict[str, Any]) -> object:
        return body["type"] if list(body) == ["type"] else body

    def unfold(self) -> Iterable[tuple[Ref, dict[str, Any]]]:
        return self._short.unfolded()

    def folded(self, others: Mapping[Ref, Object]) -> tuple[Self, frozenset[Ref]]:
        kept = (
            {"backfill": Backfill(value=self.keeper.value, keep_filled=True)} if self.keeper else {}
        )
        found, said = self.model_copy(update=kept), frozenset[Ref]()
        for update in self._short.shorter(self.default, others, required=self.not_null is True):
            short = found.model_copy(update=update)
            told = {r: body for r, body in short.unfold() if r not in said}
            if all(r in others and says_no_more(others[r], body) for r, body in told.items()):
                found, said = short, said | told.keys()
        return found, said

    @property
    def _short(self) -> ShortForm:
        return ShortForm(self._place, self.type, self.primary_key, self.unique, self.references)

    @classmethod
    def kept(cls) -> frozenset[str]:
        return super().kept() - {"keeper"}

    def as_state(self) -> Self:
        short: dict[str, Any] = {"primary_key": False, "unique": False, "references": None}
        told: dict[str, Any] = {
            "backfill": None,
            "using": None,
            "retype": None,
            "keeper": self.keeper,
            **short,
        }
        if self.backfill is not None and self.backfill.keep_filled and not self.overrides:
            told["keeper"] = Keeper.of(self._place, self.backfill.value)
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
        said = self.backfill or self.keeper
        return {"backfill": said.value} if said else {}

    def with_expression(self, field: str, value: str) -> Self:
        said = {f: v for f in ("backfill", "keeper") if (v := getattr(self, f)) is not None}
        return self.model_copy(
            update={f: v.model_copy(update={"value": value}) for f, v in said.items()}
        )

    def roles(self) -> frozenset[str]:
        grants = {**(self.grants or {}), **((self.numbering and self.numbering.grants) or {})}
        return frozenset({*grants, *grantors(grants)} - {PUBLIC})

    @property
    def takes(self) -> str | None:
        return self.numbering.named(self._place) if self.numbering is not None else None

    def occupies(self) -> frozenset[tuple[str, ...]]:
        return super().occupies() | {
            place_of(self.ref.on, f.named(self._place)) for f in (self.forbidden,) if f is not None
        }

    def steps_back(self, new: Self, on: Situation) -> tuple[Self, Iterable[Statement]] | None:
        was, wanted = self.forbidden, new.forbidden
        named = (
            was
            and wanted
            and on.server.has_not_null_constraints
            and was.named(self._place) != wanted.named(self._place)
        )
        if was is None or not named or self.merged or new.merged:
            return None
        aside = was.model_copy(update={"name": aside_of(self.ref)})
        return self.model_copy(update={"not_null": aside}), aside.renamed_from(
            was, self._place, None
        )

    @property
    def together(self) -> Ref | None:
        """A column that is to be numbered is never without a default in between."""
        return self.ref if self.numbering is not None else None

    @property
    def overrides(self) -> bool:
        return not self.type

    @property
    def merged(self) -> bool:
        return self.overrides or self.inherited

    def filled(self, given: Object) -> Self:
        return self.model_copy(update=filled(self, given) if isinstance(given, Column) else {})

    def outlasts(self, was: Object, old: Object, new: Object) -> bool:
        return all(getattr(o, "not_null", False) for o in (was, old, self)) and not getattr(
            new, "not_null", False
        )

    def met_by(self, found: Self) -> bool:
        given = {"type": found.type} if self.overrides != found.overrides else {}
        return self.model_copy(update={**given, "inherited": found.inherited}).alike(found)

    def inherited_by(self, heir: Ref) -> Self:
        return super().inherited_by(heir).model_copy(update=handed_down(self, self._place, heir))

    def lends(
        self, before: Object, after: Object, on: Situation
    ) -> tuple[Statement, Statement] | None:
        old, new = (
            c.forbidden if isinstance(c, Column) and c.inherited else None for c in (before, after)
        )
        return (
            new.lent(old.named(self._place), self._place)
            if old and new and on.server.has_not_null_constraints
            else None
        )

    def designation(self) -> sql.Composable:
        return compose("COLUMN {}.{}", self._place.table, self.ref.name)

    def renamed_to(self, name: str) -> Statement:
        words = [
            compose("RENAME COLUMN {} TO {}", a, b)
            for a, b in ((self.ref.name, name), (name, self.ref.name))
        ]
        return self._place.alter(words[0], words[1])

    @property
    def _place(self) -> Place:
        assert self.ref.on is not None
        return Place(self.ref.on, self.ref.name)

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

    def claims(self) -> frozenset[str]:
        return frozenset(
            {self.not_null.name}
            if isinstance(self.not_null, NotNull) and self.not_null.name
            else ()
        )

    def outright(self, claimed: Set[tuple[str, str]]) -> Self:
        said = self.forbidden.outright(self._place, claimed) if self.forbidden is not None else None
        return self.model_copy(update={"not_null": said}) if said is not None else self

    # -- made ------------------------------------------------------------------------------------------------------

    def clause(self) -> sql.Composable:
        return defined(self)

    def amendment(self, on: Situation) -> sql.Composable | None:
        """NOT NULL under a name of its own, which nothing can give to what is inherited."""
        forbidden = self.forbidden
        if (
            not self.overrides
            or forbidden is None
            or forbidden.not_valid
            or not on.server.has_not_null_constraints
        ):
            return None
        return forbidden.apart(self._place)

    def newer(self) -> Mapping[str, int]:
        unlogged = isinstance(self.identity, Identity) and self.identity.unlogged is not None
        named = isinstance(self.not_null, NotNull)
        return {**super().newer(), "not_null": 18 * named, "identity": 15 * unlogged}

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        if not self.overrides:
            yield self._place.alter(
                compose("ADD COLUMN {}", self.clause()), dangers=self._dangers_of_adding(on)
            )
        if self.overrides and self.default is not None:
            yield self._place.alter_column(compose("SET DEFAULT {}", raw(self.default)))
        if self.overrides and self.not_null and self.amendment(on) is None:
            yield self._place.alter_column(raw("SET NOT NULL"))
        for part in parts:
            yield from self._overridden_by(part, on)

    def _overridden_by(self, part: Object, on: Situation) -> Iterable[Statement]:
        """What an heir has in its place, when this comes back to heirs that are there."""
        if isinstance(part, Column) and part.ref.on is not None and part.amendment(on) is not None:
            yield from part.redefine(self.inherited_by(part.ref.on), on) or ()
        else:
            yield from part.define(on)

    def define_online(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        """Add the column bare where its rows are to be filled one by one, then fill it and forbid nulls."""
        filling = self._backfill(on)
        if (
            filling is None
            and self.volatile
            and self.default is not None
            and not on.size(self._place.on).tiny
        ):
            filling = Backfill(value=self.default, sure=True)
        if filling is None or self.overrides or self._place.foreign:
            yield from self.define(on)
            return
        bare, drop = (
            self.model_copy(update={"not_null": False, "default": None}),
            compose("DROP COLUMN {}", self.ref.name),
        )
        yield self._place.alter(
            compose("ADD COLUMN {}", bare.clause()),
            drop,
            dangers=self._dangers_of_adding(on, filled=True),
        )
        if self.default is not None:
            yield self._place.default(self.default, before=None)
        if (
            owed := self._backfill(on) is None or self.forbidden is None
        ):  # else NOT NULL tells that it is still to be filled
            yield self._place.remark(UNFILLED + (self.comment or ""))
        if self.keeper is not None:
            yield from self.keeper.made(self._place)
        if self.forbidden is not None:
            yield from self.forbidden.forbid(self._place, filling, on.server)
        else:
            yield fill(self._place, filling)
        if owed:
            yield self._place.remark(self.comment)

    def settle(self, on: Situation) -> Iterable[Statement]:
        yield fill(
            self._place, self._backfill(on) or Backfill(value=self.default or "NULL", sure=True)
        )
        yield self._place.remark(self.comment)

    def create(
        self, on: Situation, parts: Sequence[Object] = (), *, online: bool = True
    ) -> list[Statement]:
        """What keeps it filled stands before it is filled, and is not said again with the rest."""
        kept, found = (
            {s.sql for s in self.keeper.made(self._place)} if self.keeper else set[str](),
            list[Statement](),
        )
        for statement in super().create(on, parts, online=online):
            if statement.sql not in kept or all(s.sql != statement.sql for s in found):
                found.append(statement)
        return found

    def attach(self, old: Self | None, on: Situation) -> Iterator[Statement]:
        """What the definition of a column has no words for is said once it is there."""
        if old is None:
            yield from (s.model_copy(update={"undo": ()}) for s in self._unsaid(on))
        yield from super().attach(old, on)

    def _unsaid(self, on: Situation) -> Iterator[Statement]:
        said = {} if self.overrides else {"compression": self.compression, "options": self.options}
        yield from settings(
            self,
            type(self)(ref=self.ref, type=self.type).model_copy(update=said),
            self._place,
            on.server,
        )
        if self.forbidden is not None:
            yield from self.forbidden.attached(self._place)
        if self.numbering is not None:
            yield from self.numbering.attached(None, self._place, on)
        if self.keeper is not None:
            yield from self.keeper.made(self._place)

    def _own(self, old: Self | None, on: Situation) -> Iterator[Statement]:
        yield from self._granted((old.grants if old else None) or {}, on)

    def _granted(self, had: Grants, on: Situation) -> Iterator[Statement]:
        part = text(compose(" ({})", self.ref.name))
        access = Access(
            compose("TABLE {}", self._place.table),
            str(self.ref),
            known("COLUMN", on.server),
            "",
            on.user,
            part=part,
        )
        return access.between(had, self.grants or {})

    def _dangers_of_adding(self, on: Situation, *, filled: bool = False) -> tuple[Danger, ...]:
        costly = costs(
            self, counted=self.volatile and not filled and not on.size(self._place.on).tiny
        )
        return (self._place.rewritten(on),) if costly and not self._place.foreign else ()

    # -- altered ---------------------------------------------------------------------------------------------------

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        if beyond(self, old, retyped=self._retyped(old), server=on.server):
            return None
        found = list(self._altered(old, on))
        if found and beyond(
            old, self, retyped=old._retyped(self), server=on.server
        ):  # the way back is a replacement
            return [s.model_copy(update={"undo": () if n else None}) for n, s in enumerate(found)]
        return found

    def disturbs(self, old: Self) -> bool:
        return self._retyped(old)

    def converts(self, old: Self) -> bool:
        return self._retyped(old) and self._retyping(old).costly

    def _retyped(self, old: Column) -> bool:
        """Whether its type changes, and not because the parent's does."""
        given = self.overrides or old.overrides or (self.inherited and old.inherited)
        return not given and (self.type, self.collation) != (old.type, old.collation)

    def _altered(self, old: Self, on: Situation) -> Iterable[Statement]:
        if old.numbering is not None and self.numbering is None:
            yield old.numbering.dropped(self._place, on)
        if old.generated is not None and self.generated is None:
            yield self._place.alter_column(raw("DROP EXPRESSION"))
        before = old.default
        if self._retyped(old):
            if before is not None:
                yield self._place.default(None, before=before)
                before = None
            yield self._retype(old, on)
            old = old.model_copy(update=RESET)
        if self.default != before:
            yield self._place.default(self.default, before=before)
        if (
            self.generated is not None
            and old.generated is not None
            and self.generated != old.generated
        ):
            words = [
                compose("SET EXPRESSION AS ({})", raw(g)) for g in (self.generated, old.generated)
            ]
            yield self._place.alter_column(words[0], words[1], dangers=(self._place.rewritten(on),))
        yield from self._filled(old, on)
        yield from settings(self, old, self._place, on.server)
        if old.numbering is not None and self.numbering is not None:
            yield from self.numbering.changed_from(old.numbering, self.type, self._place, on)

    def _filled(self, old: Self, on: Situation) -> Iterable[Statement]:
        """Keep it filled from now on, fill it, and forbid nulls."""
        if self.keeper is not None and self.keeper != old.keeper:
            yield from (
                self.keeper.changed_from(old.keeper, self._place)
                if old.keeper
                else self.keeper.made(self._place)
            )
        forbidden = list(self._forbid(old, on))
        if (
            self.keeper is not None
            and old.keeper is None
            and not any(s.fill for s in forbidden)
            and not self.not_null
        ):
            yield fill(self._place, self._backfill(on))
        yield from forbidden
        if old.keeper is not None and self.keeper is None:
            yield from old.keeper.removed(self._place)

    def _forbid(self, old: Self, on: Situation) -> Iterable[Statement]:
        return nulls(self, old, self._place, self._backfill(on), on)

    def remove(self, on: Situation) -> Iterable[Statement]:
        dangers = (
            ()
            if self.generated is not None
            else (Danger(hazard=Hazard.DATA_LOSS, reason=f"{self.ref} is dropped with its values"),)
        )
        if self.keeper is not None:
            yield from (
                s.model_copy(update={"undo": None}) for s in self.keeper.removed(self._place)
            )
        if not self.overrides:
            yield self._place.alter(compose("DROP COLUMN {}", self.ref.name), dangers=dangers)

    def left_behind(self, on: Situation) -> Iterable[Statement]:
        if self.keeper is not None:
            yield from self.keeper.left(self._place)

    def finish(self, old: Self | None, on: Situation) -> Iterable[Statement]:
        """Number the column once the sequence of its default is out of the way, whose name it may take."""
        if self.numbering is not None and old is not None and old.numbering is None:
            yield from self.numbering.added(self.type, self._place, on)

    def finish_needs(self) -> frozenset[Ref]:
        return frozenset(
            {Ref("sequence", self.ref.schema, self.numbering.named(self._place))}
            if self.numbering is not None
            else ()
        )

    def restate(self, changed: Object, old: Object, on: Situation) -> Iterable[Statement]:
        """A privilege revoked on the table goes from its columns too; what is said of a parent's column goes for its heirs'."""
        if isinstance(changed, Column) and isinstance(old, Column):
            yield from said_again(self, changed, old, self._place, on.server)
        elif self.grants and getattr(changed, "grants", None) != getattr(old, "grants", None):
            yield from self._own(None, on)

    def hold_on(self, changed: Object, old: Object, on: Situation) -> Iterable[Statement]:
        """Privileges go from one owner of the table to the other, as grantee and as grantor."""
        before, after = (o.owner if isinstance(o, Owned) else None for o in (old, changed))
        if self.grants and before and after and before != after:
            yield from self._granted(handed_over(self.grants, before, after), on)

    # -- what is replaced beneath it -------------------------------------------------------------------------------

    def release(self, on: Situation) -> Iterable[Statement] | None:
        """Take away the default, which may call what is replaced."""
        if self.generated is not None:
            return None
        numbered = [] if self.numbering is None else [self.numbering.dropped(self._place, on)]
        return (
            numbered
            if self.default is None
            else [*numbered, self._place.default(None, before=self.default)]
        )

    def resume(self, old: Self, turns: Mapping[str, Turn], on: Situation) -> Iterable[Statement]:
        turn = turns.get(old.type)
        bare = old.model_copy(
            update={"default": None, "identity": None, "type": turn.aside if turn else old.type}
        )
        collated = (
            turns.get(COLLATED + text(collate(old.collation)))
            if old.collation is not None
            else None
        )
        if turn and self.type == old.type:
            yield self._place.turned(turn, on)
        elif collated:
            yield self._retype(bare.model_copy(update={"collation": collated.aside}), on)
        elif self._retyped(old):
            yield self._retype(bare, on)
        if self.default is not None:
            yield self._place.default(self.default, before=None)

    def resumed(self, old: Self, on: Situation) -> Self:
        return old.model_copy(
            update={
                "type": self.type,
                "collation": self.collation,
                "default": self.default,
                "identity": None,
            }
        )

    # -- exchanged -------------------------------------------------------------------------------------------------

    def twin(self, old: Object, on: Situation) -> str:
        found = self._twin(old, on) if isinstance(old, Column) else None
        return found.ref.name if found is not None else ""

    def exchange(self, old: Object, on: Situation) -> Iterable[Statement]:
        assert isinstance(old, Column)
        twin = self._twin(old, on)
        assert twin is not None
        yield from ahead(twin, self, old, on)
        yield from twin.put(
            self._place, self._retyping(old), self, old, super(Column, old).attach(None, on), on
        )

    def exchanged(self, old: Object) -> Self:
        assert isinstance(old, type(self))
        told = {f: getattr(self, f) for f in (*STORED, "type", "collation", "default")}
        return old.model_copy(update=told | ({"identity": None} if self.identity is None else {}))

    def _twin(self, old: Column, on: Situation) -> Twin | None:
        """What takes its place, where that is asked for and anything is written anew; raises PlanError."""
        declared, retyping = on.declared.get(self.ref), self._retyping(old)
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
        return Twin.of(
            self.ref, self.type, self.collation, text(value), declared.retype, on.leftovers
        )

    def adopts(self, old: Self | None, on: Situation) -> frozenset[Ref]:
        twin = self._twin(old, on) if old is not None else None
        return frozenset({twin.ref} if twin is not None and twin.begun(on.leftovers) else ())

    def discard(self, *, wanted: bool = True) -> Iterable[Statement]:
        return Twin.left(self).discarded()

    def halfway(self, pieces: Mapping[Ref, Piece]) -> Iterable[Statement]:
        return Twin.left(self).strewn()

    def _retype(self, old: Self, on: Situation) -> Statement:
        retyping, declared = self._retyping(old), on.declared.get(self.ref)
        said = (
            raw(declared.using)
            if isinstance(declared, Column) and declared.using is not None
            else None
        )
        lost = settings(old, old.model_copy(update=RESET), self._place, on.server)
        undo = (self._place.column_action(retyping.back()), *(s.sql for s in lost))
        return self._place.alter_column(
            retyping.forth(said),
            undo=undo,
            dangers=tuple(retyping.dangers(self._place.rewritten(on))),
        )

    def _retyping(self, old: Column) -> Retyping:
        return Retyping(
            self.ref, self._place.relation, (old.type, old.collation), (self.type, self.collation)
        )

    def _backfill(self, on: Situation) -> Backfill | None:
        """How people say that rows without a value get one."""
        declared = on.declared.get(self.ref)
        said = declared.backfill if isinstance(declared, Column) else None
        return (
            Backfill(value=self.keeper.value) if said is None and self.keeper is not None else said
        )
