"""Run statements of a backfill as the owner of a table, so that the owner's code cannot leave it.

An UPDATE runs triggers, generated columns and functions of the owner. Under SET ROLE they could
RESET ROLE. Even in a SECURITY DEFINER function they could leave something behind that runs later
with the rights of the session: before 18, deferred triggers fire at COMMIT as the session's role,
and so do cursors WITH HOLD; settings and temporary tables remain. PostgreSQL's own protection from
the owner's code is the security-restricted operation, in which a materialized view is refreshed: as
its owner, without SET ROLE, deferred triggers, temporary tables and cursors, and with all settings
restored at the end. So a function with the statement, and a materialized view of its rows, are
created, given to the owner, refreshed, read and dropped: all in one block of one transaction.
https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
"""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

from reconciler.errors import StatementFailed
from reconciler.model.reserved_names import AS_OWNER_PREFIX, SETTING_PREFIX
from reconciler.model.statement import Fill
from reconciler.server.connection import Connection, Row, rows, translated
from reconciler.sql import compose, literal, name, text

INSUFFICIENT_PRIVILEGE = "42501"
ROWS = f"{SETTING_PREFIX}rows"  # the setting, local to the transaction, with the rows as JSON
OWNER = """
    SELECT n.nspname::text AS schema, c.relname::text AS name,
           pg_catalog.pg_get_userbyid(c.relowner)::text AS owner, current_user::text AS role,
           pg_catalog.pg_get_userbyid(c.relowner) IN (current_user, session_user)
           AND current_user = session_user AS own,
           pg_catalog.current_setting('search_path') AS path
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass(%s)"""
# PostgreSQL 17 and later refresh a materialized view on a search_path of their own.
_FUNCTION = """DECLARE line record;
BEGIN
  PERFORM pg_catalog.set_config('search_path', {}, true);
  FOR line IN EXECUTE {} LOOP
    RETURN NEXT pg_catalog.to_jsonb(line);
  END LOOP;
END"""
# The owner's code may rename the view while it is refreshed: what is read is checked by its oid.
_BLOCK = """DECLARE made oid;
BEGIN
  CREATE FUNCTION {view}() RETURNS SETOF pg_catalog.jsonb LANGUAGE plpgsql AS {function};
  CREATE MATERIALIZED VIEW {view} AS SELECT f.line FROM {view}() AS f(line) WITH NO DATA;
  made := {literal}::pg_catalog.regclass;
  ALTER FUNCTION {view}() OWNER TO {owner};
  ALTER MATERIALIZED VIEW {view} OWNER TO {owner};
  SET CONSTRAINTS ALL IMMEDIATE;
  SET LOCAL row_security = off;
  REFRESH MATERIALIZED VIEW {view};
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c
                 WHERE c.oid = made AND c.oid = pg_catalog.to_regclass({literal})
                       AND c.relkind = 'm') THEN
    RAISE EXCEPTION 'the rows of the statement were replaced while it ran';
  END IF;
  PERFORM pg_catalog.set_config({setting},
      (SELECT coalesce(pg_catalog.jsonb_agg(v.line), '[]')::text FROM {view} AS v), true);
  DROP MATERIALIZED VIEW {view};
  DROP FUNCTION {view}();
END"""


@dataclass(frozen=True)
class Owner:
    """The owner of a table, for statements that run the table's code.

    `role` is the role that applies the plan. If both are `own`, statements run as they stand.
    `path` is the search_path of the session.
    """

    connection: Connection
    schema: str
    table: str
    name: str
    role: str
    own: bool
    path: str

    def rows(self, query: str) -> list[Row]:
        """Run a query as the owner, and return rows of JSON's data types.

        Needs an open transaction. Raises StatementFailed.
        """
        return self.result([rows(self.connection, command) for command in self.commands(query)][-1])

    def commands(self, query: str) -> list[str]:
        """Return the commands, for one transaction, that run a query as the owner."""
        if self.own:
            return [query]
        read = f"SELECT pg_catalog.current_setting('{ROWS}')::pg_catalog.jsonb AS found"
        return [f"DO {text(literal(self._block(query)))}", read]

    def result(self, last: list[Row]) -> list[Row]:
        """Return the rows of the query from those of the last command."""
        return last if self.own else last[0]["found"]

    def _block(self, query: str) -> str:
        view = name(self.schema, AS_OWNER_PREFIX + token_hex(6))
        return text(
            compose(
                _BLOCK,
                view=view,
                literal=literal(text(view)),
                function=literal(text(compose(_FUNCTION, literal(self.path), literal(query)))),
                owner=self.name,
                setting=literal(ROWS),
            )
        )


def table_owner(connection: Connection, relation: str) -> Owner | None:
    """Return the owner of a table, given as SQL; None if the table does not exist."""
    found = rows(connection, OWNER, [relation])
    if not found:
        return None
    row = found[0]
    return Owner(
        connection, row["schema"], row["name"], row["owner"], row["role"], row["own"], row["path"]
    )


def assert_owner_can_fill(connection: Connection, spec: Fill) -> None:
    """Raise StatementFailed if the owner may not run the backfill, or would not see every row.

    Only privileges are judged: columns and functions may be created by earlier steps. What is
    created is rolled back.
    """
    owner = table_owner(connection, spec.relation)
    if owner is None or owner.own:
        return
    alias = text(name(owner.table))
    query = f"EXPLAIN SELECT ({spec.value or 1}) FROM {spec.relation} AS {alias} FOR NO KEY UPDATE"
    try:
        with translated(), connection.transaction(force_rollback=True):
            owner.rows(query)
    except StatementFailed as e:
        if e.sqlstate == INSUFFICIENT_PRIVILEGE:
            raise StatementFailed(
                f"it runs as {owner.name}, the owner of {spec.relation}, so that code of "
                f"{owner.name} cannot use the rights of {owner.role}: {e.message}",
                sqlstate=e.sqlstate,
                hint=_hint(owner, e.message),
            ) from e


def _hint(owner: Owner, message: str) -> str:
    if "row-level security" in message:
        return f"ALTER ROLE {text(name(owner.name))} BYPASSRLS, or NO FORCE ROW LEVEL SECURITY"
    return (
        f"grant {owner.name} what is missing (a role that is no superuser also needs CREATE on "
        f"schema {owner.schema}, and membership in {owner.name}), or apply as {owner.name}"
    )
