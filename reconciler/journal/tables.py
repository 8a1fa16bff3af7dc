"""Define the tables of the journal, and compose the statements that make or complete a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reconciler.model.reserved_names import BACKFILL_TABLE
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import name, text


@dataclass(frozen=True)
class Column:
    """A column: type and default as PostgreSQL prints both, and further clauses."""

    type: str
    clauses: str = ""
    default: str = ""

    @property
    def sql(self) -> str:
        """Return the column's definition, without the name."""
        default = f"DEFAULT {self.default}" if self.default else ""
        return " ".join(part for part in (self.type, self.clauses, default) if part)


@dataclass(frozen=True)
class Table:
    """A table: columns, a primary key of several columns, and checks as PostgreSQL prints each.

    `of_run`: every row belongs to a run, and goes with the run.
    """

    columns: Mapping[str, Column]
    primary_key: str = ""
    checks: tuple[str, ...] = ()
    of_run: bool = False

    def definition(self, column: str) -> str:
        """Return the definition of a column, with the checks of the column."""
        checks = [c for c in self.checks if c.startswith(f"CHECK (({column} ")]
        return " ".join((self.columns[column].sql, *checks))


NOW = "clock_timestamp()"
RUN_STATUS = (
    "CHECK ((status = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text,"
    " 'interrupted'::text])))"
)
MOMENT = "CHECK ((moment = ANY (ARRAY['before'::text, 'after'::text])))"
STEP_STATUS = "CHECK ((status = ANY (ARRAY['done'::text, 'failed'::text, 'skipped'::text])))"

