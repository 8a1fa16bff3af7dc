"""Tell which database a URL names, to find targets of the same one."""

from __future__ import annotations

from psycopg import pq

from reconciler.server.redaction import parsed


def database_of(url: str) -> str:
    """Return the server and the database of a URL, with libpq's defaults, without credentials."""
    defaults = {o.keyword.decode(): o.val.decode() for o in pq.Conninfo.get_defaults() if o.val}
    options = {**defaults, **(parsed(url) or {})}
    server = options.get("hostaddr") or options.get("host", "")
    database = options.get("dbname") or options.get("user", "")
    return " ".join((options.get("service", ""), server.lower(), options.get("port", ""), database))
