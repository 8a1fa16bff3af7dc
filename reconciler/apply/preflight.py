"""What is in the way before the first step, all of it at once: (Plan, connection) → findings."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.apply import backfill
from reconciler.kinds import KINDS
from reconciler.model.reserved_names import SHADOW_PREFIX
from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, rows
from reconciler.sql import literal, spellings, text

OLD = 60.0  # seconds: a transaction that is older will hold up a concurrent build or a validation
LAG = 10.0  # seconds by which a standby may be behind

_STATE = """
    SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only,
           current_user::text AS role, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser"""
_NOT_OWNED = """
    SELECT format('%%I.%%I', n.nspname, c.relname) AS relation, pg_get_userbyid(c.relowner)::text AS owner
    FROM unnest(%(relations)s::text[], %(triggering)s::boolean[]) AS w(relation, only_trigger)
    JOIN pg_class AS c ON c.oid = to_regclass(w.relation) JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT pg_has_role(c.relowner, 'USAGE') AND NOT (w.only_trigger AND has_table_privilege(c.oid, 'TRIGGER'))
    GROUP BY 1, 2 ORDER BY 1"""
_NOT_CREATABLE = """
    SELECT n.nspname::text AS place FROM pg_namespace AS n
    WHERE n.nspname = ANY(%(within)s) AND NOT has_schema_privilege(n.oid, 'CREATE') ORDER BY 1"""
_NOT_MEMBER = "SELECT rolname::text AS role FROM pg_roles WHERE rolname = ANY(%(owners)s) AND NOT pg_has_role(oid, 'MEMBER') ORDER BY 1"
_NO_DATABASE = "SELECT has_database_privilege(current_database(), 'CREATE') AS may"
_LONG = """
    SELECT pid, usename::text AS role, application_name AS application, state,
           extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds, left(query, 80) AS query
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
          AND clock_timestamp() - xact_start > make_interval(secs => %(old)s)
    ORDER BY xact_start"""
_PREPARED = """
    SELECT gid, owner::text AS role, extract(epoch FROM clock_timestamp() - prepared)::int AS seconds
    FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared"""
_INVALID = """
    SELECT format('%%I.%%I', n.nspname, c.relname) AS built
    FROM unnest(%(relations)s::text[]) AS w(relation) JOIN pg_index AS i ON i.indrelid = to_regclass(w.relation)
    JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1"""
_LAGGING = """
    SELECT application_name AS standby, extract(epoch FROM replay_lag)::int AS seconds
    FROM pg_stat_replication WHERE extract(epoch FROM replay_lag) > %(lag)s ORDER BY 1"""
_PUBLISHED = """
    SELECT p.pubname::text AS sender, format('%%I.%%I', n.nspname, c.relname) AS relation
    FROM unnest(%(relations)s::text[]) AS w(relation) JOIN pg_class AS c ON c.oid = to_regclass(w.relation)
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_publication_tables AS p ON (p.schemaname, p.tablename) = (n.nspname, c.relname)
    JOIN pg_publication AS q ON q.pubname = p.pubname
    WHERE NOT EXISTS (SELECT FROM pg_publication_rel AS r
                      WHERE r.prrelid = c.oid AND r.prpubid = q.oid AND to_jsonb(r) ->> 'prattrs' IS NOT NULL)
    ORDER BY 1, 2"""
_SPACE = """
    SELECT setting AS directory, inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1' AS here,
           (SELECT coalesce(sum(pg_table_size(to_regclass(w.relation))), 0) FROM unnest(%(built)s::text[]) AS w(relation))::int8
           + (SELECT coalesce(sum(pg_total_relation_size(to_regclass(w.relation))), 0)
              FROM unnest(%(rewritten)s::text[]) AS w(relation))::int8 AS needed
    FROM pg_settings WHERE name = 'data_directory'"""


_TRIGGER = re.compile(
    "CREATE (OR REPLACE )?(CONSTRAINT )?TRIGGER "
)  # needs but the privilege of that name
# An index or a sequence that comes with a part of a table.
_BESIDE = re.compile(
    "^CREATE (UNIQUE )?INDEX |^ALTER TABLE .* (ADD COLUMN .* AS IDENTITY|EXCLUDE USING )"
)


@dataclass(frozen=True)
class Finding:
    """Something to know before the first step; one that `refuses` would only be found out half-way."""

    words: str
    refuses: bool = False


def preflight(plan: Plan, connection: Connection) -> list[Finding]:
    """Everything that is in the way, or will be; reads only. Raises StatementFailed."""
    if not plan.steps:
        return []
    state = rows(connection, _STATE)[0]
    found = [*_writable(state["standby"], state["read_only"])]
    if not state["superuser"]:
        found += _privileges(plan, connection, state["role"])
    for step in plan.steps:
        if step.fill is not None:
            found += [
                Finding(f"the backfill of {step.identity}: {why}", refuses=True)
                for why in backfill.refusals(connection, step.fill)
            ]
    found += _sent(plan, connection)
    found += _held_up(plan, connection)
    found += _half_finished(plan, connection)
    found += _space(plan, connection)
    for row in rows(connection, _LAGGING, {"lag": LAG}):
        found.append(Finding(f"the standby {row['standby']} is {row['seconds']} s behind"))
    return found


def _writable(standby: bool, read_only: bool) -> Iterator[Finding]:
    if standby:
        yield Finding("the target is a standby: name the primary", refuses=True)
    elif read_only:
        yield Finding(
            "transactions are read-only here (default_transaction_read_only)", refuses=True
        )


def _privileges(plan: Plan, connection: Connection, role: str) -> Iterator[Finding]:
    steps = [
        s
        for s in plan.steps
        if s.relation and not s.fill and not s.sql.startswith(("GRANT", "REVOKE"))
    ]
    asked = [(relation, bool(_TRIGGER.match(s.sql))) for s in steps for relation in _relations([s])]
    for row in rows(
        connection,
        _NOT_OWNED,
        {"relations": [r for r, _ in asked], "triggering": [t for _, t in asked]},
    ):
        yield Finding(f"{role} does not own {row['relation']}, {row['owner']} does", refuses=True)
    created = {
        s.schema_name
        for s in plan.steps
        if s.action == "create" and s.schema_name and _takes_a_name(s)
    }
    for row in rows(connection, _NOT_CREATABLE, {"within": sorted(created)}):
        yield Finding(f"{role} may not create in schema {row['place']}", refuses=True)
    if (
        any(s.sql.startswith("CREATE SCHEMA") for s in plan.steps)
        and not rows(connection, _NO_DATABASE)[0]["may"]
    ):
        yield Finding(f"{role} may not create schemas in this database", refuses=True)
    owners = {str(c.after["owner"]) for c in plan.changes if c.after and c.after.get("owner")}
    for row in rows(connection, _NOT_MEMBER, {"owners": sorted(owners)}):
        yield Finding(
            f"{role} is no member of {row['role']}, and can give it nothing to own", refuses=True
        )


def _takes_a_name(step: Step) -> bool:
    """Whether it puts something into the schema, and not only onto a table, which its owner may always do."""
    kind = KINDS[step.kind]
    return not kind.parent_kinds or kind.relation or bool(_BESIDE.search(step.sql))


def _sent(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """A subscriber to whole rows would stop at a column that it does not have."""
    widened = sorted(_relations(s for s in plan.steps if f"ADD COLUMN {SHADOW_PREFIX}" in s.sql))
    for row in rows(connection, _PUBLISHED, {"relations": widened}) if widened else ():
        words = f"publication {row['sender']} sends whole rows of {row['relation']}, and its subscribers have no {SHADOW_PREFIX}…"
        yield Finding(
            f"{words}: name the columns that it is to send, or leave `retype` out", refuses=True
        )


def _held_up(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """Concurrent builds wait for every older transaction of the database, whatever it reads."""
    if not any(s.long for s in plan.steps):
        return
    for r in rows(connection, _LONG, {"old": OLD}):
        who = f"pid {r['pid']} ({r['role']}, {r['application'] or 'no application name'}, {r['state']})"
        yield Finding(
            f"{who} is in a transaction for {r['seconds']} s: concurrent builds wait for its end: {r['query']}"
        )
    for r in rows(connection, _PREPARED):
        gid = text(literal(r["gid"]))
        ends = f"COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid}"
        yield Finding(
            f"the prepared transaction {r['gid']} ({r['role']}, for {r['seconds']} s) holds its locks until {ends}"
        )


def _half_finished(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """Invalid indexes on what the plan touches, which it leaves as they are."""
    relations = sorted({*_relations(plan.steps)})
    for row in rows(connection, _INVALID, {"relations": relations}):
        if not any(row["built"] in s.sql for s in plan.steps):
            yield Finding(f"the index {row['built']} is invalid, and nothing is declared of it")


def _space(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """Where the server's disk is ours to see: no index is bigger than its table, as a rule; a rewrite writes all of it again."""
    built = _relations(
        s for s in plan.steps if "INDEX" in s.sql.split("(")[0] and s.sql.startswith("CREATE")
    )
    rewritten = _relations(
        s for s in plan.steps if any(d.hazard is HazardKind.TABLE_REWRITE for d in s.hazards)
    )
    if not built and not rewritten:
        return
    for row in rows(connection, _SPACE, {"built": built, "rewritten": rewritten}):
        folder = Path(row["directory"] or "/nowhere")
        if row["here"] and seen(folder):
            free = shutil.disk_usage(folder).free
            if row["needed"] > free:
                yield Finding(
                    f"up to {row['needed']:,} bytes may be written to a disk with {free:,} left"
                )


def _relations(steps: Iterable[Step]) -> list[str]:
    return [
        spelled for s in steps if s.relation for spelled in spellings(s.relation, s.schema_name)
    ]


def seen(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False


def refusals(findings: Iterable[Finding]) -> list[str]:
    """What speaks against beginning at all."""
    return [f.words for f in findings if f.refuses]
