"""Drop a role that has objects or privileges in the databases of a cluster.

https://www.postgresql.org/docs/current/role-removal.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.kinds.role import rights
from reconciler.model.context import PlanningContext
from reconciler.model.facts import Removal
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.connection import Connection, rows
from reconciler.sql import compose, text

# pg_shdepend has no database for databases and tablespaces; they change hands in any database.
_DEPENDENTS = """
    SELECT r.rolname::text AS role, coalesce(d.datname::text, '') AS database,
           bool_or(s.deptype = 'o') AS owning
    FROM pg_catalog.pg_roles AS r
    JOIN pg_catalog.pg_shdepend AS s
         ON s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = r.oid
    LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid
    WHERE r.rolname = ANY (%s)
    GROUP BY 1, 2 ORDER BY 1, 2"""
_MEMBERS = """
    SELECT DISTINCT r.rolname::text AS role, pg_catalog.pg_get_userbyid(m.member)::text AS member
    FROM pg_catalog.pg_roles AS r
    JOIN pg_catalog.pg_auth_members AS m ON m.roleid = r.oid
    WHERE r.rolname = ANY (%s) ORDER BY 1, 2"""
_HERE = "SELECT current_database()::text AS name"


def read_removals(connection: Connection, heirs: Mapping[str, str]) -> dict[str, Removal]:
    """Return what depends on roles in the cluster; `heirs` maps each to who gets what it owns."""
    roles = [*heirs]
    here = rows(connection, _HERE)[0]["name"]
    dependents = rows(connection, _DEPENDENTS, [roles])
    members = rows(connection, _MEMBERS, [roles])
    return {
        role: Removal(
            here=here,
            databases=tuple(
                dict.fromkeys(d["database"] or here for d in dependents if d["role"] == role)
            ),
            owning=tuple(d["database"] for d in dependents if d["role"] == role and d["owning"]),
            members=tuple(m["member"] for m in members if m["role"] == role),
            heir=heir,
        )
        for role, heir in heirs.items()
    }


def disposals(role: str, removal: Removal, context: PlanningContext) -> Iterator[Statement]:
    """Yield REASSIGN OWNED and DROP OWNED for each database, this one last."""
    others = [d for d in removal.databases if d != removal.here]
    for database in [*others, *(d for d in removal.databases if d == removal.here)]:
        where = "" if database == removal.here else database
        if removal.owning and removal.heir:
            reassign = compose("REASSIGN OWNED BY {} TO {}", role, removal.heir)
            requirements = rights.to_dispose([role, removal.heir], context)
            reason = f"what role {role} owns in database {database} belongs to {removal.heir}"
            if removal.heir == context.user:
                reason += ", and its functions with SECURITY DEFINER run with those privileges"
            hazard = Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason)
            yield Statement(
                sql=text(reassign),
                database=where,
                own_transaction=not where,
                transactional=not where,
                hazards=(hazard,),
                undo=(),
                requirements=requirements,
            )
        reason = (
            f"role {role} loses its privileges, default privileges, user mappings and places in"
            f" policies in database {database}, and whatever it creates there meanwhile"
        )
        yield Statement(
            sql=text(compose("DROP OWNED BY {}", role)),
            database=where,
            own_transaction=not where,
            transactional=not where,
            hazards=(Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason),),
            undo=(),
            requirements=rights.to_dispose([role], context),
        )


def drop_hazard(role: str, removal: Removal) -> Hazard:
    """Return the hazard of dropping a role, with what no undo brings back."""
    lost = ["its password"]
    if removal.members:
        lost.append(f"its members {', '.join(removal.members)}")
    if removal.databases:
        lost.append(f"what it had in {', '.join(removal.databases)}")
    reason = f"role {role} is dropped for all databases: no undo brings back {', '.join(lost)}"
    return Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason)
