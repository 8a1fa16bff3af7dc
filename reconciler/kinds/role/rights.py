"""What a role that is no superuser needs to make, alter, grant and drop roles, by version.

https://www.postgresql.org/docs/current/sql-createrole.html and sql-alterrole.html: since 16,
CREATEROLE reaches only roles on which one has ADMIN OPTION, and gives no attribute that one lacks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from reconciler.model.context import PlanningContext
from reconciler.model.statement import Requirement
from reconciler.sql import compose, literal, raw, text

_OWN = "(SELECT {} FROM pg_catalog.pg_roles WHERE rolname = current_user)"
_ATTRIBUTES = {
    "createdb": "rolcreatedb",
    "replication": "rolreplication",
    "bypassrls": "rolbypassrls",
}
_ONLY_SUPERUSERS = "false"  # superusers are asked for nothing


def _of(role: str, condition: str) -> str:
    """Return a condition on a role, true for one that does not exist yet."""
    query = "coalesce((SELECT {} FROM pg_catalog.pg_roles AS r WHERE r.rolname = {}), true)"
    return text(compose(query, raw(condition), literal(role)))


def _createrole(role: str, context: PlanningContext) -> Iterator[Requirement]:
    remedy = text(compose("ALTER ROLE {} CREATEROLE", context.user))
    lacking = f"may not make or change role {role} without CREATEROLE: {remedy}"
    yield Requirement(condition=_OWN.format("rolcreaterole"), lacking=lacking)


def _attributes(
    role: str, context: PlanningContext, attributes: Collection[str]
) -> Iterator[Requirement]:
    """Yield what it takes to set attributes, on or off."""
    if "superuser" in attributes:
        lacking = f"may not set SUPERUSER of role {role}: only superusers may"
        yield Requirement(condition=_ONLY_SUPERUSERS, lacking=lacking)
    for attribute in (a for a in _ATTRIBUTES if a in attributes):
        word = attribute.upper()
        if context.server.has_membership_options:
            remedy = text(compose("ALTER ROLE {} {}", context.user, raw(word)))
            lacking = f"may not set {word} of role {role} without having it: {remedy}"
            yield Requirement(condition=_OWN.format(_ATTRIBUTES[attribute]), lacking=lacking)
        elif attribute != "createdb":
            lacking = f"may not set {word} of role {role}: before PostgreSQL 16 only superusers may"
            yield Requirement(condition=_ONLY_SUPERUSERS, lacking=lacking)


def to_create(
    role: str, context: PlanningContext, attributes: Collection[str]
) -> tuple[Requirement, ...]:
    """Return what creating a role with attributes takes."""
    return (*_createrole(role, context), *_attributes(role, context, attributes))


def to_alter(
    role: str, context: PlanningContext, attributes: Collection[str] = ()
) -> tuple[Requirement, ...]:
    """Return what altering, commenting or dropping a role takes."""
    return (
        *_reaching(role, context),
        *_createrole(role, context),
        *_attributes(role, context, attributes),
    )


def _reaching(role: str, context: PlanningContext) -> Iterator[Requirement]:
    yield Requirement(
        condition=_of(role, "NOT r.rolsuper"),
        lacking=f"may not change role {role}, which is a superuser: only superusers may",
    )
    if context.server.has_membership_options:
        yield _admin(role, context)
    else:
        yield Requirement(
            condition=_of(role, "NOT r.rolreplication"),
            lacking=f"may not change role {role}, which has REPLICATION: before PostgreSQL 16 only"
            " superusers may",
        )


def _admin(role: str, context: PlanningContext) -> Requirement:
    """Return ADMIN OPTION on a role; whoever creates one has it since 16."""
    remedy = text(compose("GRANT {} TO {} WITH ADMIN OPTION", role, context.user))
    return Requirement(
        condition=_of(role, "pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')"),
        lacking=f"has no ADMIN OPTION on role {role}: {remedy}",
    )


def to_set(
    role: str, context: PlanningContext, settings: Collection[str]
) -> tuple[Requirement, ...]:
    """Return what changing settings of a role takes; a role may change its own."""
    found = () if role == context.user else (*_reaching(role, context),)
    if role != context.user:
        found = (*found, *_createrole(role, context))
    return (*found, *_parameters(context, settings))


def _parameters(context: PlanningContext, settings: Collection[str]) -> Iterator[Requirement]:
    """Yield the privileges on settings; on one that no loaded library knows, only superusers."""
    for setting in sorted(settings):
        known = compose(
            "EXISTS (SELECT FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = {}"
            " AND context NOT IN ('superuser', 'superuser-backend'))",
            literal(setting),
        )
        condition, remedy = text(known), "only superusers may"
        if context.server.has_parameter_privileges:
            allowed = compose("pg_catalog.has_parameter_privilege({}, 'SET')", literal(setting))
            condition = f"({condition} OR {text(allowed)})"
            remedy = text(compose("GRANT SET ON PARAMETER {} TO {}", setting, context.user))
        lacking = f"may not set the parameter {setting} of roles: {remedy}"
        yield Requirement(condition=condition, lacking=lacking)


def to_grant(role: str, context: PlanningContext) -> tuple[Requirement, ...]:
    """Return what granting and revoking membership in a role takes."""
    is_superuser = Requirement(
        condition=_of(role, "NOT r.rolsuper"),
        lacking=f"may not grant or revoke role {role}, which is a superuser: only superusers may",
    )
    admin = _admin(role, context)
    if not context.server.has_membership_options:
        condition = f"({_OWN.format('rolcreaterole')} OR {admin.condition})"
        admin = admin.model_copy(update={"condition": condition})
    return (is_superuser, admin)


def as_grantor(grantor: str, context: PlanningContext) -> tuple[Requirement, ...]:
    """Return what granting and revoking in the name of another role takes."""
    if grantor == context.user:
        return ()
    remedy = text(compose("GRANT {} TO {}", grantor, context.user))
    return (
        Requirement(
            condition=_of(grantor, "pg_catalog.pg_has_role(r.oid, 'USAGE')"),
            lacking=f"may not grant or revoke as role {grantor}: {remedy}",
        ),
    )


def of_bootstrap_superuser(role: str) -> tuple[Requirement, ...]:
    """Return what changing a membership takes that superusers have granted."""
    lacking = f"may not change a membership in role {role} that a superuser has granted"
    return (Requirement(condition=_ONLY_SUPERUSERS, lacking=f"{lacking}: only superusers may"),)


def to_dispose(roles: Collection[str], context: PlanningContext) -> tuple[Requirement, ...]:
    """Return what REASSIGN OWNED and DROP OWNED take: the privileges of the roles."""
    found: list[Requirement] = []
    for role in roles:
        remedy = text(compose("GRANT {} TO {}", role, context.user))
        if context.server.has_membership_options:
            remedy += " WITH INHERIT TRUE"
        lacking = f"has not the privileges of role {role}, whose objects change hands: {remedy}"
        condition = _of(role, "pg_catalog.pg_has_role(r.oid, 'USAGE')")
        found.append(Requirement(condition=condition, lacking=lacking))
    return tuple(found)
