"""Read privileges in YAML's spelling, and change privileges by GRANT and REVOKE.

A role holds `select`, `select with grant option` or, if granted by a role other than the owner,
`select granted by r`; `all` means every privilege of the class of object. An owner who is not
listed holds all privileges (https://www.postgresql.org/docs/current/ddl-priv.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

from psycopg import sql

from reconciler.model.clauses import PRIVILEGE, Fragment
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, name, raw, text

Grants = Mapping[str, Sequence[str]]
PUBLIC = "public"  # as a grantee: PUBLIC, every role
ALL = "all"
OPTION = " with grant option"
BY = " granted by "

_KNOWN = {
    "TABLE": ("delete", "insert", "references", "select", "trigger", "truncate", "update"),
    "SEQUENCE": ("select", "update", "usage"),
    "SCHEMA": ("create", "usage"),
    "FUNCTION": ("execute",),
    "LARGE OBJECT": ("select", "update"),
    "COLUMN": ("insert", "references", "select", "update"),
}
_SAME_PRIVILEGES = {"PROCEDURE": "FUNCTION", "ROUTINE": "FUNCTION"}


def all_privileges(grant_class: str, server: Server) -> tuple[str, ...]:
    """Return the privileges meant by `all` for a class of object, as named by GRANT … ON."""
    privileges = _KNOWN.get(_SAME_PRIVILEGES.get(grant_class, grant_class), ("usage",))
    has_maintain = grant_class == "TABLE" and server.has_maintain
    return (*privileges, "maintain") if has_maintain else privileges


def in_short(privileges: Sequence[str], everything: Sequence[str]) -> tuple[str, ...]:
    """Return the privileges as the catalog queries print them: `all` in place of several."""
    found = [*privileges]
    for option in ("", OPTION):
        every = [p + option for p in everything]
        if len(every) > 1 and {*every} <= {*found}:
            found = [ALL + option, *(p for p in found if p not in every)]
    return tuple(found)


def grantors(grants: Grants) -> set[str]:
    """Return the grantors except the owner."""
    return {p.partition(BY)[2] for privileges in grants.values() for p in privileges if BY in p}


def may_be_granted_by_others(grants: Grants | None, owner: str | None) -> bool:
    """Tell whether a role other than the owner has a grant option."""
    others = (p for role, p in (grants or {}).items() if role != owner)
    return any(OPTION in privilege for privileges in others for privilege in privileges)


def after_owner_change(grants: Grants, old: str, new: str) -> dict[str, tuple[str, ...]]:
    """Return the privileges after ALTER … OWNER TO: the old owner's pass to the new owner."""
    if old == new:
        return {role: tuple(privileges) for role, privileges in grants.items()}
    changed = {
        role: tuple(p.removesuffix(BY + new) for p in privileges)
        for role, privileges in grants.items()
        if role not in (old, new)
    }
    if old in grants:
        changed[new] = tuple(dict.fromkeys([*grants[old], *grants.get(new, ())]))
    return changed


def changed_grants(before: Grants, after: Grants, owner: str | None) -> dict[str, tuple[str, ...]]:
    """Return the privileges to declare for a change: those of each role that gained or lost some.

    A role without any left is listed without any, an owner who has all again with `all`.
    """
    lost = {r: (ALL,) if r == owner else () for r in before if r not in after}
    return {
        role: tuple(privileges)
        for role, privileges in {**lost, **after}.items()
        if role not in before or {*privileges} != {*before[role]}
    }


def privilege_fragments(grants: Grants | None, field: str = "grants") -> Iterator[Fragment]:
    """Yield the privileges of a field, as GRANT names them."""
    for privileges in (grants or {}).values():
        for privilege in privileges:
            if privilege != ALL:
                granted = privilege.partition(BY)[0].removesuffix(OPTION)
                yield Fragment(field, PRIVILEGE, granted)


_Options = dict[str, bool]  # privilege → whether with grant option
_ByRole = Mapping[str, _Options]
_Grouped = dict[tuple[str, ...], list[str]]  # privileges → the roles that hold exactly these


