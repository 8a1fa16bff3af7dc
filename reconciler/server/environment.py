"""Keep the variables of libpq, which speak of the user's server, from servers of our own.

https://www.postgresql.org/docs/current/libpq-envars.html
"""

from __future__ import annotations

from psycopg import conninfo, pq

_ANY = {"require_auth": "password,md5,scram-sha-256,none"}  # empty would be no method
# Limits of time, and numbers, which libpq does not read if they are empty; the service's name,
# whose values are replaced.
_MAY_STAY = ("connect_timeout", "keepalives", "tcp_user_timeout", "service")


def without_environment(own: str) -> str:
    """Return the connection string with a value for each parameter that the environment sets.

    Variables such as PGPORT, and the service that PGSERVICE names, count where a connection string
    sets nothing.
    """
    given = conninfo.conninfo_to_dict(own)
    options = {o.keyword.decode(): o for o in pq.Conninfo.get_defaults()}
    values = {
        keyword: _ANY.get(keyword, (option.compiled or b"").decode())
        for keyword, option in options.items()
        if option.val != option.compiled
        if keyword not in given and not keyword.startswith(_MAY_STAY)
    }
    return conninfo.make_conninfo(own, **values)
