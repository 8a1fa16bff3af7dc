"""Privileges as YAML has them, and the GRANTs and REVOKEs that lead from one set of them to another.

A role holds `select`, `select with grant option` or, where another than the owner gave it, `select granted by r`; `all`
stands for everything that the class of object knows. An owner who is not listed holds everything, as PostgreSQL has it
(https://www.postgresql.org/docs/current/ddl-priv.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

from psycopg import sql

from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, name, raw, text

Grants = Mapping[str, Sequence[str]]
PUBLIC = "public"  # as a grantee: everybody
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
_ALIKE = {"PROCEDURE": "FUNCTION", "ROUTINE": "FUNCTION"}


def all_privileges(grant_class: str, server: Server) -> tuple[str, ...]:
    """What `all` stands for: the privileges of what GRANT … ON names so."""
    found = _KNOWN.get(_ALIKE.get(grant_class, grant_class), ("usage",))
    return (*found, "maintain") if grant_class == "TABLE" and server.has_maintain else found


def grantors(grants: Grants) -> set[str]:
    """The roles, other than the owner, that gave some of the privileges."""
    return {p.partition(BY)[2] for held in grants.values() for p in held if BY in p}


def after_owner_change(grants: Grants, owner: str, child: str) -> dict[str, tuple[str, ...]]:
    """What ALTER … OWNER TO makes of the privileges: what the owner had, the heir has."""
    if owner == child:
        return {r: tuple(p) for r, p in grants.items()}
    kept = {
        r: tuple(p.removesuffix(BY + child) for p in held)
        for r, held in grants.items()
        if r not in (owner, child)
    }
    if owner in grants:
        kept[child] = tuple(dict.fromkeys([*grants[owner], *grants.get(child, ())]))
    return kept


@dataclass(frozen=True)
class Access:
    """How GRANT and REVOKE name one object, and who acts.

    `privileges` is what `all` stands for, `unlisted` what the owner holds where it is not listed. `user` runs the
    statements, `owner` is the usual grantor. `before` stands in front of GRANT and REVOKE, `part`, a column in brackets,
    after each privilege.
    """

    on: sql.Composable
    words: str
    privileges: tuple[str, ...]
    owner: str
    user: str
    unlisted: tuple[str, ...] = (ALL,)
    before: sql.Composable = field(default_factory=lambda: raw(""))
    part: str = ""

    def changes(self, had: Grants, wanted: Grants) -> Iterator[Statement]:
        """Revoke what is no longer wanted, grant what is new; roles that share privileges share a statement."""
        old, new = self._held(had), self._held(wanted)
        givers = _in_order({g: {*old.get(g, ()), *new.get(g, ())} for g in {*old, *new}})
        for giver in reversed(givers):
            yield from self._acting(giver, self._revoked(old.get(giver, {}), new.get(giver, {})))
        for giver in givers:
            yield from self._acting(giver, self._granted(old.get(giver, {}), new.get(giver, {})))

    def _held(self, grants: Grants) -> dict[str, dict[str, dict[str, bool]]]:
        """By grantor, role and privilege: whether it may be passed on."""
        found: dict[str, dict[str, dict[str, bool]]] = {self.owner: {}}
        for role, held in ({self.owner: self.unlisted} | dict(grants)).items():
            for words in held:
                what, _, giver = words.partition(BY)
                privilege = what.removesuffix(OPTION)
                own = found.setdefault(giver or self.owner, {}).setdefault(role, {})
                for each in self.privileges if privilege == ALL else (privilege,):
                    own[each] = own.get(each, False) or what.endswith(OPTION)
        return found

    def _acting(self, giver: str, statements: Iterable[Statement]) -> Iterator[Statement]:
        """Only a grantor itself can give or take in its name."""
        made = list(statements)
        if giver == self.owner or not made:
            yield from made
            return
        yield Statement(sql=text(compose("SET ROLE {}", giver)))
        yield from made
        yield Statement(sql=text(compose("SET ROLE {}", self.user)))

    def _revoked(
        self, old: Mapping[str, dict[str, bool]], new: Mapping[str, dict[str, bool]]
    ) -> Iterator[Statement]:
        gone: dict[tuple[str, ...], list[str]] = {}
        tied: dict[tuple[str, ...], list[str]] = {}
        for role in sorted(old):
            had, wanted = old[role], new.get(role, {})
            if lost := tuple(p for p in had if p not in wanted):
                gone.setdefault(lost if wanted else (ALL,), []).append(role)
            if less := tuple(p for p in had if had[p] and not wanted.get(p, True)):
                tied.setdefault(less, []).append(role)
        for privileges, roles in gone.items():
            yield self._statement("REVOKE {} ON {} FROM {}", self._listed(privileges), roles)
        for privileges, roles in tied.items():
            yield self._statement(
                "REVOKE GRANT OPTION FOR {} ON {} FROM {}", self._listed(privileges), roles
            )

    def _granted(
        self, old: Mapping[str, dict[str, bool]], new: Mapping[str, dict[str, bool]]
    ) -> Iterator[Statement]:
        plain: dict[tuple[str, ...], list[str]] = {}
        option: dict[tuple[str, ...], list[str]] = {}
        for role in sorted(new):
            had = old.get(role, {})
            for passed_on, listed in ((False, plain), (True, option)):
                if gained := tuple(
                    p
                    for p, o in new[role].items()
                    if o == passed_on and (p not in had or (o and not had[p]))
                ):
                    listed.setdefault(gained, []).append(role)
        for privileges, roles in plain.items():
            yield self._statement(
                "GRANT {} ON {} TO {}",
                self._listed(privileges),
                roles,
                self._dangers(privileges, roles),
            )
        for privileges, roles in option.items():
            yield self._statement(
                "GRANT {} ON {} TO {} WITH GRANT OPTION",
                self._listed(privileges),
                roles,
                self._dangers(privileges, roles),
            )

    def _listed(self, privileges: Sequence[str]) -> str:
        everything = len(self.privileges) > 1 and set(privileges) == set(self.privileges)
        return ", ".join(p.upper() + self.part for p in ((ALL,) if everything else privileges))

    def _dangers(self, privileges: Sequence[str], roles: Sequence[str]) -> tuple[Hazard, ...]:
        wide = [r for r in roles if r in (PUBLIC, "anon")]
        why = f"{', '.join(wide)} may {self._listed(privileges)} on {self.words}"
        return (Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=why),) if wide else ()

    def _statement(
        self,
        template: LiteralString,
        privileges: str,
        roles: Sequence[str],
        hazards: tuple[Hazard, ...] = (),
    ) -> Statement:
        listed = joined(raw("PUBLIC") if r == PUBLIC else name(r) for r in roles)
        words = sql.Composed([self.before, compose(template, raw(privileges), self.on, listed)])
        return Statement(sql=text(words), hazards=hazards)


def _in_order(served: Mapping[str, set[str]]) -> list[str]:
    """Grantors after those who enabled them; `served` are the roles that each gave something."""
    left, found = sorted(served), list[str]()
    while left:
        free = [g for g in left if not any(g in served[f] for f in left if f != g)] or left[:1]
        found += free
        left = [g for g in left if g not in free]
    return found