# Tables of every journal. A table of an earlier version lacks the later columns, and receives them.
TABLES: Mapping[str, Table] = {
    "run": Table(
        {
            "id": Column("bigint", "GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            "started_at": Column("timestamp with time zone", "NOT NULL", NOW),
            "finished_at": Column("timestamp with time zone"),
            "status": Column("text", "NOT NULL", "'running'::text"),
            "role_name": Column("text", "NOT NULL", "CURRENT_USER"),
            "client_user": Column("text", "NOT NULL"),
            "client_host": Column("text", "NOT NULL"),
            "version": Column("text", "NOT NULL"),
            "git_commit": Column("text"),
            "plan": Column("jsonb", "NOT NULL"),
            "digest": Column("text"),
            "rollback_of": Column("bigint"),
            "rollout": Column("text"),
            "target": Column("text"),
            "variables": Column("jsonb"),
        },
        checks=(RUN_STATUS,),
    ),
    "step": Table(
        {
            "run_id": Column("bigint", "NOT NULL"),
            "step_id": Column("text", "NOT NULL"),
            "status": Column("text", "NOT NULL"),
            "finished_at": Column("timestamp with time zone", "NOT NULL", NOW),
            "seconds": Column("double precision", "NOT NULL"),
            "attempts": Column("integer", "NOT NULL"),
            "error": Column("text"),
        },
        primary_key="(run_id, step_id)",
        checks=(STEP_STATUS,),
        of_run=True,
    ),
    # JSON's null is an object that does not exist; SQL's NULL in `after` is an object that was not
    # read again, because the run was interrupted.
    "touched": Table(
        {
            "run_id": Column("bigint", "NOT NULL"),
            "place": Column("integer", "NOT NULL"),
            "identity": Column("text", "NOT NULL"),
            "ref": Column("jsonb", "NOT NULL"),
            "before": Column("jsonb", "NOT NULL"),
            "after": Column("jsonb"),
        },
        primary_key="(run_id, place)",
        of_run=True,
    ),
    # The entries of approvals.yml that let hazards of the run through, and the steps with these.
    "approval": Table(
        {
            "run_id": Column("bigint", "NOT NULL"),
            "place": Column("integer", "NOT NULL"),
            "hazard": Column("text", "NOT NULL"),
            "object": Column("text", "NOT NULL"),
            "digest": Column("text", "NOT NULL"),
            "given_by": Column("text", "NOT NULL"),
            "steps": Column("text[]", "NOT NULL"),
        },
        primary_key="(run_id, place)",
        of_run=True,
    ),
    # The target's statistics before the first step and after the last (reconciler/monitor/).
    "baseline": Table(
        {
            "run_id": Column("bigint", "NOT NULL"),
            "moment": Column("text", "NOT NULL"),
            "taken_at": Column("timestamp with time zone", "NOT NULL", NOW),
            "counters": Column("jsonb", "NOT NULL"),
        },
        primary_key="(run_id, moment)",
        checks=(MOMENT,),
        of_run=True,
    ),
}
# The position of every unfinished backfill: made by the first backfill, empty after the last.
BACKFILL = Table(
    {
        "relation": Column("text", "NOT NULL"),
        "column_name": Column("text", "NOT NULL"),
        "digest": Column("text", "NOT NULL"),
        "part": Column("text", "NOT NULL"),
        "key": Column("text[]", "NOT NULL"),
        "place": Column("text[]", "NOT NULL"),
        "moved_at": Column("timestamp with time zone", "NOT NULL", NOW),
    },
    primary_key="(relation, column_name, digest)",
)
_REVOKE_DEFAULT_PRIVILEGES = """
    WITH made (class, name, owner, acl) AS (
        SELECT 'SCHEMA', quote_ident(nspname), nspowner, nspacl
        FROM pg_catalog.pg_namespace WHERE nspname = %(place)s AND %(own)s = ''
        UNION ALL
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
               quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relowner, c.relacl
        FROM pg_catalog.pg_class AS t
        JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
        JOIN pg_catalog.pg_class AS c ON c.oid = t.oid OR c.oid IN (
            SELECT d.objid FROM pg_catalog.pg_depend AS d
            WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.refclassid = d.classid AND d.refobjid = t.oid AND d.deptype = 'i')
        WHERE n.nspname = %(place)s AND t.relname = %(own)s AND c.relkind IN ('r', 'S'))
    SELECT DISTINCT 'REVOKE ALL ON ' || m.class || ' ' || m.name || ' FROM '
                    || CASE a.grantee WHEN 0 THEN 'PUBLIC'
                       ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS statement
    FROM made AS m CROSS JOIN LATERAL aclexplode(m.acl) AS a
    WHERE a.grantee <> m.owner ORDER BY 1"""
ALL: Mapping[str, Table] = {**TABLES, BACKFILL_TABLE: BACKFILL}


def create_table(schema: str, own: str) -> str:
    """Compose CREATE TABLE for a table of the journal."""
    table = ALL[own]
    definitions = [f"{column} {table.definition(column)}" for column in table.columns]
    if table.primary_key:
        definitions.append(f"PRIMARY KEY {table.primary_key}")
    if table.of_run:
        run = text(name(schema, "run"))
        definitions.append(f"FOREIGN KEY (run_id) REFERENCES {run} ON DELETE CASCADE")
    return f"CREATE TABLE {text(name(schema, own))} ({', '.join(definitions)})"


def add_columns(schema: str, own: str, existing: Collection[str]) -> list[str]:
    """Compose the statements that add the missing columns to a table of an earlier version."""
    table, relation = ALL[own], text(name(schema, own))
    return [
        f"ALTER TABLE {relation} ADD COLUMN {column} {table.definition(column)}"
        for column in table.columns
        if column not in existing
    ]


def revoke_default_privileges(connection: Connection, schema: str, own: str = "") -> None:
    """Revoke what ALTER DEFAULT PRIVILEGES gave on the new schema, or on a new table of it.

    For the transaction that created it: a journal to which others may write is refused.
    """
    for row in rows(connection, _REVOKE_DEFAULT_PRIVILEGES, {"place": schema, "own": own}):
        run_sql(connection, row["statement"])
