"""Read targets from a control database by a query.

The query stands in reconcile.yml, which may come out of a pull request. So only
RECONCILE_CONTROL_URL names the database, and an ordinary role runs the query, in a read-only
transaction of limited time.
"""

from __future__ import annotations

import os

from reconciler.errors import SettingsError, StatementFailed
from reconciler.inventory.inventory import Entry
from reconciler.inventory.row import MAX_ROWS, rows_of_json
from reconciler.server.connection import Connection, connect_to_read, rows, run_sql
from reconciler.server.deadline import Guarded
from reconciler.server.redaction import redacted
from reconciler.server.roles import own_power
from reconciler.server.short_read import short_read
from reconciler.sql import compose, raw, text

VARIABLE = "RECONCILE_CONTROL_URL"
SECONDS = 10.0
MAX_ROW = 20_000  # characters
_CURSOR = "reconcile_inventory"
_DECLARE = """
    DECLARE reconcile_inventory NO SCROLL CURSOR FOR
    SELECT CASE WHEN pg_catalog.length(j.found) <= {} THEN j.found END AS found
    FROM (SELECT pg_catalog.json_strip_nulls(pg_catalog.row_to_json(r))::text AS found
          FROM ({}
          ) AS r) AS j"""


def answered(query: str, base: str | None) -> list[tuple[str, Entry]]:
    """Run the query; raises SettingsError and ConnectionFailed."""
    url = os.environ.get(VARIABLE)
    if not url:
        raise SettingsError(f"inventory.query: {VARIABLE} names no database to ask")
    source = f"inventory.query on {redacted(url)}"
    try:
        found = Guarded[list[str | None]](lambda own: _ask(own, url, query)).within(SECONDS * 2)
    except TimeoutError:
        raise SettingsError(f"{source}: no answer after {SECONDS * 2:.0f} s") from None
    except StatementFailed as error:
        raise SettingsError(f"{source}: {error}") from None
    if None in found:
        raise SettingsError(f"{source}: a row is longer than {MAX_ROW:,} characters")
    return rows_of_json(f"[{','.join(filter(None, found))}]".encode(), source, base)


def _ask(own: Guarded[list[str | None]], url: str, query: str) -> list[str | None]:
    with connect_to_read(url) as connection:
        own.connection = connection
        if power := own_power(connection):
            raise SettingsError(
                f"{VARIABLE} connects as {power}: the query stands in reconcile.yml, so an ordinary"
                " role must run it, with SELECT on the tables that it reads"
            )
        return _first_rows(connection, query)


def _first_rows(connection: Connection, query: str) -> list[str | None]:
    """Return the rows as JSON, at most one more than allowed, None for a row above the limit.

    A cursor takes only queries that write nothing.
    """
    inner = raw(query.strip().rstrip(";"))
    with short_read(connection, SECONDS):
        run_sql(connection, text(compose(_DECLARE, raw(str(MAX_ROW)), inner)))
        return [row["found"] for row in rows(connection, f"FETCH {MAX_ROWS + 1} FROM {_CURSOR}")]
