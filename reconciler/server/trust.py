"""Keep the environment's credentials from servers named by reconcile.yml.

reconcile.yml may come out of a pull request. libpq would send to any server the password of
PGPASSWORD or of a password file, and show a client certificate or a Kerberos ticket:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping

from psycopg import conninfo, pq

from reconciler.errors import SettingsError
from reconciler.server.redaction import EXPECTED, parsed

TRUSTED_HOSTS = "RECONCILE_TRUSTED_HOSTS"
_NOWHERE = "/dev/null/none"  # below a file: libpq finds nothing there, and does not complain
_WITHHELD = {
    "password": "",  # set, so that libpq does not read PGPASSWORD
    "options": "",  # the same for PGOPTIONS
    "passfile": _NOWHERE,
    "sslcert": _NOWHERE,
    "sslkey": _NOWHERE,
    "gssencmode": "disable",
    "gssdelegation": "0",
    "require_auth": "!gss,!sspi",
}
_FROM_FILE = ("password", "options")  # as reconcile.yml writes them
_ACCEPTED = {  # other parameters name files of this machine, identities, or weaker security
    *("host", "hostaddr", "port", "dbname", "user", "password", "options", "application_name"),
    *("connect_timeout", "tcp_user_timeout", "target_session_attrs", "load_balance_hosts"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    *("sslmode", "channel_binding"),
}
_STRENGTHS = {  # from weak to strong; and the variable that libpq reads
    "sslmode": ("PGSSLMODE", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]),
    "channel_binding": ("PGCHANNELBINDING", ["disable", "prefer", "require"]),
}
_DEFAULT_STRENGTH = "prefer"


def trusted_hosts() -> frozenset[str]:
    """Return the hosts, or `host:port`, in RECONCILE_TRUSTED_HOSTS."""
    hosts = os.environ.get(TRUSTED_HOSTS, "").split(",")
    return frozenset(h.strip().lower() for h in hosts if h.strip())


def without_credentials(url: str, title: str) -> str:
    """Return a connection string of reconcile.yml, without the environment's credentials.

    A URL without a host, and one whose hosts are all trusted, keep the credentials. No URL lowers
    the sslmode or channel_binding that libpq would use by itself. Raises SettingsError.
    """
    options = parsed(url)
    if options is None:
        raise SettingsError(f"{title}: not a connection string; {EXPECTED}")
    if refused := sorted(options.keys() - _ACCEPTED):
        raise SettingsError(
            f"{title}: reconcile.yml may not set {', '.join(refused)}: put the whole URL into an"
            " environment variable, and write ${NAME_URL} here"
        )
    changes: dict[str, str] = {n: _strongest(n, options[n]) for n in _STRENGTHS if n in options}
    if not _is_trusted(options, trusted_hosts()):
        if "PGSERVICE" in os.environ:
            raise SettingsError(
                f"{title}: PGSERVICE would add its parameters to a server that reconcile.yml"
                f" names: unset it, or name the host in {TRUSTED_HOSTS}"
            )
        known = {o.keyword.decode() for o in pq.Conninfo.get_defaults()}  # of this libpq
        withheld = {n: v for n, v in _WITHHELD.items() if n in known}
        changes |= withheld | {n: options[n] for n in _FROM_FILE if n in options}
    return conninfo.make_conninfo("", **{**options, **changes})


def withheld_hint(target: str) -> str:
    """Return a sentence for a failed connection without the environment's credentials."""
    options = parsed(target) or {}
    if options.get("passfile") != _NOWHERE or options.get("password"):
        return ""
    return (
        "\nreconcile.yml names this server, so no password, certificate or ticket of the"
        f" environment was sent: {TRUSTED_HOSTS}=HOST allows it, as does a ${{NAME_URL}} as the"
        " target's url"
    )


def _strongest(parameter: str, value: str) -> str:
    variable, strengths = _STRENGTHS[parameter]
    without_file = os.environ.get(variable, _DEFAULT_STRENGTH)
    known = [v for v in (value, without_file) if v in strengths]
    return max(known, key=strengths.index) if len(known) > 1 else value


def _is_trusted(options: Mapping[str, str], trusted: Collection[str]) -> bool:
    """Tell whether libpq can reach only trusted hosts, or the hosts of the environment."""
    return all(
        host.lower() in trusted or _with_port(host.lower(), port) in trusted
        for host, port in _servers(options)
    )


def _servers(options: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each name and each address with each port."""
    ports = (options.get("port") or os.environ.get("PGPORT") or "5432").split(",")
    for parameter in ("host", "hostaddr"):
        hosts = options[parameter].split(",") if parameter in options else []
        yield from ((host, port) for host in hosts for port in ports)


def _with_port(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
