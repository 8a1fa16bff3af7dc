"""Subscriptions: https://www.postgresql.org/docs/current/sql-createsubscription.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field, field_validator, model_validator

from reconciler.model.catalog_sql import address
from reconciler.model.kept_off_scratch import Obstacle
from reconciler.model.object import Object, PlanningContext
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref
from reconciler.model.remote import (
    SECRET,
    ConnectsElsewhere,
    SecretConninfo,
    placeholder,
)
from reconciler.model.spelling import Name
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import Part, compose, joined, literal, name, raw, text

NO_SLOT = "none"  # PostgreSQL's word for no slot; no slot has that name
_ALTERABLE = (
    *("slot_name", "binary", "streaming", "synchronous_commit", "disable_on_error"),
    *("password_required", "run_as_owner", "origin"),
)
_WITH_SLOT = ("two_phase", "failover")  # properties of the slot on the publisher as well


class Subscription(ConnectsElsewhere, Owned):
    """A subscription for logical replication, created without connecting unless asked."""

    kind: ClassVar[str] = "subscription"
    section: ClassVar[str] = "subscriptions"
    oid_column: ClassVar[str] = "pg_subscription.oid"
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True
    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "create_slot": ("connect",),
        "copy_data": ("connect",),
    }
    first_version: ClassVar[Mapping[str, int]] = {
        "two_phase": 15,
        "disable_on_error": 15,
        "password_required": 16,
        "run_as_owner": 16,
        "origin": 16,
        "failover": 17,
    }

    publications: tuple[Name, ...] = Field(
        min_length=1, description="the publications of the publisher, in any order"
    )
    conninfo: SecretConninfo = Field(
        description="the publisher: {env: RECONCILE_NAME} names an environment variable of `apply`"
        " with the connection string for a new subscription; {secret} keeps what the server has"
    )
    enabled: bool = Field(
        default=True, description="whether changes are applied; a new one that is must `connect`"
    )
    slot_name: Name | None = Field(
        default=None,
        description="the slot on the publisher; left out: of its own name; none: no slot",
    )
    binary: bool = Field(default=False, description="ask for values in binary format")
    streaming: Literal["off", "on", "parallel"] = Field(
        default="off",
        description="apply transactions before they end; left out: off, on every version;"
        " `parallel` since PostgreSQL 16",
    )
    synchronous_commit: Literal["off", "local", "remote_write", "remote_apply", "on"] = Field(
        default="off", description="synchronous_commit of the processes that apply changes"
    )
    two_phase: bool = Field(
        default=False,
        description="apply prepared transactions when they are prepared (PostgreSQL 15)",
    )
    disable_on_error: bool = Field(
        default=False, description="disable it when a change cannot be applied (PostgreSQL 15)"
    )
    password_required: bool = Field(
        default=True,
        description="whether an owner who is no superuser connects with a password (PostgreSQL 16)",
    )
    run_as_owner: bool = Field(
        default=False,
        description="apply changes as its owner, not as the owners of the tables (PostgreSQL 16)",
    )
    origin: Literal["any", "none"] = Field(
        default="any",
        description="none: only changes that did not reach the publisher by replication"
        " (PostgreSQL 16)",
    )
    failover: bool = Field(
        default=False, description="keep the slot on the publisher's standbys too (PostgreSQL 17)"
    )
    connect: bool = Field(
        default=False,
        description="connect to the publisher on creation, and for tables of new publications",
    )
    create_slot: bool = Field(
        default=True,
        description="with `connect`: create the slot on the publisher, another server",
    )
    copy_data: bool = Field(
        default=True, description="with `connect`: copy the rows that the publisher has"
    )

    @field_validator("streaming", "synchronous_commit", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value

    @field_validator("renamed_from", mode="before")
    @classmethod
    def _keeps_its_name(cls, old: object) -> object:
        if old is not None:
            raise ValueError(
                "a subscription is not renamed here, as its slot would keep the old name:"
                " ALTER SUBSCRIPTION … RENAME TO on the server, and declare its slot_name"
            )
        return old

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.enabled and self.slot_name == NO_SLOT:
            raise ValueError("a subscription without a slot is not enabled: enabled: false")
        if (variable := self.conninfo.get("env")) and placeholder(variable) in self.ref.name:
            raise ValueError(f"the name holds {placeholder(variable)}, which stands for a secret")
        return self

    @classmethod
    def catalog(cls, server: Server) -> str:
        streaming = "CASE s.substream WHEN 't' THEN 'on' WHEN 'p' THEN 'parallel' ELSE 'off' END"
        columns = {
            "streaming": streaming
            if server.has_parallel_subscriptions
            else "CASE WHEN s.substream THEN 'on' ELSE 'off' END"
        }
        if server.has_two_phase_subscriptions:
            columns["two_phase"] = "s.subtwophasestate <> 'd'"
            columns["disable_on_error"] = "s.subdisableonerr"
        if server.has_parallel_subscriptions:
            columns["password_required"] = "s.subpasswordrequired"  # noqa: S105 - a column
            columns["run_as_owner"] = "s.subrunasowner"
            columns["origin"] = "s.suborigin"
        if server.has_failover_subscriptions:
            columns["failover"] = "s.subfailover"
        listed = ", ".join(f"{column} AS {field}" for field, column in columns.items())
        return f"""
            SELECT s.subname AS name, pg_get_userbyid(s.subowner)::text AS owner,
                   ARRAY[{address("pg_subscription", "s.oid")}] AS addresses,
                   s.subpublications AS publications, s.subenabled AS enabled,
                   s.subslotname::text AS slot_name, s.subbinary AS binary,
                   s.subsynccommit AS synchronous_commit, {listed}
            FROM pg_subscription AS s
            WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d
                               WHERE d.datname = current_database())
            ORDER BY s.subname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        slot = NO_SLOT if row["slot_name"] is None else row["slot_name"]
        row["slot_name"] = None if slot == ref.name else slot
        row["publications"] = tuple(sorted(row["publications"]))
        return cls(ref=ref, conninfo=SECRET, **row)

    def as_state(self) -> Self:
        state: dict[str, object] = {
            "conninfo": SECRET,
            "publications": tuple(sorted({*self.publications})),
            "slot_name": None if self.slot_name == self.ref.name else self.slot_name,
            "connect": False,
            "create_slot": True,
            "copy_data": True,
        }
        return super().as_state().model_copy(update=state)

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def required_versions(self) -> Mapping[str, int]:
        parallel = {"streaming": 16} if self.streaming == "parallel" else {}
        return {**super().required_versions(), **parallel}

    def obstacles(self, live: Self | None) -> Iterator[Obstacle]:
        if live is not None:
            yield from self._unalterable(live)
            return
        if self.conninfo == SECRET:
            yield Obstacle(
                "conninfo",
                "does not exist, and no file holds the connection string to create it with",
                "conninfo: {env: RECONCILE_NAME} names an environment variable that holds it",
            )
        if self.enabled and not self.connect:
            yield Obstacle(
                "connect",
                "would be created without connecting, and so without tables to replicate",
                "connect: true connects to the publisher; enabled: false creates it disabled",
            )

    def _unalterable(self, live: Self) -> Iterator[Obstacle]:
        for field in _WITH_SLOT:
            wanted, found = getattr(self, field), getattr(live, field)
            if wanted != found:
                yield Obstacle(
                    field,
                    f"{field} is {str(found).lower()}, and belongs to the slot on the publisher",
                    f"declare {field}: {str(found).lower()}, or change it by hand: the manual of"
                    " ALTER SUBSCRIPTION says how, and from which version on",
                )

    @property
    def _slot(self) -> str:
        return self.ref.name if self.slot_name is None else self.slot_name

    @property
    def _has_slot(self) -> bool:
        return self._slot != NO_SLOT

    # -- commands ----------------------------------------------------------------------------------

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        """Create the subscription; the slot is the publisher's unless the command makes it."""
        declared = self._declared(context)
        variable = declared.conninfo.get("env")
        options = {
            "connect": declared.connect,
            "create_slot": declared.connect and declared.create_slot and self._has_slot,
            "copy_data": declared.connect and declared.copy_data,
            "enabled": declared.connect and self.enabled,
        }
        command = compose(
            "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} WITH ({})",
            self.ref.name,
            raw(placeholder(variable)) if variable else literal(""),
            joined(self.publications),
            joined(
                [
                    *(compose("{} = {}", raw(o), raw(str(v).lower())) for o, v in options.items()),
                    *(self._option(f) for f in self._options(context.server)),
                ]
            ),
        )
        yield Statement(
            sql=text(command),
            environment=variable or "",
            transactional=not declared.connect,
            undo=self._drop(keep_slot=not options["create_slot"]),
            needs_create_on="database",
        )
        if self.enabled and not declared.connect:
            yield self._switched("ENABLE", "DISABLE")

    def _drop(self, *, keep_slot: bool) -> tuple[str, ...]:
        """Return the commands that drop the subscription, with or without the slot."""
        drop = compose("DROP SUBSCRIPTION {}", self.ref.name)
        without = [self._alter(raw("DISABLE")), self._alter(raw("SET (slot_name = NONE)"))]
        return tuple(text(c) for c in [*(without if keep_slot else []), drop])

    def _declared(self, context: PlanningContext) -> Self:
        declared = context.declared.get(self.ref)
        return declared if isinstance(declared, type(self)) else self

    def _options(self, server: Server) -> list[str]:
        """List the options that the server has."""
        return [
            f for f in (*_ALTERABLE, *_WITH_SLOT) if self.first_version.get(f, 14) <= server.major
        ]

    def _option(self, field: str) -> sql.Composable:
        value = self._slot if field == "slot_name" else getattr(self, field)
        shown: Part = literal(value) if isinstance(value, str) else raw(str(value).lower())
        shown = raw("NONE") if field == "slot_name" and not self._has_slot else shown
        return compose("{} = {}", raw(field), shown)

    def _alter(self, action: sql.Composable) -> sql.Composable:
        return compose("ALTER SUBSCRIPTION {} {}", self.ref.name, action)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        if old.enabled and not self.enabled:
            yield self._switched("DISABLE", "ENABLE", self._stays_behind(old))
        if changed := [f for f in _ALTERABLE if getattr(self, f) != getattr(old, f)]:
            loses_slot = old._has_slot and not self._has_slot
            yield Statement(
                sql=text(self._set(changed)),
                undo=(text(old._set(changed)),),
                hazards=self._stays_behind(old) if loses_slot and not old.enabled else (),
            )
        if self.enabled and not old.enabled:
            yield self._switched("ENABLE", "DISABLE")
        if self.publications != old.publications:
            yield self._publish(old, context)

    def _set(self, fields: Iterable[str]) -> sql.Composable:
        return self._alter(compose("SET ({})", joined(self._option(f) for f in fields)))

    def _switched(self, do: str, undo: str, hazards: tuple[Hazard, ...] = ()) -> Statement:
        commands = [text(self._alter(raw(c))) for c in (do, undo)]
        return Statement(sql=commands[0], undo=(commands[1],), hazards=hazards)

    def _publish(self, old: Self, context: PlanningContext) -> Statement:
        """Set the publications; only a connection to the publisher brings their tables."""
        declared = self._declared(context)
        refresh = declared.connect and self.enabled
        options = [raw(f"refresh = {str(refresh).lower()}")]
        if refresh:
            options.append(raw(f"copy_data = {str(declared.copy_data).lower()}"))
        do, undo = (
            compose("SET PUBLICATION {} WITH ({})", joined(s.publications), joined(options))
            for s in (self, old)
        )
        return Statement(
            sql=text(self._alter(do)), undo=(text(self._alter(undo)),), transactional=not refresh
        )

    def _stays_behind(self, old: Self) -> tuple[Hazard, ...]:
        reason = (
            f"nothing reaches this database through {self.ref} from then on, and the publisher"
            f" keeps its WAL for the slot {old._slot} until it is used again or dropped there"
        )
        return (Hazard(hazard=HazardKind.STOPS_REPLICATION, reason=reason),)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the subscription with its slot, for which PostgreSQL connects to the publisher."""
        lost = (
            f"{self.ref} is dropped with its connection string, which nobody may read here: no undo"
            " brings it back"
        )
        hazards = [Hazard(hazard=HazardKind.IRREVERSIBLE, reason=lost)]
        if self._has_slot:
            reason = (
                f"DROP SUBSCRIPTION connects to the publisher, drops the slot {self._slot} there,"
                " and fails if it cannot; to leave the slot there, which keeps WAL, first apply"
                " enabled: false with slot_name: none"
            )
            hazards.append(Hazard(hazard=HazardKind.STOPS_REPLICATION, reason=reason))
        yield Statement(
            sql=self._drop(keep_slot=False)[0],
            undo=(),
            transactional=not self._has_slot,
            hazards=tuple(hazards),
        )
