"""Rules about roles."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lint.database import Database
from reconciler.lint.facts import SUPERUSER, PrivilegedRole, quoted
from reconciler.lint.rule import Found, rule


@rule(
    "role-bypasses-policies",
    "warning",
    """A role with SUPERUSER or BYPASSRLS sees and writes every row, whatever the policies say; a
    superuser reads the server's files and runs programs there as well. An application connects as a
    role without either, which owns nothing; BYPASSRLS is for a role that makes backups. Looked at
    are declared roles, the roles of requests, and those of a target that may log in, own no table
    or view and have privileges on some: superusers of the administration are none of these.""",
)
def role_bypasses_policies(db: Database) -> Iterator[Found]:
    """Find a role of an application that no policy binds."""
    for role in db.privileged_roles:
        if role.name not in db.unbound and not _is_of_application(db, role):
            continue
        attributes = db.unbound.get(role.name, role.attributes)
        if attributes:
            words = " and ".join(a.upper() for a in attributes)
            yield Found(
                ("pg_authid", role.oid, 0),
                f"has {words}: no policy binds it",
                f"ALTER ROLE {quoted(role.name)} {' '.join(f'NO{a.upper()}' for a in attributes)};",
                attributes[0],
            )


def _is_of_application(db: Database, role: PrivilegedRole) -> bool:
    """Tell whether a live role is one of requests, or logs in to use tables of others.

    To one that owns tables, or that only bypasses policies where there are none, little changes.
    """
    if role.name in db.api_roles:
        return True
    if not role.may_log_in or role.is_owner:
        return False
    used = [r for r in db.relations.values() if role.name in r.grantees]
    return bool(used) if SUPERUSER in role.attributes else any(r.secured for r in used)
