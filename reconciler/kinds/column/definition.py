"""Fields, short forms, names and clause of a column."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Set
from itertools import count
from typing import Any, ClassVar, Literal, Self

from psycopg import sql
from pydantic import AliasChoices, Field, field_validator

from reconciler.kinds.column.backfill_spec import Backfill, Retype
from reconciler.kinds.column.fill_trigger import FillTrigger
from reconciler.kinds.column.identity import Identity, identity_of
from reconciler.kinds.column.not_null import NotNull
from reconciler.kinds.column.shortform import ShortForm, declares_fully, denied, type_alone
from reconciler.kinds.column.target import Target
from reconciler.kinds.column.type_change import TypeChange
from reconciler.model.clauses import (
    DEFAULT,
    EXPRESSION,
    NAME,
    PARAMETER,
    TYPE,
    Clause,
    Fragment,
    referenced,
)
from reconciler.model.declared import NumbersNames, RowExpressions, Shorthand
from reconciler.model.foreign_options import Options, keeping_hidden, listed_options
from reconciler.model.inheritance import Inheritable, Overriding
from reconciler.model.object import InlinePart, Object
from reconciler.model.online_swap import SwappedOnline
from reconciler.model.partitioned import constraint_name_key
from reconciler.model.privileges import PUBLIC, grantors, privilege_fragments
from reconciler.model.record import Record
from reconciler.model.ref import Ref, default_name
from reconciler.model.resumption import LeavesLeftovers, Resumable
from reconciler.model.spelling import Privileges, Referenced, Sql, collation_sql
from reconciler.model.statement import Statement
from reconciler.model.type_spelling import TypeName
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, name, raw, text


class ColumnDefinition(
    InlinePart,
    Shorthand,
    RowExpressions,
    NumbersNames,
    Inheritable,
    Overriding,
    LeavesLeftovers,
    Resumable,
    SwappedOnline,
):
    """The fields of a column.

    A child table or partition declares an inherited column only where the column differs from the
    parent's, and without a type: such a declaration overrides.
    """

    main_key: ClassVar[str] = "type"
    wrong_keys: ClassVar[Mapping[str, str]] = {
        "check": "constraints: {NAME: a > 0} of the table declares it",
        "foreign_key": "references: t(a) declares it",
        "nullable": "not_null: true stands for nullable: false",
    }
    other_keys: ClassVar[Mapping[str, str]] = {"collate": "collation"}
    first_version: ClassVar[Mapping[str, int]] = {"virtual": 18}
    sql_fields: ClassVar[tuple[str, ...]] = ("type", "default", "generated", "using", "references")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "type": TYPE,
        "default": DEFAULT,
        "generated": EXPRESSION,
        "using": EXPRESSION,
        "n_distinct": PARAMETER,
        "n_distinct_inherited": PARAMETER,
    }

    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"virtual": ("generated",)}
    declares_others: ClassVar[frozenset[str]] = frozenset({"primary_key", "unique", "references"})

    type: TypeName = Field(default="", description="the data type, as in CREATE TABLE")
    collation: str | None = Field(default=None, description="where it is not the type's own")
    not_null: bool | NotNull = Field(
        default=False, description="online: only after the backfill, and without a scan under lock"
    )
    default: Sql | None = Field(default=None, description="SQL expression for new rows")
    generated: Sql | None = Field(
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
    options: Options = Field(
        default_factory=dict,
        description="of a foreign table's column: what its wrapper takes; {secret} keeps a value",
    )
    grants: Privileges | None = Field(
        default=None, description="role (or `public`) → privileges on this column alone"
    )
    backfill: Backfill | None = Field(
        default=None,
        description="how rows that are null get a value, before NOT NULL; or just the value",
    )
    using: Sql | None = Field(
        default=None,
        description="SQL expression over the row that turns an old value into the new type",
    )
    retype: Retype | None = Field(
        default=None,
        description="`online`: no rewrite under lock for another type; the column then stands last",
    )
    primary_key: bool = Field(default=False, description="short for a constraint of the table")
    unique: bool = Field(default=False, description="short for a constraint of the table")
    references: Referenced | None = Field(
        default=None, description="table(column): short for a foreign key of the table"
    )
    # whether the default calls a volatile function
    volatile: bool = Field(default=False, json_schema_extra={"derived": True})
    # whether the type is a domain with constraints
    constrained: bool = Field(default=False, json_schema_extra={"derived": True})
    # of a backfill with `keep_filled`; journals of 0.1 have the old name
    fill_trigger: FillTrigger | None = Field(
        default=None,
        validation_alias=AliasChoices("fill_trigger", "keeper"),
        json_schema_extra={"derived": True},
    )
    inherited: bool = Field(default=False, json_schema_extra={"derived": True})
    # whether NOT NULL has no name, as before 18
    nameless: bool = Field(default=False, json_schema_extra={"derived": True})

    @field_validator("type")
    @classmethod
    def _type_alone(cls, value: str) -> str:
        return type_alone(value)

    @property
    def target(self) -> Target:
        """The table and the name, for ALTER TABLE."""
        assert self.ref.on is not None
        return Target(self.ref.on, self.ref.name)

    @property
    def full_identity(self) -> Identity | None:
        """The identity with all attributes."""
        return identity_of(self.identity) if isinstance(self.identity, str) else self.identity

    @property
    def full_not_null(self) -> NotNull | None:
        """The NOT NULL constraint with all attributes."""
        if isinstance(self.not_null, NotNull):
            return self.not_null
        return NotNull() if self.not_null else None

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield from privilege_fragments(self.grants)
        if self.full_identity is not None:
            yield from privilege_fragments(self.full_identity.grants, "identity")
        yield from referenced(self.references)
        if self.collation is not None:
            yield Fragment("collation", NAME, text(collation_sql(self.collation)))
        source = self.backfill or self.fill_trigger
        if source is not None:
            yield Fragment("backfill", EXPRESSION, source.value)

    # -- short forms and expressions ---------------------------------------------------------------

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["type"] if list(body) == ["type"] else body

    def expand_shorthand(self) -> Iterable[tuple[Ref, dict[str, Any]]]:
        return self._short_form.expand()

    def denied(self, others: Iterable[Object]) -> Iterator[tuple[str, Object]]:
        return denied(self, others)

    def numbered(self, ref: Ref, used: Container[Ref]) -> tuple[Self, Ref] | None:
        found = self._short_form.numbered(ref, used)
        if found is None:
            return None
        update, free = found
        return self.model_copy(update={**update, "not_null": self.not_null or True}), free

    def with_free_name(self, used: Set[tuple[str, str]]) -> Self:
        identity = self.full_identity
        if identity is None or (self.ref.schema, identity.sequence_name(self.target)) not in used:
            return self
        table, column = self.target.name, self.target.column
        numbers = (default_name(table, column, f"seq{n}") for n in count(1))
        free = next(n for n in numbers if (self.ref.schema, n) not in used)
        named = identity.model_copy(update={"sequence": free})
        return self if identity.sequence else self.model_copy(update={"identity": named})

    def collapse_shorthand(self, others: Mapping[Ref, Object]) -> tuple[Self, frozenset[Ref]]:
        found, declared = self, frozenset[Ref]()
        if self.fill_trigger is not None:
            backfill = self.fill_trigger.as_backfill()
            found = self.model_copy(update={"backfill": backfill})
        if isinstance(self.not_null, NotNull):
            not_null = self.not_null.without_default_name(self.target.name, self.ref.name)
            found = found.model_copy(update={"not_null": not_null})
        required = found.not_null is True
        for update in self._short_form.candidates(self.default, others, required=required):
            candidate = found.model_copy(update=update)
            added = {r: body for r, body in candidate.expand_shorthand() if r not in declared}
            if all(r in others and declares_fully(body, others[r]) for r, body in added.items()):
                found, declared = candidate, declared | added.keys()
        return found, declared

    @property
    def _short_form(self) -> ShortForm:
        return ShortForm(self.target, self.type, self.primary_key, self.unique, self.references)

    @property
    def is_serial(self) -> bool:
        """Whether the declared type is a serial."""
        return self._short_form.serial_type is not None

    @classmethod
    def kept(cls) -> frozenset[str]:
        return super().kept() - {"fill_trigger"}

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        """Keep hidden options and PostgreSQL's names; identity and default replace each other."""
        full, declared = super().over(live, with_defaults=with_defaults), self.model_fields_set
        replaced: dict[str, Any] = {}
        if live is not None and self.full_not_null is not None and "nameless" not in declared:
            replaced["not_null"] = self.full_not_null.named_as(live.full_not_null, self.target)
        if live is not None and (identity := full.full_identity) is not None:
            numbered = identity.numbered_as(live.full_identity, self.target)
            replaced["identity"] = numbered.short_form(self.target.name, self.target.column)
        if live is not None and live.options:
            replaced["options"] = keeping_hidden(full.options, live.options)
        if self.identity is not None and "default" not in declared:
            replaced["default"] = None
        elif (self.default is not None or self.is_serial) and "identity" not in declared:
            replaced["identity"] = None
        return full.model_copy(update=replaced) if replaced else full

    def repeats(self, live: Record) -> bool:
        required = not (isinstance(live, ColumnDefinition) and live.not_null)
        return super().repeats(live) and not (required and self.primary_key)

    def as_state(self) -> Self:
        expanded: dict[str, Any] = dict.fromkeys(("backfill", "using", "retype", "references"))
        # a key set here is declared: no fill trigger means that an existing one is dropped
        expanded |= {"primary_key": False, "unique": False, "fill_trigger": self.fill_trigger}
        if self.backfill is not None and self.backfill.keep_filled and not self.overrides:
            expanded["fill_trigger"] = FillTrigger.of(self.target, self.backfill)
        serial = self._short_form
        if self.primary_key or serial.serial_type is not None:
            expanded["not_null"] = self.not_null or True
        if serial.serial_type is not None:
            expanded |= {"type": serial.serial_type, "default": serial.serial_default}
        return super().as_state().model_copy(update=expanded)

    def expressions(self) -> Mapping[str, str]:
        source = self.backfill or self.fill_trigger
        return {"backfill": source.value} if source else {}

    def conversions(self) -> Mapping[str, str]:
        return {} if self.using is None else {"using": self.using}

    def with_expression(self, field: str, value: str, *, constant: bool) -> Self:
        if field == "using":
            return self.model_copy(update={"using": value})
        update: dict[str, Any] = {}
        if self.backfill is not None:
            printed = {"value": value, "constant": constant}
            update["backfill"] = self.backfill.model_copy(update=printed)
        if self.fill_trigger is not None:
            update["fill_trigger"] = self.fill_trigger.model_copy(update={"value": value})
        return self.model_copy(update=update)

    def required_versions(self) -> Mapping[str, int]:
        unlogged = isinstance(self.identity, Identity) and self.identity.unlogged is not None
        named = isinstance(self.not_null, NotNull)
        return {**super().required_versions(), "not_null": 18 * named, "identity": 15 * unlogged}

    def roles(self) -> frozenset[str]:
        of_sequence = self.full_identity.grants if self.full_identity is not None else None
        grants = {**(self.grants or {}), **(of_sequence or {})}
        return frozenset({*grants, *grantors(grants)} - {PUBLIC})

    # -- names -------------------------------------------------------------------------------------

    def designation(self) -> sql.Composable:
        return compose("COLUMN {}.{}", self.target.table, self.ref.name)

    @property
    def relation_name(self) -> str | None:
        identity = self.full_identity
        return identity.sequence_name(self.target) if identity is not None else None

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        not_null = self.full_not_null
        if not_null is None:
            return super().name_keys()
        constraint = not_null.constraint_name(self.target)
        return super().name_keys() | {constraint_name_key(self.ref.on, constraint)}

    def renamed_to(self, name: str) -> Statement:
        rename = "RENAME COLUMN {} TO {}"
        return self.target.alter(
            compose(rename, self.ref.name, name), compose(rename, name, self.ref.name)
        )

    def reserved_constraint_names(self) -> frozenset[str]:
        not_null = self.full_not_null
        return frozenset({not_null.constraint_name(self.target)} if not_null is not None else ())

    def with_explicit_names(self, reserved: Set[tuple[str, str]]) -> Self:
        if self.full_not_null is None:
            return self
        named = self.full_not_null.with_explicit_names(self.target, reserved)
        return self.model_copy(update={"not_null": named}) if named is not None else self

    # -- inheritance -------------------------------------------------------------------------------

    @property
    def overrides(self) -> bool:
        return not self.type

    @property
    def also_inherited(self) -> bool:
        return self.overrides or self.inherited

    def changes_type(self, old: ColumnDefinition) -> bool:
        """Return whether type or collation change, apart from a change of the parent's column."""
        inherited = self.overrides or old.overrides or (self.inherited and old.inherited)
        return not inherited and (self.type, self.collation) != (old.type, old.collation)

    def type_change(self, old: ColumnDefinition) -> TypeChange:
        """Return the change of type and collation from `old`."""
        before, after = (old.type, old.collation), (self.type, self.collation)
        return TypeChange(self.ref, self.target.relation, before, after)

    def must_be_replaced(self, old: ColumnDefinition, server: Server) -> bool:
        """Return whether ALTER COLUMN cannot lead from `old` to this column.

        Only generated columns are dropped and added again: their values are computed anew.
        """
        if self.generated is None or self.overrides or old.overrides:
            return old.generated is not None and old.virtual and self.generated is None
        if old.generated is None or self.virtual != old.virtual or self.changes_type(old):
            return True
        return self.generated != old.generated and not server.has_set_expression

    def rewrites_table(self, *, volatile_default: bool) -> bool:
        """Return whether ADD COLUMN writes every row anew."""
        is_stored = self.generated is not None and not self.virtual
        return is_stored or self.constrained or volatile_default or self.full_identity is not None

    def clause(self) -> sql.Composable:
        return joined(self._clauses(), by=" ")

    def _clauses(self) -> Iterator[sql.Composable]:
        yield name(self.ref.name)
        yield raw(self.type)
        yield from self._storage_clauses()
        if self.default is not None:
            yield compose("DEFAULT {}", raw(self.default))
        if self.generated is not None:
            generated, stored = raw(self.generated), raw("VIRTUAL" if self.virtual else "STORED")
            yield compose("GENERATED ALWAYS AS ({}) {}", generated, stored)
        if self.full_identity is not None:
            yield self.full_identity.clause(self.ref.schema)
        if self.full_not_null is not None and not self.full_not_null.not_valid:
            yield self.full_not_null.column_clause()

    def _storage_clauses(self) -> Iterator[sql.Composable]:
        if self.compression is not None:
            yield compose("COMPRESSION {}", self.compression)
        if (options := listed_options(self.options)) is not None:
            yield options
        if self.collation is not None:
            yield compose("COLLATE {}", collation_sql(self.collation))
