"""Refuse a journal written by, or with code of, roles without trust.

A trigger, a rule, a policy, a default or a view in place of a table would run as the role that
applies a plan, and a rollback follows the recorded rows. So the schema and the tables must belong
to trusted roles, must not be writable for others, and must be exactly as reconcile makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote

from psycopg.types.json import Jsonb

from reconciler.errors import PlanRefused
from reconciler.escape import one_line
from reconciler.journal.run_target import RunTarget
from reconciler.journal.tables import ALL
from reconciler.model.reserved_names import BACKFILL_TABLE, JOURNAL
from reconciler.server.connection import Connection, Row, rows, translated
from reconciler.sql import name, text

FLAG = "--journal-owner"
VARIABLE = "RECONCILE_JOURNAL_OWNER"


@dataclass(frozen=True)
class Place:
    """The schema of the journal, and a further role that is trusted to own the journal, if any.

    `run_target` is the target for which runs are recorded, and whose runs are undone; None for any.
    """

    schema: str = JOURNAL
    owner: str = ""
    run_target: RunTarget | None = None


# Local to the transaction: names of pg_catalog first, whatever the search path of role or database.
ISOLATE = """
    SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
           pg_catalog.set_config('lock_timeout', '2s', true)"""
DEFAULT_PLACE = Place()
FAULTS = """
    WITH trusted AS (
        SELECT oid FROM pg_catalog.pg_roles
        WHERE rolsuper OR rolname IN (current_user, %(owner)s)
        UNION SELECT datdba FROM pg_catalog.pg_database WHERE datname = current_database()),
    place AS (SELECT * FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s),
    journal AS (
        SELECT c.* FROM pg_catalog.pg_class AS c JOIN place AS s ON s.oid = c.relnamespace
        WHERE c.relname = ANY (%(names)s)),
    expected AS (
        SELECT * FROM pg_catalog.jsonb_to_recordset(%(definitions)s)
                      AS e(relation text, name text, type text, value text))
    SELECT 'schema owner' AS fault, '' AS relation, '' AS name,
           pg_get_userbyid(nspowner)::text AS who
    FROM place WHERE nspowner NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'schema grant', '', '', pg_get_userbyid(nullif(a.grantee, 0))::text
    FROM place AS s CROSS JOIN LATERAL aclexplode(s.nspacl) AS a
    WHERE a.privilege_type = 'CREATE' AND a.grantee <> s.nspowner
          AND a.grantee NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'kind', relname::text, '', '' FROM journal
    WHERE relkind <> 'r' OR relpersistence <> 'p' OR reloftype <> 0
          OR EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = journal.oid)
    UNION ALL
    SELECT 'owner', relname::text, '', pg_get_userbyid(relowner)::text FROM journal
    WHERE relowner NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'grant', j.relname::text, a.privilege_type, pg_get_userbyid(nullif(a.grantee, 0))::text
    FROM journal AS j CROSS JOIN LATERAL aclexplode(j.relacl) AS a
    WHERE a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES')
          AND a.grantee <> j.relowner AND a.grantee NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'grant', j.relname::text, a.privilege_type || ' (' || quote_ident(b.attname) || ')',
           pg_get_userbyid(nullif(a.grantee, 0))::text
    FROM journal AS j JOIN pg_catalog.pg_attribute AS b ON b.attrelid = j.oid
         CROSS JOIN LATERAL aclexplode(b.attacl) AS a
    WHERE a.privilege_type IN ('INSERT', 'UPDATE', 'REFERENCES')
          AND a.grantee <> j.relowner AND a.grantee NOT IN (SELECT oid FROM trusted)
    UNION ALL
    SELECT 'trigger', j.relname::text, t.tgname::text, ''
    FROM journal AS j JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = j.oid
    WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'rule', j.relname::text, r.rulename::text, ''
    FROM journal AS j JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = j.oid
    WHERE j.relkind = 'r'
    UNION ALL
    SELECT 'policy', j.relname::text, p.polname::text, ''
    FROM journal AS j JOIN pg_catalog.pg_policy AS p ON p.polrelid = j.oid
    UNION ALL
    SELECT 'row security', relname::text, '', '' FROM journal
    WHERE relrowsecurity OR relforcerowsecurity
    UNION ALL
    SELECT 'child', j.relname::text, i.inhrelid::regclass::text, ''
    FROM journal AS j JOIN pg_catalog.pg_inherits AS i ON i.inhparent = j.oid
    WHERE j.relkind = 'r'
    UNION ALL
    SELECT 'index', j.relname::text, i.indexrelid::regclass::text, ''
    FROM journal AS j JOIN pg_catalog.pg_index AS i ON i.indrelid = j.oid
    WHERE j.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
                                          WHERE (k.conrelid, k.conindid) = (j.oid, i.indexrelid))
    UNION ALL
    SELECT 'constraint', j.relname::text, k.conname::text, ''
    FROM journal AS j JOIN pg_catalog.pg_constraint AS k ON k.conrelid = j.oid
    WHERE j.relkind = 'r' AND k.contype NOT IN ('p', 'n')
          AND pg_get_constraintdef(k.oid) <> ALL (%(checks)s)
          AND pg_get_constraintdef(k.oid) NOT IN (
              SELECT 'FOREIGN KEY (run_id) REFERENCES ' || quote_ident(nspname)
                     || '.run(id) ON DELETE CASCADE' FROM place)
    UNION ALL
    SELECT 'foreign key', k.conrelid::regclass::text, k.conname::text, ''
    FROM journal AS j JOIN pg_catalog.pg_constraint AS k ON k.confrelid = j.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
    WHERE c.relowner NOT IN (SELECT oid FROM trusted) AND c.oid NOT IN (SELECT oid FROM journal)
    UNION ALL
    SELECT 'column', j.relname::text, a.attname::text, ''
    FROM journal AS j
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = j.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN expected AS e ON (e.relation, e.name) = (j.relname, a.attname)
    WHERE j.relkind = 'r'
          AND (e.type IS DISTINCT FROM format_type(a.atttypid, a.atttypmod)
               OR a.attgenerated <> '')
    UNION ALL
    SELECT 'default', j.relname::text, a.attname::text,
           CASE e.value WHEN '' THEN 'DROP DEFAULT' ELSE 'SET DEFAULT ' || e.value END
    FROM journal AS j
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = j.oid AND a.attgenerated = ''
    JOIN pg_catalog.pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    JOIN expected AS e ON (e.relation, e.name) = (j.relname, a.attname)
    WHERE pg_get_expr(d.adbin, d.adrelid) <> e.value
    UNION ALL
    SELECT 'column', %(backfill)s, e.name, '' FROM expected AS e JOIN journal AS j
         ON e.relation = j.relname AND j.relname = %(backfill)s AND j.relkind = 'r'
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                      WHERE a.attrelid = j.oid AND a.attname = e.name)"""
OWNERS = """
    SELECT pg_get_userbyid(nspowner)::text AS name FROM pg_catalog.pg_namespace
    WHERE nspname = %(schema)s
    UNION SELECT pg_get_userbyid(c.relowner)::text
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace
    WHERE s.nspname = %(schema)s AND c.relname = ANY (%(names)s)
    ORDER BY 1"""
FREE_NAME = """
    SELECT n::text AS number FROM generate_series(1, 1000) AS n
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace
                      WHERE nspname = %s || '_' || n) ORDER BY n LIMIT 1"""


# The reason and the statement for each fault.
MENDS: Mapping[str, tuple[str, str]] = {
    "schema owner": (
        "the schema belongs to {who}, who may have written every row",
        "ALTER SCHEMA {schema} OWNER TO {user}",
    ),
    "schema grant": (
        "{who} may create objects in the schema",
        "REVOKE CREATE ON SCHEMA {schema} FROM {who} CASCADE",
    ),
    "owner": (
        "{relation} belongs to {who}, who may have written every row",
        "ALTER TABLE {on} OWNER TO {user}",
    ),
    "grant": (
        "{who} may write to {relation}",
        "REVOKE {raw} ON TABLE {on} FROM {who} CASCADE",
    ),
    "trigger": ("{relation} has a trigger", "DROP TRIGGER {name} ON {on}"),
    "rule": ("{relation} has a rule", "DROP RULE {name} ON {on}"),
    "policy": ("{relation} has a policy", "DROP POLICY {name} ON {on}"),
    "row security": (
        "{relation} has row level security",
        "ALTER TABLE {on} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
    ),
    "child": ("{relation} has a child table", "ALTER TABLE {raw} NO INHERIT {on}"),
    "index": ("{relation} has a further index", "DROP INDEX {raw}"),
    "constraint": (
        "{relation} has another constraint",
        "ALTER TABLE {on} DROP CONSTRAINT {name}",
    ),
    "foreign key": (
        "a foreign key of {relation} refers to the journal",
        "ALTER TABLE {raw_relation} DROP CONSTRAINT {name}",
    ),
    "default": (
        "{name} of {relation} has another default",
        "ALTER TABLE {on} ALTER COLUMN {name} {value}",
    ),
}


@dataclass(frozen=True)
class _Fault:
    """A fault of the journal: the reason, and the statement to repair the journal."""

    reason: str
    statement: str


def untrusted(connection: Connection, place: Place) -> str:
    """Return why the journal must not be used, with statements to repair the journal, or "".

    Without a schema of that name nothing is refused. Raises StatementFailed, where another session
    holds a lock.
    """
    with translated(), connection.transaction():
        rows(connection, ISOLATE)
        found = _faults(connection, place)
        owner = _only_owner(connection, place) if found else ""
    if not found:
        return ""
    statements = [f"  {f.statement};  -- {one_line(f.reason)}" for f in found]
    return "\n".join(
        (
            f"schema {one_line(place.schema)} is not used as the journal: roles that are not "
            "trusted may have written it, or code of theirs would run.",
            *_named_owner(owner),
            "After a look at what is there, a superuser can repair it with:",
            *dict.fromkeys(statements),
            f"Or name another schema with --journal NAME, record nothing with --no-journal, or "
            f"name a role that may own it with {FLAG} ROLE (or {VARIABLE}).",
        )
    )


def _only_owner(connection: Connection, place: Place) -> str:
    """Return the role to which all that is not trusted belongs, if nothing else is wrong, or ""."""
    owners = rows(connection, OWNERS, {"schema": place.schema, "names": [*ALL]})
    found = (row["name"] for row in owners)
    return next((o for o in found if not _faults(connection, replace(place, owner=o))), "")


def _named_owner(owner: str) -> Sequence[str]:
    """Return the advice for a journal that only its owner keeps from being used."""
    if not owner:
        return []
    shown = quote(one_line(owner))  # a role's name may mean more to a shell
    return [
        f"It belongs to {shown}. If that is the role that applies plans, trust it: {FLAG} {shown}"
        f" (or {VARIABLE}={shown}). If not:"
    ]


def assert_trusted(connection: Connection, place: Place) -> None:
    """Raise PlanRefused if the journal must not be used."""
    if reason := untrusted(connection, place):
        raise PlanRefused(reason)


def lock_and_check(connection: Connection, place: Place) -> None:
    """Lock the tables of the journal against changes, then check; raises PlanRefused.

    For an open transaction that writes: between check and use nobody can add a trigger.
    """
    rows(connection, ISOLATE)
    existing = rows(
        connection,
        """SELECT c.relname::text AS name FROM pg_catalog.pg_class AS c
           JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace
           WHERE s.nspname = %s AND c.relname = ANY (%s) AND c.relkind = 'r'
           ORDER BY 1""",
        [place.schema, [*ALL]],
    )
    if existing:
        tables = ", ".join(text(name(place.schema, row["name"])) for row in existing)
        rows(connection, f"LOCK TABLE {tables} IN ROW EXCLUSIVE MODE")
    assert_trusted(connection, place)


def _faults(connection: Connection, place: Place) -> list[_Fault]:
    values: dict[str, object] = {
        "schema": place.schema,
        "owner": place.owner,
        "names": [*ALL],
        "definitions": Jsonb(
            [
                {"relation": own, "name": column, "type": c.type, "value": c.default}
                for own, table in ALL.items()
                for column, c in table.columns.items()
            ]
        ),
        "checks": [check for table in ALL.values() for check in table.checks],
        "backfill": BACKFILL_TABLE,
    }
    found = rows(connection, FAULTS, values)
    if any(row["fault"] in ("kind", "column") for row in found):
        return [_put_aside(connection, place, found)]
    user = rows(connection, "SELECT current_user::text AS name")[0]["name"]
    return [_fault(place.schema, user, row) for row in found]


def _put_aside(connection: Connection, place: Place, found: Sequence[Row]) -> _Fault:
    """Return the fault of a schema with something else in place of a table of the journal."""
    places = sorted({row["relation"] for row in found if row["fault"] in ("kind", "column")})
    free = rows(connection, FREE_NAME, [place.schema])[0]["number"]
    return _Fault(
        f"{', '.join(places)}: not as reconcile makes it",
        f"ALTER SCHEMA {_quoted(place.schema)} RENAME TO {_quoted(f'{place.schema}_{free}')}",
    )


def _fault(schema: str, user: str, row: Row) -> _Fault:
    """Return a fault read from the catalogs; `user` is the role to own what others own."""
    relation, own, who = row["relation"], row["name"], row["who"]
    names = {
        "schema": _quoted(schema),
        "on": f"{_quoted(schema)}.{_quoted(relation)}",
        "raw_relation": relation,  # these two are SQL already
        "raw": own,
        "name": _quoted(own),
        "who": "PUBLIC" if who is None else _quoted(who),
        "user": _quoted(user),
        "value": who,
    }
    reason, statement = MENDS[row["fault"]]
    shown = {"relation": relation, "name": own, "who": "everybody" if who is None else who}
    return _Fault(reason.format(**shown), statement.format(**names))


def _quoted(part: str) -> str:
    """Quote a name; control characters are written as escapes, so that the name is on one line."""
    if part.isprintable():
        return text(name(part)) if part else ""
    escaped = "".join(c if c.isprintable() and c not in '\\"' else f"\\+{ord(c):06x}" for c in part)
    return f'U&"{escaped}"'
