"""Check a plan against the target before the first step, and report every obstacle at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconciler.apply import backfill
from reconciler.apply.disk import space
from reconciler.apply.grants import grant, membership
from reconciler.apply.send import unusable
from reconciler.apply.subscribers import subscribers
from reconciler.introspect.global_objects import GLOBAL
from reconciler.kinds import KINDS
from reconciler.model.reserved_names import SHADOW_PREFIX
from reconciler.plan.plan import Plan
from reconciler.plan.questions import ask
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, rows, server_of, tuples
from reconciler.sql import compose, joined, literal, raw, spellings, text

# Seconds: a concurrent build or a validation waits for the end of an older transaction.
OLD_TRANSACTION = 60.0
STANDBY_LAG = 10.0  # seconds by which a standby may be behind without a notice

_STATE = """
    SELECT pg_is_in_recovery() AS standby,
           current_setting('transaction_read_only') = 'on' AS read_only,
           current_user::text AS role,
           (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser"""
_NOT_OWNED = """
    SELECT format('%%I.%%I', n.nspname, c.relname) AS relation,
           pg_get_userbyid(c.relowner)::text AS owner,
           (SELECT rolsuper FROM pg_roles WHERE oid = c.relowner) AS of_superuser,
           CASE WHEN bool_and(w.privilege <> '')
                THEN string_agg(DISTINCT w.privilege, ', ') END AS enough
    FROM unnest(%(relations)s::text[], %(privileges)s::text[]) AS w(relation, privilege)
    JOIN pg_class AS c ON c.oid = to_regclass(w.relation)
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT pg_has_role(c.relowner, 'USAGE')
          AND NOT CASE WHEN w.privilege = '' THEN false
                       ELSE has_table_privilege(c.oid, w.privilege) END
    GROUP BY 1, 2, 3 ORDER BY 1"""
_SCHEMAS_NOT_CREATABLE = """
    SELECT n.nspname::text AS schema FROM pg_namespace AS n
    WHERE n.nspname = ANY(%(schemas)s) AND NOT has_schema_privilege(n.oid, 'CREATE') ORDER BY 1"""
_DATABASE_CREATABLE = """
    SELECT current_database()::text AS name,
           has_database_privilege(current_database(), 'CREATE') AS allowed"""
_NOT_MEMBER = """
    SELECT rolname::text AS role FROM pg_roles
    WHERE rolname = ANY(%(owners)s) AND NOT pg_has_role(oid, '{}') ORDER BY 1"""
# Whoever creates a role may not give it anything, unless that setting says so (16).
_NEW_OWNERS = """
    SELECT o.role FROM unnest(%(owners)s::text[]) AS o(role)
    WHERE o.role NOT IN (SELECT rolname FROM pg_roles)
          AND coalesce(current_setting('createrole_self_grant', true), '') !~ '\\mset\\M'
    ORDER BY 1"""
_OLD_TRANSACTIONS = """
    SELECT pid, usename::text AS role, application_name AS application, state,
           extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds,
           left(regexp_replace(query, '\\s+', ' ', 'g'), 80) AS query
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND backend_type = 'client backend'
          AND clock_timestamp() - xact_start > make_interval(secs => %(old)s)
    ORDER BY xact_start"""
_PREPARED_TRANSACTIONS = """
    SELECT gid, owner::text AS role,
           extract(epoch FROM clock_timestamp() - prepared)::int AS seconds
    FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared"""
_INVALID_INDEXES = """
    SELECT format('%%I.%%I', n.nspname, c.relname) AS index
    FROM unnest(%(relations)s::text[]) AS w(relation)
    JOIN pg_index AS i ON i.indrelid = to_regclass(w.relation)
    JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i'
          AND NOT EXISTS (SELECT FROM unnest(%(planned)s::text[]) AS p(index)
                          WHERE to_regclass(p.index) = c.oid)
    ORDER BY 1"""
_LAGGING_STANDBYS = """
    SELECT application_name AS standby, extract(epoch FROM replay_lag)::int AS seconds
    FROM pg_stat_replication WHERE extract(epoch FROM replay_lag) > %(lag)s ORDER BY 1"""
_PUBLISHED_ROWS = """
    SELECT p.pubname::text AS sender, format('%%I.%%I', n.nspname, c.relname) AS relation
    FROM unnest(%(relations)s::text[]) AS w(relation)
    JOIN pg_class AS c ON c.oid = to_regclass(w.relation)
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_publication_tables AS p ON (p.schemaname, p.tablename) = (n.nspname, c.relname)
    JOIN pg_publication AS q ON q.pubname = p.pubname
    WHERE NOT EXISTS (SELECT FROM pg_publication_rel AS r
                      WHERE r.prrelid = c.oid AND r.prpubid = q.oid
                            AND to_jsonb(r) ->> 'prattrs' IS NOT NULL)
    ORDER BY 1, 2"""
_WITHOUT_IDENTITY = """
    SELECT DISTINCT p.pubname::text AS sender, format('%%I.%%I', n.nspname, c.relname) AS relation
    FROM unnest(%(relations)s::text[]) AS w(relation)
    JOIN pg_class AS c ON c.oid = to_regclass(w.relation)
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_publication_tables AS p ON (p.schemaname, p.tablename) = (n.nspname, c.relname)
    JOIN pg_publication AS q ON q.pubname = p.pubname AND q.pubupdate
    WHERE c.relreplident = 'n'
          OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index AS i
                                                  WHERE i.indrelid = c.oid AND i.indisprimary)
    ORDER BY 1, 2"""


@dataclass(frozen=True)
class Finding:
    """A fact to know before the first step; `refuses` marks an obstacle bound to fail a step."""

    message: str
    refuses: bool = False


def preflight(plan: Plan, connection: Connection, *, questions: bool = True) -> list[Finding]:
    """List obstacles to the plan; reads only. Raises StatementFailed.

    With `questions`, rows of the target are looked at.
    """
    if not plan.steps:
        return []
    state = rows(connection, _STATE)[0]
    found = [*_writable(state["standby"], state["read_only"])]
    if not state["superuser"]:
        found += _privileges(plan, connection, state["role"])
    found += [Finding(message, refuses=True) for message in unusable(plan.steps)]
    found += _backfills(plan, connection)
    found += _published(plan, connection)
    found += _published_without_identity(plan, connection)
    if not state["standby"]:
        changed = _relations(s for s in plan.steps if s.fill or s.lock == "ACCESS EXCLUSIVE")
        found += [Finding(message) for message in subscribers(connection, changed)]
    answers = ask(plan, connection) if questions else []
    found += [Finding(a.message, refuses=a.refuses) for a in answers]
    found += _old_transactions(plan, connection)
    found += _invalid_indexes(plan, connection)
    found += [Finding(message) for message in space(plan, connection)]
    found += _lagging_standbys(connection)
    return found


def refusals(findings: Iterable[Finding]) -> list[str]:
    """Return the messages of the findings with `refuses` set."""
    return [f.message for f in findings if f.refuses]


def _writable(standby: bool, read_only: bool) -> Iterator[Finding]:
    if standby:
        yield Finding("the target is a standby: name the primary", refuses=True)
    elif read_only:
        yield Finding(
            "transactions are read-only here (default_transaction_read_only)", refuses=True
        )


# -- privileges --------------------------------------------------------------------------------


def _privileges(plan: Plan, connection: Connection, role: str) -> Iterator[Finding]:
    yield from _relations_not_owned(plan, connection, role)
    yield from _schemas_not_creatable(plan, connection, role)
    yield from _database_not_creatable(plan, connection, role)
    yield from _owners_not_assignable(plan, connection, role)
    yield from _requirements_unmet(plan, connection, role)


def _relations_not_owned(plan: Plan, connection: Connection, role: str) -> Iterator[Finding]:
    asked = [
        (relation, step.privilege)
        for step in plan.steps
        if not step.fill
        for relation in _relations([step])
    ]
    values: dict[str, object] = {
        "relations": [relation for relation, _ in asked],
        "privileges": [privilege for _, privilege in asked],
    }
    for row in rows(connection, _NOT_OWNED, values):
        owner, relation = row["owner"], row["relation"]
        if row["enough"]:
            of = compose("GRANT {} ON {} TO {}", raw(row["enough"]), raw(relation), role)
        else:
            of = compose("ALTER TABLE {} OWNER TO {}", raw(relation), role)
        member = "" if row["of_superuser"] else f"{membership(owner, role)}, or "
        yield Finding(
            f"{role} does not own {relation}, {owner} does: {member}{text(of)}", refuses=True
        )


def _schemas_not_creatable(plan: Plan, connection: Connection, role: str) -> Iterator[Finding]:
    schemas = {s.schema_name for s in plan.steps if s.schema_name and _creates_in_schema(s)}
    for row in rows(connection, _SCHEMAS_NOT_CREATABLE, {"schemas": sorted(schemas)}):
        missing = grant("CREATE ON SCHEMA", row["schema"], role)
        yield Finding(f"{role} may not create in schema {row['schema']}: {missing}", refuses=True)


def _creates_in_schema(step: Step) -> bool:
    """Return whether the step creates a member of the schema, and not merely a part of a table.

    An owner may always add parts, such as columns and checks, to their table.
    """
    kind = KINDS[step.kind]
    in_schema = not kind.parent_kinds or kind.relation or step.needs_create_on == "schema"
    return step.action == "create" and in_schema


def _database_not_creatable(plan: Plan, connection: Connection, role: str) -> Iterator[Finding]:
    if not any(s.needs_create_on == "database" for s in plan.steps):
        return
    database = rows(connection, _DATABASE_CREATABLE)[0]
    if not database["allowed"]:
        missing = grant("CREATE ON DATABASE", database["name"], role)
        yield Finding(f"{role} may not create schemas in this database: {missing}", refuses=True)


def _owners_not_assignable(plan: Plan, connection: Connection, role: str) -> Iterator[Finding]:
    owners = {str(c.after["owner"]) for c in plan.changes if c.after and c.after.get("owner")}
    values: dict[str, object] = {"owners": sorted(owners - {role})}
    privilege = "SET" if server_of(connection).has_membership_options else "MEMBER"
    own_memberships = any(s.kind in GLOBAL and s.identity == role for s in plan.steps)
    for row in rows(connection, _NOT_MEMBER.format(privilege), values):
        yield Finding(
            f"{role} is no member of {row['role']}, and can give it nothing to own: "
            f"{membership(row['role'], role)}",
            refuses=not own_memberships,
        )
    for row in rows(connection, _NEW_OWNERS, values):
        yield Finding(
            f"{role} will be no member of {row['role']}, which this plan creates, and can give it"
            f" nothing to own: create it first, and then {membership(row['role'], role)}; or, since"
            " PostgreSQL 16, let the setting createrole_self_grant of that role be 'set'",
            refuses=not own_memberships,
        )


def _requirements_unmet(plan: Plan, connection: Connection, role: str) -> Iterator[Finding]:
    """Ask for all requirements of the steps at once; some are those of many steps."""
    needed = list(dict.fromkeys(r for s in plan.steps for r in s.requirements))
    if not needed:
        return
    met = joined([raw(r.condition) for r in needed])
    (answers,) = tuples(connection, text(compose("SELECT {}", met)))
    lacking = (r.lacking for r, allowed in zip(needed, answers, strict=True) if not allowed)
    for reason in dict.fromkeys(lacking):
        yield Finding(f"{role} {reason}", refuses=True)


# -- obstacles on the target -------------------------------------------------------------------


def _backfills(plan: Plan, connection: Connection) -> Iterator[Finding]:
    found: dict[str, dict[str, None]] = {}
    for step in plan.steps:
        for reason in backfill.refusals(connection, step.fill) if step.fill else ():
            found.setdefault(reason, {})[step.identity] = None
    for reason, columns in found.items():
        title = "the backfill of" if len(columns) == 1 else "the backfills of"
        yield Finding(f"{title} {', '.join(columns)}: {reason}", refuses=True)


def _published_without_identity(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """Refuse backfills of tables whose updates are published without an identity of rows."""
    filled = [s.fill.relation for s in plan.steps if s.fill and s.fill.value is not None]
    for row in rows(connection, _WITHOUT_IDENTITY, {"relations": filled}) if filled else ():
        yield Finding(
            f"the backfill of {row['relation']} would fail: {row['sender']} publishes its updates,"
            " and neither a primary key nor REPLICA IDENTITY identifies its rows",
            refuses=True,
        )


def _published(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """Refuse shadow columns on tables published without a column list.

    Logical replication stops at a subscriber whose table lacks a published column.
    """
    widened = sorted(_relations(s for s in plan.steps if s.adds_shadow_column))
    for row in rows(connection, _PUBLISHED_ROWS, {"relations": widened}) if widened else ():
        yield Finding(
            f"publication {row['sender']} sends whole rows of {row['relation']}, and its "
            f"subscribers have no {SHADOW_PREFIX}…: name the columns that it is to send, or "
            "leave `retype` out",
            refuses=True,
        )


def _old_transactions(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """Name old transactions: concurrent index builds wait for the end of each, in all tables."""
    if not any(s.long for s in plan.steps):
        return
    for r in rows(connection, _OLD_TRANSACTIONS, {"old": OLD_TRANSACTION}):
        application = r["application"] or "no application name"
        yield Finding(
            f"pid {r['pid']} ({r['role']}, {application}, {r['state']}) is in a transaction for "
            f"{r['seconds']} s: concurrent builds wait for its end: {r['query']}"
        )
    for r in rows(connection, _PREPARED_TRANSACTIONS):
        gid = text(literal(r["gid"]))
        yield Finding(
            f"the prepared transaction {r['gid']} ({r['role']}, for {r['seconds']} s) holds its "
            f"locks until COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid}"
        )


def _invalid_indexes(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """Name the invalid indexes of the plan's relations not handled by any step."""
    values: dict[str, object] = {
        "relations": sorted({*_relations(plan.steps)}),
        "planned": sorted({s.index for s in plan.steps if s.index}),
    }
    for row in rows(connection, _INVALID_INDEXES, values):
        yield Finding(f"the index {row['index']} is invalid, and nothing is declared of it")


def _lagging_standbys(connection: Connection) -> Iterator[Finding]:
    for row in rows(connection, _LAGGING_STANDBYS, {"lag": STANDBY_LAG}):
        yield Finding(f"the standby {row['standby']} is {row['seconds']} s behind")


def _relations(steps: Iterable[Step]) -> list[str]:
    """Return the relations of the steps as SQL, in every reading of ambiguous names."""
    return [
        spelling
        for step in steps
        if step.relation
        for spelling in spellings(step.relation, step.schema_name)
    ]
