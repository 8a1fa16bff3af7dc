"""Rules about row level security, privileges, and what stands in public."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.counted import agreeing
from reconciler.lint.database import Database
from reconciler.lint.facts import PUBLIC, Relation, quoted
from reconciler.lint.rule import Found, rule

_ROWS = ("select", "insert", "update", "delete")
_BEYOND = ("truncate", "references", "trigger", "maintain")


def _exposed(db: Database, table: Relation, privilege: str) -> list[str]:
    return db.exposed(table.granted(privilege), table.schema)


def _enable(table: Relation) -> str:
    return f"ALTER TABLE {table.sql} ENABLE ROW LEVEL SECURITY;"


@rule(
    "table-without-row-security",
    "error",
    """Every user of the role reads or writes every row.""",
    "0013 rls_disabled_in_public",
)
def table_without_row_security(db: Database) -> Iterator[Found]:
    """Find a table that a role of requests reaches without row level security."""
    for table in db.tables:
        roles = dict.fromkeys(r for p in _ROWS for r in _exposed(db, table, p))
        if roles and not table.secured:
            yield Found(
                ("pg_class", table.oid, 0),
                f"{', '.join(map(quoted, roles))} has privileges, and no policy applies",
                _enable(table),
                "row_level_security",
            )


@rule(
    "row-security-without-policy",
    "note",
    """Nobody but the owner and roles that bypass it sees a row. If that is meant, a policy that
    says so tells the next reader.""",
    "0008 rls_enabled_no_policy",
)
def row_security_without_policy(db: Database) -> Iterator[Found]:
    """Find row level security without a policy."""
    for table in db.tables:
        if table.secured and not db.policies_of.get(table.oid):
            yield Found(
                ("pg_class", table.oid, 0),
                "row level security is enabled, and there is no policy: no row is visible",
                f"CREATE POLICY nobody ON {table.sql} AS RESTRICTIVE USING (false);",
            )


@rule(
    "policy-without-row-security",
    "error",
    """The policies have no effect: every row is visible to whoever has the privilege.""",
    "0007 policy_exists_rls_disabled",
)
def policy_without_row_security(db: Database) -> Iterator[Found]:
    """Find policies on a table without row level security."""
    for oid, policies in db.policies_of.items():
        table = db.relations[oid]
        if not table.secured:
            yield Found(
                ("pg_class", oid, 0),
                f"{agreeing(len(policies), '1 policy has', f'{len(policies)} policies have')}"
                " no effect: row level security is off",
                _enable(table),
                "row_level_security",
            )


@rule(
    "privilege-beyond-policies",
    "warning",
    """No policy binds TRUNCATE, REFERENCES, TRIGGER and MAINTAIN: GRANT ALL, also as a default
    privilege, lets the role empty the table.""",
)
def privilege_beyond_policies(db: Database) -> Iterator[Found]:
    """Find TRUNCATE and the like for a role of requests."""
    for table in db.tables:
        found = {p: r for p in _BEYOND if (r := _exposed(db, table, p))}
        if found:
            roles = [*dict.fromkeys(quoted(r) for names in found.values() for r in names)]
            roles += ["PUBLIC"] if any(PUBLIC in table.granted(p) for p in found) else []
            privileges = ", ".join(p.upper() for p in found)
            yield Found(
                ("pg_class", table.oid, 0),
                f"{', '.join(roles)} has {privileges}, which no policy binds",
                f"REVOKE {privileges} ON {table.sql} FROM {', '.join(roles)};",
                "grants",
            )


@rule(
    "extension-in-public",
    "note",
    """Its functions stand among the application's, on everybody's search_path, and in the API of
    products that expose the schema.""",
    "0014 extension_in_public",
)
def extension_in_public(db: Database) -> Iterator[Found]:
    """Find an extension in the schema public."""
    for extension in db.extensions:
        if extension.schema == "public":
            name = quoted(extension.name)
            move = "CREATE SCHEMA IF NOT EXISTS extensions;\n"
            move += f"ALTER EXTENSION {name} SET SCHEMA extensions;"
            again = (
                f"-- not relocatable: declare {name} with schema: extensions, and create it anew"
            )
            yield Found(
                ("pg_extension", extension.oid, 0),
                "stands in public",
                move if extension.is_relocatable else again,
                "schema",
            )
