"""Choose the user that runs the checks: never one that could act outside the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

from psycopg import conninfo

from reconciler.checks.model import Assertion, Check
from reconciler.errors import SettingsError
from reconciler.server.connection import Connection, connect_to_read, redacted, rows
from reconciler.server.embedded import ordinary_user, server_at
from reconciler.server.roles import ordinary_roles, own_power
from reconciler.sql import compose, joined, text

FLAG, VARIABLE = "--verify-target", "RECONCILE_VERIFY_URL"
USER = "reconcile_verify"  # a suggestion

_SAME = """
    SELECT current_database()::text AS name, (
        SELECT s.system_identifier FROM pg_catalog.pg_control_system() AS s) AS server"""


def url_for_checks(target: str, verify_url: str | None, checks: Collection[Check]) -> str:
    """Return the URL of an ordinary user: `verify_url`, the target's, or one of our own server.

    Raises SettingsError, with the statements that make such a user, if there is none.
    """
    if verify_url:
        return _url_of_verifier(target, verify_url, checks)
    with connect_to_read(target) as connection:
        power = own_power(connection)
        if not power:
            return target
        server = server_at(target)
        if server is None:
            raise SettingsError(_refusal(connection, power, checks))
    own = ordinary_user(server, target)
    with connect_to_read(own) as connection:
        if power := own_power(connection):
            raise SettingsError(_refusal(connection, power, checks))
    return own


def _url_of_verifier(target: str, verify_url: str, checks: Collection[Check]) -> str:
    if "://" not in verify_url and "=" not in verify_url:
        raise SettingsError(
            f"{FLAG} (or {VARIABLE}) takes a URL: a name would be looked up in"
            " reconcile.yml, which belongs to the declaration"
        )
    with connect_to_read(verify_url) as connection, connect_to_read(target) as other:
        if power := own_power(connection):
            raise SettingsError(_refusal(connection, power, checks))
        if rows(connection, _SAME) != rows(other, _SAME):
            raise SettingsError(
                f"{FLAG} (or {VARIABLE}) leads to another database than the target:"
                f" {redacted(verify_url)}"
            )
    return verify_url


def _refusal(connection: Connection, power: str, checks: Collection[Check]) -> str:
    """Explain how to make an ordinary user, and how to use it."""
    info = connection.info
    url = conninfo.make_conninfo(host=info.host, port=info.port, dbname=info.dbname, user=USER)
    assertions = list(chain.from_iterable(c.assertions for c in checks))
    steps = "\n".join(f"  {s}" for s in _statements(connection, assertions))
    return f"""\
checks would run as {power}, with which a check can act outside the database.
Run as an administrator (without BYPASSRLS, row level security hides rows from the checks):
{steps}
Set a password (\\password {USER}) or another way to log in, and name the user:
  {VARIABLE}="{url}" reconcile verify"""


def _statements(connection: Connection, assertions: Collection[Assertion]) -> Iterator[str]:
    database = text(compose("{}", connection.info.dbname))
    yield f"CREATE ROLE {USER} LOGIN BYPASSRLS;"
    yield f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {USER};"
    yield f"GRANT pg_read_all_data TO {USER};"
    named = {actor.role for a in assertions for actor in a.actors() if actor.role}
    if roles := named.intersection(ordinary_roles(connection)):
        yield f"GRANT {text(joined(sorted(roles)))} TO {USER};"
    writing = [a for a in assertions if a.asserts in {"fails_with", "affects"}]
    if any(not (a.actor and a.actor.role) for a in writing):
        yield f"GRANT pg_write_all_data TO {USER};  -- for checks that write without a role"
