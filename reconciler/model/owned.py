"""Owners and privileges: https://www.postgresql.org/docs/current/ddl-priv.html"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import Field

from reconciler.model.clauses import Fragment
from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.privileges import (
    PUBLIC,
    Access,
    Grants,
    after_owner_change,
    all_privileges,
    grantors,
    in_short,
    may_be_granted_by_others,
    privilege_fragments,
)
from reconciler.model.ref import Ref
from reconciler.model.spelling import Privileges, Role
from reconciler.model.statement import Statement
from reconciler.sql import compose, name, raw, text


class Owned(Object):
    """An object with an owner."""

    owner: Role | None = Field(
        default=None, description="the role that owns it; left out: whoever creates it"
    )

    def roles(self) -> frozenset[str]:
        return frozenset({self.owner} if self.owner else ())

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        if self.owner not in (None, old.owner if old else context.user):
            command = compose("ALTER {} OWNER TO {}", self.designation(), self.owner)
            yield Statement(
                sql=text(command),
                lock="ACCESS EXCLUSIVE" if self.relation else "",
                relation=self.stands_on,
            )


@dataclass(frozen=True)
class GrantsOf:
    """The privileges of a declared object: `current` is the live object, if any.

    `exclusive` says that roles that are not declared lose their privileges.
    """

    declared: Object
    current: Object | None
    context: PlanningContext
    exclusive: bool

    def fill_in(self, obj: Object) -> Object:
        """Return the object with the privileges of all roles, if the kind has any.

        Roles that are not declared keep theirs, and a new object has what PostgreSQL gives it.
        """
        if not isinstance(obj, Grantable):
            return obj
        declared = grants_of(self.declared)
        if declared is None:
            grants = self._of_undeclared(obj)
        elif self.exclusive:
            grants = declared
        else:
            grants = {**self._before(obj), **declared}
        if grants is None:
            return obj
        owner = owner_of(obj)
        kept = {r: self._in_short(obj, p) for r, p in grants.items() if p or r == owner}
        return obj.model_copy(update={"grants": kept or self._nothing(obj)})

    def _in_short(self, obj: Object, privileges: Sequence[str]) -> tuple[str, ...]:
        if not isinstance(obj, Granted):
            return tuple(privileges)
        return in_short(privileges, all_privileges(obj.grant_class, self.context.server))

    def _of_undeclared(self, obj: Grantable) -> Grants | None:
        """Return None to keep the privileges of the object."""
        if self.current is None:
            return self._before(obj)
        if not self.exclusive:
            return None
        default = obj.default_grants()
        live = grants_of(self.current) or {}
        known = [default, obj.initial_grants(self.context, obj.ref.schema)]
        return None if any(_same(live, grants) for grants in known) else default

    def _before(self, obj: Grantable) -> Grants:
        """Return the live privileges, or those that CREATE and a change of the owner give."""
        if self.current is not None:
            return grants_of(self.current) or {}
        initial = obj.initial_grants(self.context, obj.ref.schema)
        user = self.context.user
        return after_owner_change(initial, user, owner_of(obj) or user)

    @staticmethod
    def _nothing(obj: Grantable) -> dict[str, tuple[str, ...]] | None:
        """Return the field of an object without privileges, as the catalog query gives it."""
        return {} if isinstance(obj, Granted) else None


def _same(one: Grants, other: Grants) -> bool:
    return {r: set(p) for r, p in one.items()} == {r: set(p) for r, p in other.items()}


def owner_of(obj: Object | None) -> str | None:
    """Return the owner of any object, None if the kind has no owners."""
    return obj.owner if isinstance(obj, Owned) else None


def grants_of(obj: Object | None) -> Grants | None:
    """Return the privileges of any object, None if the kind has none or they are left out."""
    return getattr(obj, "grants", None) if isinstance(obj, Grantable) else None


def granting_owners(live: Mapping[Ref, Object], desired: Mapping[Ref, Object]) -> dict[Ref, str]:
    """Return the owners of objects on which, or on parts of which, others have grant options."""
    found = dict[Ref, str]()
    for obj in (o for objects in (live, desired) for o in objects.values()):
        if isinstance(obj, Grantable):
            ref = obj.ref.on or obj.ref
            owner = owner_of(desired.get(ref)) or owner_of(live.get(ref))
            if owner and any(may_be_granted_by_others(g, owner) for g in obj.every_grants()):
                found[ref] = owner
    return found


def column_access(relation: Ref, column: str, described: str, context: PlanningContext) -> Access:
    """Return what changes the privileges on a column of a table or view."""
    owner = context.granting_owners.get(relation, "")
    return Access(
        compose("TABLE {}", name(relation.schema, relation.name)),
        described,
        all_privileges("COLUMN", context.server),
        owner,
        context.user,
        owner_default=(),
        column_list=text(compose(" ({})", column)),
        as_owner=bool(owner),
    )


class Grantable(Object):
    """An object with privileges, in the field `grants`."""

    def every_grants(self) -> Iterator[Grants | None]:
        """Yield the privileges on the object, and on parts that are no objects of their own."""
        yield grants_of(self)

    @classmethod
    def default_grants(cls) -> dict[str, list[str]]:
        """Return the privileges of a new object, unless default privileges were altered."""
        return {}

    @classmethod
    def initial_grants(cls, context: PlanningContext, schema: str) -> Grants:
        """Return the privileges of a new object of `context.user` in a schema."""
        return cls.default_grants()


class Granted(Owned, Grantable):
    """An object with an owner and privileges."""

    grant_class: ClassVar[str] = "TABLE"  # the word in GRANT … ON
    public_by_default: ClassVar[tuple[str, ...]] = ()  # PUBLIC's privileges on a new object

    grants: Privileges | None = Field(
        default=None,
        description="role (or `public`) → privileges, or `all`; an owner who is not listed has all",
    )

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield from privilege_fragments(self.grants)

    @classmethod
    def default_grants(cls) -> dict[str, list[str]]:
        """Return the privileges of a new object, unless default privileges were altered."""
        return {PUBLIC: list(cls.public_by_default)} if cls.public_by_default else {}

    @classmethod
    def initial_grants(cls, context: PlanningContext, schema: str) -> Grants:
        """Return the privileges of a new object of `context.user` in a schema."""
        anywhere = context.initial.get((cls.grant_class, ""))
        altered = context.initial.get((cls.grant_class, schema), anywhere)
        return cls.default_grants() if altered is None else altered

    def roles(self) -> frozenset[str]:
        return (super().roles() | (self.grants or {}).keys() | grantors(self.grants or {})) - {
            PUBLIC
        }

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        yield from super()._own(old, context)
        if self.grants is None:
            return
        had = old.grants or {} if old else self.initial_grants(context, self.ref.schema)
        before, owner = (
            (old.owner if old else None) or context.user,
            self.owner or (old.owner if old else None) or context.user,
        )
        had = after_owner_change(had, before, owner)
        target = compose("{} {}", raw(self.grant_class), self.sql_name())
        access = Access(
            target,
            str(self.ref),
            all_privileges(self.grant_class, context.server),
            owner,
            context.user,
            as_owner=may_be_granted_by_others(had, owner),
        )
        yield from access.changes(had, self.grants)
