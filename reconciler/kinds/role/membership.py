"""Memberships of a role in others: https://www.postgresql.org/docs/current/sql-grant.html

Since PostgreSQL 16, a membership has the options INHERIT and SET beside ADMIN, and each grantor
may give one. A membership that superusers have granted is recorded as granted by the superuser
that initdb made; here it has no grantor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from reconciler.kinds.role import rights
from reconciler.model.context import PlanningContext
from reconciler.model.spelling import Role
from reconciler.model.statement import Hazard, HazardKind, Requirement, Statement
from reconciler.server.roles import UNCONFINED
from reconciler.sql import compose, joined, raw, text

# Roles that reach beyond what a database grants, those of well-known services among them.
_POWERFUL = frozenset(
    {
        *UNCONFINED,
        *("pg_read_all_data", "pg_write_all_data", "pg_maintain", "pg_checkpoint"),
        *("rds_superuser", "rds_replication", "cloudsqlsuperuser", "azure_pg_admin"),
    }
)
_OPTIONS = ("admin", "inherit", "set")


class Membership(BaseModel):
    """A membership in a role; an option that is left out is as GRANT leaves it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    main_key: ClassVar[str] = "role"

    role: Role = Field(description="the role whose privileges the member gets")
    admin: bool | None = Field(
        default=None,
        description="ADMIN OPTION: the member may make others members; left out: false",
    )
    inherit: bool | None = Field(
        default=None,
        description="INHERIT: it has the privileges without SET ROLE; left out: as its own"
        " `inherit` (PostgreSQL 16)",
    )
    set: bool | None = Field(
        default=None,
        description="SET: it may SET ROLE to that role; left out: true (PostgreSQL 16)",
    )
    granted_by: Role | None = Field(
        default=None,
        description="GRANTED BY; left out: any role, and of a new one the role that applies"
        " (PostgreSQL 16)",
    )

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other memberships of one member."""
        return self.role, self.granted_by or ""

    @property
    def is_automatic(self) -> bool:
        """Whether PostgreSQL may have granted it to the member that created the role."""
        options = self.admin, self.inherit, self.set
        return options == (True, False, False) and self.granted_by is None

    def options(self) -> dict[str, bool]:
        """Return the options that are not left open."""
        found: dict[str, bool | None] = {o: getattr(self, o) for o in _OPTIONS}
        return {o: value for o, value in found.items() if value is not None}


Memberships = tuple[Membership, ...]


def in_order(memberships: Iterable[Membership]) -> Memberships:
    """Sort memberships; those without a grantor come first, since others may rest on them."""
    return tuple(sorted(memberships, key=lambda m: m.key))


def completed(
    declared: Sequence[Membership], live: Sequence[Membership], *, inherit: bool
) -> Memberships:
    """Return declared memberships of a role with what they leave open, and the live grantors.

    One without a grantor stands for the memberships of all grantors that are not named. What
    PostgreSQL has granted to the creator of a role stays, unless such a one stands for it.
    """
    named = {m.key for m in declared if m.granted_by is not None}
    anybody = {m.role for m in declared if m.granted_by is None}
    found = [m for m in live if m.is_automatic and m.role not in anybody]
    for member in declared:
        rows = [
            row
            for row in live
            if row.role == member.role
            and (row.key not in named if member.granted_by is None else row.key == member.key)
        ]
        found += [row.model_copy(update=_over(member, row, inherit)) for row in rows] or [member]
    return in_order(found)


def _over(member: Membership, row: Membership, inherit: bool) -> dict[str, bool]:
    """Return the options of a membership; those left open are as GRANT leaves them."""
    usual = {"admin": False}
    if row.set is not None:
        usual |= {"inherit": inherit, "set": True}
    return usual | member.options()


def short_forms(memberships: Iterable[Mapping[str, Any]], *, inherit: bool) -> list[object]:
    """Return dumped memberships without the options of a new one of a role with `inherit`."""
    usual: dict[str, object] = {"admin": False, "inherit": inherit, "set": True}
    found: list[object] = []
    for membership in memberships:
        body = {k: v for k, v in membership.items() if v is not None and usual.get(k) is not v}
        found.append(body if len(body) > 1 else body["role"])
    return found


class Grants:
    """The statements that change the memberships of a role."""

    def __init__(self, member: str, context: PlanningContext) -> None:
        self.member, self.context = member, context

    def changes(self, old: Iterable[Membership], new: Iterable[Membership]) -> Iterator[Statement]:
        """Revoke, then grant; each statement undoes itself."""
        before, after = {m.key: m for m in old}, {m.key: m for m in new}
        for key in sorted(before.keys() - after.keys(), reverse=True):
            yield self._revoked(before[key])
        for key, wanted in after.items():
            known = before.get(key)
            if known is None:
                yield self._grant_new(wanted)
            elif known.options() != wanted.options():
                yield self._alter(known, wanted)

    def _grant_new(self, wanted: Membership) -> Statement:
        return Statement(
            sql=text(self._grant(wanted, wanted.options())),
            own_transaction=True,
            hazards=self._hazards(wanted),
            undo=(text(self._revoke(wanted)),),
            requirements=self._requirements(wanted),
        )

    def _revoked(self, known: Membership) -> Statement:
        return self._altered(self._revoke(known), self._grant(known, known.options()), known)

    def _alter(self, known: Membership, wanted: Membership) -> Statement:
        was = known.options()
        changed = {o: v for o, v in wanted.options().items() if was.get(o) is not v}
        do = self._grant(wanted, changed)
        undo = self._grant(known, {o: was[o] for o in changed if o in was})
        if not self.context.server.has_membership_options:  # nothing but ADMIN OPTION can change
            revoke = compose("REVOKE ADMIN OPTION FOR {} FROM {}", known.role, self.member)
            do, undo = (do, revoke) if wanted.admin else (revoke, undo)
        hazards = self._hazards(wanted) if changed.get("admin") else ()
        return self._altered(do, undo, known).model_copy(update={"hazards": hazards})

    def _altered(
        self, command: sql.Composable, undo: sql.Composable, known: Membership
    ) -> Statement:
        """Return a statement on a membership that is there."""
        requirements = self._requirements(known)
        if self.context.server.has_membership_options and known.granted_by is None:
            requirements = (*requirements, *rights.of_bootstrap_superuser(known.role))
        return Statement(
            sql=text(command),
            own_transaction=True,
            undo=(text(undo),),
            requirements=requirements,
        )

    def _requirements(self, membership: Membership) -> tuple[Requirement, ...]:
        found = rights.to_grant(membership.role, self.context)
        if membership.granted_by is None:
            return found
        return (*found, *rights.as_grantor(membership.granted_by, self.context))

    def _grant(self, membership: Membership, options: Mapping[str, bool]) -> sql.Composable:
        grant = compose("GRANT {} TO {}", membership.role, self.member)
        if not self.context.server.has_membership_options:
            return compose("{} WITH ADMIN OPTION", grant) if options.get("admin") else grant
        listed = joined(
            raw(f"{option.upper()} {str(value).upper()}") for option, value in options.items()
        )
        with_options = compose("{} WITH {}", grant, listed) if options else grant
        return compose("{}{}", with_options, self._granted_by(membership))

    def _revoke(self, membership: Membership) -> sql.Composable:
        return compose(
            "REVOKE {} FROM {}{}",
            membership.role,
            self.member,
            self._granted_by(membership),
        )

    def _granted_by(self, membership: Membership) -> sql.Composable:
        if membership.granted_by is None:
            return raw("")
        return compose(" GRANTED BY {}", membership.granted_by)

    def _hazards(self, membership: Membership) -> tuple[Hazard, ...]:
        reasons: list[str] = []
        if membership.role in _POWERFUL:
            reasons.append(f"role {self.member} gets the power of {membership.role}")
        if membership.admin:
            reasons.append(f"role {self.member} may make others members of {membership.role}")
        return tuple(Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=r) for r in reasons)


def memberships_of(rows: object) -> Memberships:
    """Return the memberships of a catalog row."""
    listed = cast("list[dict[str, Any]]", rows)
    return in_order(Membership(**row) for row in listed)
