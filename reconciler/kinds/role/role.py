"""Roles: https://www.postgresql.org/docs/current/sql-createrole.html"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import Field, WithJsonSchema, field_validator, model_validator

from reconciler.kinds.role import rights
from reconciler.kinds.role.membership import (
    Grants,
    Memberships,
    completed,
    in_order,
    memberships_of,
    short_forms,
)
from reconciler.kinds.role.removal import disposals, drop_hazard, read_removals
from reconciler.model.access import DecidesAccess
from reconciler.model.catalog_sql import address
from reconciler.model.facts import Removal
from reconciler.model.global_object import GlobalObject
from reconciler.model.names import unquoted
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.remote import SecretPassword, placeholder
from reconciler.model.routine_settings import Settings, setting_value, without_quotes
from reconciler.model.spelling import Role as RoleField
from reconciler.model.spelling import RoleName
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, Row, rows
from reconciler.server.roles import PREDEFINED
from reconciler.sql import compose, joined, literal, name, raw, text

# https://www.postgresql.org/docs/current/sql-createrole.html
_SWITCHES = ("superuser", "createdb", "createrole", "inherit", "login", "replication", "bypassrls")
_ATTRIBUTES = (*_SWITCHES, "connection_limit", "valid_until")
_POWERFUL = ("superuser", "createrole", "replication", "bypassrls")
_OWN_LOSS = ("superuser", "createrole", "login")  # what an applier cannot give back to itself
_RESERVED = frozenset({"public", "none"})  # PostgreSQL's parser refuses these, even in quotes
_NO_END = "infinity"
# As `_in_utc` spells it; Python's calendar ends where almost no end is meant.
_VALID_UNTIL = """
    CASE WHEN r.rolvaliduntil < '9999-12-31 00:00+00'
         THEN to_char(greatest(r.rolvaliduntil, '0001-01-02 00:00+00') AT TIME ZONE 'UTC',
                      'YYYY-MM-DD HH24:MI:SS.US+00:00') END"""

_MOMENT: dict[str, Any] = {
    "type": "string",
    "pattern": r"^(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([+-]\d{2}(:\d{2})?|Z))?"
    "|[iI]nfinity)$",
}


class Role(GlobalObject, DecidesAccess):
    """A role of the cluster; only the roles that are declared are read, and changed."""

    kind: ClassVar[str] = "role"
    section: ClassVar[str] = "roles"
    omitted_is_default: ClassVar[bool] = True  # attributes are, as `kept` says
    access_fields: ClassVar[frozenset[str]] = frozenset({*_SWITCHES, "member_of", "valid_until"})
    fields_above_policies: ClassVar[Sequence[str]] = ("superuser", "bypassrls")
    keys_when_absent: ClassVar[frozenset[str]] = frozenset({"reassign_owned_to"})
    unproven: ClassVar[str] = (
        "gets its attributes, memberships and settings: on scratch a role has only its name"
    )
    wrong_keys: ClassVar[Mapping[str, str]] = {
        "in_role": "member_of lists the roles",
        "members": "each member declares it, under member_of",
        "in_database": "set_in_database holds the settings in this database",
        **{f"no{switch}": f"{switch}: false declares it" for switch in _SWITCHES},
    }

    superuser: bool = Field(default=False, description="SUPERUSER: no privilege is checked")
    createdb: bool = Field(default=False, description="CREATEDB: it may create databases")
    createrole: bool = Field(default=False, description="CREATEROLE: it may create roles")
    inherit: bool = Field(
        default=True,
        description="INHERIT: it has the privileges of roles without SET ROLE; since PostgreSQL 16"
        " for new memberships only",
    )
    login: bool = Field(default=False, description="LOGIN: it may connect")
    replication: bool = Field(
        default=False, description="REPLICATION: it may replicate, and use replication slots"
    )
    bypassrls: bool = Field(default=False, description="BYPASSRLS: no policy hides rows from it")
    connection_limit: int = Field(
        default=-1, ge=-1, lt=1 << 31, description="CONNECTION LIMIT: sessions at a time; -1: any"
    )
    valid_until: Annotated[str, WithJsonSchema(_MOMENT)] | None = Field(
        default=None,
        description="VALID UNTIL: when its password ends, as in 2030-01-31 or 2030-01-31 12:00+01",
    )
    password: SecretPassword | None = Field(
        default=None,
        description="{env: RECONCILE_NAME}: an environment variable of `apply` with the password,"
        " or its SCRAM-SHA-256 verifier, of a role that is made; else it is neither read nor set",
    )
    member_of: Memberships = Field(
        default=(),
        description="the roles that it is a member of, each by its name or with options; from"
        " others it is removed",
    )
    set: Settings = Field(
        default_factory=dict, description="ALTER ROLE … SET: its settings in all databases"
    )
    set_in_database: Settings = Field(
        default_factory=dict,
        description="ALTER ROLE … IN DATABASE … SET: its settings in this database",
    )
    reassign_owned_to: RoleField | None = Field(
        default=None,
        description="with `state: absent`: the role that gets what it owns, in all databases",
    )

    # -- declared ----------------------------------------------------------------------------------

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        own = unquoted(RoleName().read(key))
        if own.startswith(PREDEFINED):
            raise ValueError(
                f"{own} is a predefined role, or its name is reserved: PostgreSQL alone makes roles"
                " that begin with pg_"
            )
        if own in _RESERVED:
            raise ValueError(f"PostgreSQL has no role of the name {own}: the word is reserved")
        return key, body

    @field_validator("renamed_from", mode="before")
    @classmethod
    def _keeps_its_name(cls, old: object) -> object:
        if old is not None:
            raise ValueError(
                "a role is not renamed here, as the files for other databases would make the old"
                " one again: ALTER ROLE … RENAME TO on the server, and declare the new name"
            )
        return old

    @field_validator("valid_until", mode="before")
    @classmethod
    def _in_utc(cls, end: object) -> object:
        """Return the moment in UTC, as the catalog query prints it."""
        if not isinstance(end, str):
            return end
        if end.strip().lower() == _NO_END:
            return None
        try:
            moment = datetime.fromisoformat(end.strip())
        except ValueError:
            raise ValueError(
                f"expected a date, or a time with its offset as in 2030-01-31 12:00+01, got '{end}'"
            ) from None
        if moment.tzinfo is None:
            if ":" in end:
                raise ValueError(f"'{end}' has no offset from UTC: write {end}+00, for example")
            moment = moment.replace(tzinfo=UTC)
        try:
            return moment.astimezone(UTC).isoformat(sep=" ")
        except OverflowError:
            raise ValueError(f"'{end}' is out of range") from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keys = [m.key for m in self.member_of]
        if twice := [role for role, by in keys if keys.count((role, by)) > 1]:
            raise ValueError(f"member_of: {twice[0]} is listed twice")
        if self.ref.name in {m.role for m in self.member_of}:
            raise ValueError("member_of: a role is no member of itself")
        if "public" in {r for m in self.member_of for r in m.key}:
            raise ValueError("member_of: every role is a member of PUBLIC, which is no role")
        if self.reassign_owned_to is not None:
            raise ValueError("reassign_owned_to: only a role with state: absent loses what it owns")
        variable = (self.password or {}).get("env")
        if variable and placeholder(variable) in self.ref.name:
            raise ValueError(f"the name holds {placeholder(variable)}, which stands for a secret")
        return self

    def required_versions(self) -> Mapping[str, int]:
        newer = any({m.inherit, m.set, m.granted_by} != {None} for m in self.member_of)
        return {**super().required_versions(), **({"member_of": 16} if newer else {})}

    def roles(self) -> frozenset[str]:
        return frozenset({r for m in self.member_of for r in m.key} - {""})

    @classmethod
    def kept(cls) -> frozenset[str]:
        """Keep what others may have granted or set; attributes left out are those of CREATE."""
        return super().kept() | {"member_of", "set", "set_in_database"}

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        full = super().over(live, with_defaults=with_defaults)
        if live is None or with_defaults or "member_of" not in self.model_fields_set:
            return full
        members = completed(self.member_of, live.member_of, inherit=full.inherit)
        return full.model_copy(update={"member_of": members})

    def as_state(self) -> Self:
        state = {"password": None, "member_of": in_order(self.member_of)}
        return super().as_state().model_copy(update=state)

    @property
    def names_database(self) -> bool:
        return bool(self.set_in_database)

    def as_recorded(self, connection: Connection) -> Self:
        if all(m.granted_by is None for m in self.member_of):
            return self
        query = "SELECT rolname::text AS name FROM pg_catalog.pg_roles WHERE oid = 10"
        initial = rows(connection, query)[0]["name"]
        members = tuple(
            m.model_copy(update={"granted_by": None}) if m.granted_by == initial else m
            for m in self.member_of
        )
        return self.model_copy(update={"member_of": members})

    # -- the catalog -------------------------------------------------------------------------------

    @classmethod
    def catalog(cls, server: Server) -> str:
        options = "'admin', m.admin_option"
        if server.has_membership_options:
            options += """, 'inherit', m.inherit_option, 'set', m.set_option, 'granted_by',
                CASE WHEN m.grantor <> 10 THEN pg_get_userbyid(m.grantor) END"""
        settings = """(SELECT s.setconfig FROM pg_db_role_setting AS s
                       WHERE s.setrole = r.oid AND s.setdatabase = {})"""
        here = "(SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())"
        switches = ", ".join(
            f"r.rol{'canlogin' if s == 'login' else 'super' if s == 'superuser' else s} AS {s}"
            for s in _SWITCHES
        )
        return f"""
            SELECT r.rolname::text AS name, ARRAY[{address("pg_authid", "r.oid")}] AS addresses,
                   {switches}, r.rolconnlimit AS connection_limit,
                   {_VALID_UNTIL} AS valid_until,
                   (SELECT coalesce(jsonb_agg(
                               jsonb_build_object('role', pg_get_userbyid(m.roleid), {options})),
                               '[]')
                    FROM pg_auth_members AS m WHERE m.member = r.oid) AS member_of,
                   {settings.format(0)} AS set, {settings.format(here)} AS set_in_database,
                   shobj_description(r.oid, 'pg_authid') AS comment
            FROM pg_roles AS r ORDER BY r.rolname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        for field in ("set", "set_in_database"):
            pairs = [s.split("=", 1) for s in row.pop(field) or ()]
            row[field] = {k: without_quotes(k, v) for k, v in pairs}
        end = row.pop("valid_until")
        row["valid_until"] = end and end.replace(".000000", "")
        return cls(ref=ref, member_of=memberships_of(row.pop("member_of")), **row)

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        """Write memberships in short, and that there are none: others would stay."""
        listed = cast("list[dict[str, Any]]", body.get("member_of", []))
        inherit = cast("bool", body.get("inherit", True))
        return {**body, "member_of": short_forms(listed, inherit=inherit)}

    # -- commands ----------------------------------------------------------------------------------

    def sql_name(self) -> sql.Composable:
        return name(self.ref.name)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        """Create the role; what needs no new role is a statement of its own."""
        declared = context.declared.get(self.ref)
        password = declared.password if isinstance(declared, Role) else None
        variable = (password or {}).get("env") or ""
        fields = type(self).model_fields
        set_ = [a for a in _ATTRIBUTES if getattr(self, a) != fields[a].default]
        clauses = [self._clause(a) for a in set_]
        if variable:
            clauses.append(compose("PASSWORD {}", raw(placeholder(variable))))
        create = compose("CREATE ROLE {}", self.ref.name)
        yield Statement(
            sql=text(joined([create, *clauses], by=" ")),
            environment=variable,
            holds="password",
            own_transaction=True,
            hazards=self._gained(set_),
            undo=(text(compose("DROP ROLE {}", self.ref.name)),),
            requirements=rights.to_create(self.ref.name, context, set_),
        )
        for statement in self._further(None, context):
            yield statement.model_copy(update={"undo": ()})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        changed = [a for a in _ATTRIBUTES if getattr(self, a) != getattr(old, a)]
        if changed:
            yield Statement(
                sql=text(self._alter(changed)),
                own_transaction=True,
                hazards=(
                    *self._gained([a for a in changed if getattr(self, a)]),
                    *self._lost(changed, context),
                ),
                undo=(text(old._alter(changed)),),
                requirements=rights.to_alter(self.ref.name, context, changed),
            )
        yield from self._further(old, context)

    def _further(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Change memberships and settings."""
        grants = Grants(self.ref.name, context)
        yield from grants.changes(old.member_of if old else (), self.member_of)
        yield from self._settings(old.set if old else {}, self.set, None, context)
        here = old.set_in_database if old else {}
        yield from self._settings(here, self.set_in_database, context.database, context)

    def attach(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        for statement in super().attach(old, context):
            requirements = rights.to_alter(self.ref.name, context)
            yield statement.model_copy(
                update={"own_transaction": True, "requirements": requirements}
            )

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        """Dispose of what belongs to the role in all databases, and drop it."""
        removal = context.removals.get(self.ref, Removal())
        yield from disposals(self.ref.name, removal, context)
        back = self.create(replace(context, building=True, declared={}))
        yield Statement(
            sql=text(compose("DROP ROLE {}", self.ref.name)),
            own_transaction=True,
            hazards=(drop_hazard(self.ref.name, removal),),
            undo=tuple(s.sql for s in back),
            requirements=rights.to_alter(self.ref.name, context),
        )

    @classmethod
    def removals(cls, connection: Connection, absent: Iterable[Object]) -> dict[Ref, Removal]:
        heirs = {o.ref: o.reassign_owned_to or "" for o in absent if isinstance(o, cls)}
        found = read_removals(connection, {r.name: heir for r, heir in heirs.items()})
        return {ref: found[ref.name] for ref in heirs}

    def _clause(self, attribute: str) -> sql.Composable:
        value = getattr(self, attribute)
        if attribute == "connection_limit":
            return compose("CONNECTION LIMIT {}", literal(value))
        if attribute == "valid_until":
            return compose("VALID UNTIL {}", literal(_NO_END if value is None else value))
        return raw(("" if value else "NO") + attribute.upper())

    def _alter(self, attributes: Iterable[str]) -> sql.Composable:
        return joined(
            [compose("ALTER ROLE {}", self.ref.name), *map(self._clause, attributes)], by=" "
        )

    def _settings(
        self,
        old: Mapping[str, str],
        new: Mapping[str, str],
        database: str | None,
        context: PlanningContext,
    ) -> Iterator[Statement]:
        changed = [k for k in {**old, **new} if old.get(k) != new.get(k)]
        for setting in changed:
            yield Statement(
                sql=text(self._setting(setting, new.get(setting), database)),
                own_transaction=True,
                undo=(text(self._setting(setting, old.get(setting), database)),),
                requirements=rights.to_set(self.ref.name, context, [setting]),
            )

    def _setting(self, setting: str, value: str | None, database: str | None) -> sql.Composable:
        where = compose(" IN DATABASE {}", database) if database is not None else raw("")
        key = name(*setting.split("."))
        alter = compose("ALTER ROLE {}{}", self.ref.name, where)
        if value is None:
            return compose("{} RESET {}", alter, key)
        return compose("{} SET {} TO {}", alter, key, setting_value(setting, value))

    # -- hazards -----------------------------------------------------------------------------------

    def _gained(self, attributes: Collection[str]) -> tuple[Hazard, ...]:
        gained = [a.upper() for a in attributes if a in _POWERFUL]
        if not gained:
            return ()
        reason = f"role {self.ref.name} gets {', '.join(gained)}, in all databases"
        return (Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=reason),)

    def _lost(self, attributes: Collection[str], context: PlanningContext) -> tuple[Hazard, ...]:
        own, found = self.ref.name == context.user, list[Hazard]()
        lost = [a for a in attributes if a in _OWN_LOSS and not getattr(self, a)]
        if own and lost:
            listed = ", ".join(a.upper() for a in lost)
            reason = f"role {self.ref.name}, which applies, loses {listed}: it cannot undo that"
            found.append(Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason))
        if "login" in lost or ("connection_limit" in attributes and self.connection_limit == 0):
            reason = f"nobody can connect as {self.ref.name} from then on; sessions stay"
            found.append(Hazard(hazard=HazardKind.BLOCKS_READS, reason=reason))
        return tuple(found)