@dataclass(frozen=True)
class Access:
    """Change the privileges on an object by GRANT and REVOKE.

    `target` is the object as GRANT names it, `description` the object in messages. `privileges` is
    the meaning of `all`, `owner_default` the privileges of an owner who is not listed. `user` runs
    the statements; `owner` is the default grantor. `prefix` precedes GRANT and REVOKE (ALTER
    DEFAULT PRIVILEGES …), `column_list`, a column in parentheses, follows each privilege.
    `as_owner` says that another role may grant as well: a statement of a `user` who is a member of
    both could be recorded as that role's.
    """

    target: sql.Composable
    description: str
    privileges: tuple[str, ...]
    owner: str
    user: str
    owner_default: tuple[str, ...] = (ALL,)
    prefix: sql.Composable = field(default_factory=lambda: raw(""))
    column_list: str = ""
    as_owner: bool = False

    def changes(self, before: Grants, after: Grants) -> Iterator[Statement]:
        """Revoke and grant privileges; roles with the same privileges share a statement.

        Grantors revoke in reverse order, since a grantor needs the grant option of another.
        """
        old, new = self._by_grantor(before), self._by_grantor(after)
        grantors = _ordered({g: {*old.get(g, ()), *new.get(g, ())} for g in {*old, *new}})
        for grantor in reversed(grantors):
            revokes = self._revokes(old.get(grantor, {}), new.get(grantor, {}))
            yield from self._as_grantor(grantor, revokes)
        for grantor in grantors:
            grants = self._grants(old.get(grantor, {}), new.get(grantor, {}))
            yield from self._as_grantor(grantor, grants)

    def _by_grantor(self, grants: Grants) -> dict[str, dict[str, _Options]]:
        """Parse privileges: by grantor, role and privilege, whether with grant option."""
        parsed: dict[str, dict[str, _Options]] = {self.owner: {}}
        for role, privileges in ({self.owner: self.owner_default} | dict(grants)).items():
            for spelled in privileges:
                granted, _, grantor = spelled.partition(BY)
                privilege = granted.removesuffix(OPTION)
                options = parsed.setdefault(grantor or self.owner, {}).setdefault(role, {})
                for each in self.privileges if privilege == ALL else (privilege,):
                    options[each] = options.get(each, False) or granted.endswith(OPTION)
        return parsed

    def _as_grantor(self, grantor: str, statements: Iterable[Statement]) -> Iterator[Statement]:
        """Run statements under SET ROLE grantor: GRANTED BY accepts only the current role."""
        listed = list(statements)
        is_default = grantor == self.owner and not (self.as_owner and self.owner != self.user)
        if is_default or not listed:
            yield from listed
            return
        yield Statement(sql=text(compose("SET ROLE {}", grantor)))
        yield from listed
        yield Statement(sql=text(compose("SET ROLE {}", self.user)))

    def _revokes(self, old: _ByRole, new: _ByRole) -> Iterator[Statement]:
        revoked: _Grouped = {}
        without_option: _Grouped = {}
        for role in sorted(old):
            before, after = old[role], new.get(role, {})
            if lost := tuple(p for p in before if p not in after):
                revoked.setdefault(lost if after else (ALL,), []).append(role)
            if lost := tuple(p for p in before if before[p] and not after.get(p, True)):
                without_option.setdefault(lost, []).append(role)
        for privileges, roles in revoked.items():
            yield self._statement("REVOKE {} ON {} FROM {}", privileges, roles)
        for privileges, roles in without_option.items():
            yield self._statement("REVOKE GRANT OPTION FOR {} ON {} FROM {}", privileges, roles)

    def _grants(self, old: _ByRole, new: _ByRole) -> Iterator[Statement]:
        """Grant last what lets a role grant most: a further GRANT could be recorded as its own."""
        plain: _Grouped = {}
        with_option: _Grouped = {}
        for role in sorted(new):
            before, after = old.get(role, {}), new[role]
            if gained := tuple(p for p in after if not after[p] and p not in before):
                plain.setdefault(gained, []).append(role)
            if gained := tuple(p for p in after if after[p] and not before.get(p, False)):
                with_option.setdefault(gained, []).append(role)
        for privileges, roles in plain.items():
            hazards = self._hazards(privileges, roles)
            yield self._statement("GRANT {} ON {} TO {}", privileges, roles, hazards)
        for privileges, roles in sorted(with_option.items(), key=lambda g: len(g[0])):
            hazards = self._hazards(privileges, roles)
            yield self._statement(
                "GRANT {} ON {} TO {} WITH GRANT OPTION", privileges, roles, hazards
            )

    def _privilege_list(self, privileges: Sequence[str]) -> str:
        holds_all = len(self.privileges) > 1 and set(privileges) == set(self.privileges)
        listed = (ALL,) if holds_all else privileges
        return ", ".join(p.upper() + self.column_list for p in listed)

    def _hazards(self, privileges: Sequence[str], roles: Sequence[str]) -> tuple[Hazard, ...]:
        public = [r for r in roles if r in (PUBLIC, "anon")]
        if not public:
            return ()
        granted = self._privilege_list(privileges)
        reason = f"{', '.join(public)} may {granted} on {self.description}"
        return (Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=reason),)

    def _statement(
        self,
        template: LiteralString,
        privileges: Sequence[str],
        roles: Sequence[str],
        hazards: tuple[Hazard, ...] = (),
    ) -> Statement:
        role_list = joined(raw("PUBLIC") if r == PUBLIC else name(r) for r in roles)
        command = compose(template, raw(self._privilege_list(privileges)), self.target, role_list)
        return Statement(sql=text(sql.Composed([self.prefix, command])), hazards=hazards)


def _ordered(grantees: Mapping[str, set[str]]) -> list[str]:
    """Order each grantor after the grantor's own grantors; `grantees` are the roles by grantor."""
    remaining, ordered = sorted(grantees), list[str]()
    while remaining:
        # a circle of grantors cannot be ordered: take any of them
        independent = [g for g in remaining if not _granted_by_any(g, remaining, grantees)]
        independent = independent or remaining[:1]
        ordered += independent
        remaining = [g for g in remaining if g not in independent]
    return ordered


def _granted_by_any(role: str, grantors: Iterable[str], grantees: Mapping[str, set[str]]) -> bool:
    return any(role in grantees[g] for g in grantors if g != role)
