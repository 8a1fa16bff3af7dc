"""Show connection strings without secrets.

libpq's messages quote parts of a string that libpq cannot read, and libpq reads
`postgresql://u:p@ss@h/d` as the host `ss@h`. So a string is shown only by its host, port, database
and user, and only if these look like such.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg
from psycopg import pq

NO_TARGET = "the server that libpq's PG* variables name"
NOT_SHOWN = "the target (not shown: it may hold a password where libpq expects none)"
EXPECTED = (
    "a target is postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for @, %2F for /, %25 for"
    " % and so on in each part, or host=… dbname=… user=… with single quotes around values that"
    " hold blanks"
)

MIN_HIDDEN = 4  # characters: libpq prints no password, and *** for a letter would tell the letter

_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%\w+)?|[/@][\w./ -]*|")
_SHOWN = {
    "host": _HOST,
    "hostaddr": _HOST,
    "port": re.compile(r"\d*"),
    "dbname": re.compile(r"[\w.$-]*"),
    "user": re.compile(r"[\w.$@-]*"),
}
_LISTS = ("host", "hostaddr", "port")  # libpq tries each of the comma-separated values


def is_url(target: str) -> bool:
    """Tell whether a target is written as a URL or keyword string, and not by its name."""
    return "=" in target or "://" in target


def parsed(target: str) -> Mapping[str, str] | None:
    """Parse a URL or keyword string with libpq; None where libpq cannot read the target."""
    try:
        options = pq.Conninfo.parse(target.encode())
        return {o.keyword.decode(): o.val.decode() for o in options if o.val is not None}
    except (psycopg.Error, UnicodeError):
        return None


def redacted(target: str) -> str:
    """Describe a target by host, port, database and user."""
    if not target:
        return NO_TARGET
    options = parsed(target)
    if options is None or not _is_plausible(options):
        return NOT_SHOWN
    hosts = options.get("host") or options.get("hostaddr", "")
    if "service" in options or hosts.startswith(("/", "@")):
        names = ("host", "hostaddr", "port", "dbname", "user")
        shown = [f"{n}={options[n]}" for n in names if options.get(n)]
        return " ".join(shown) or "the server of a service file"
    return _url(options, hosts)


def _url(options: Mapping[str, str], hosts: str) -> str:
    ports = options.get("port", "").split(",")
    several = hosts.split(",")
    ports = ports * len(several) if len(ports) == 1 else ports
    pairs = zip(several, [*ports, *[""] * len(several)], strict=False)
    servers = [(f"[{h}]" if ":" in h else h) + (f":{p}" if p else "") for h, p in pairs]
    user = f"{options['user']}@" if options.get("user") else ""
    database = f"/{options['dbname']}" if options.get("dbname") else ""
    return f"postgresql://{user}{','.join(servers)}{database}"


def _is_plausible(options: Mapping[str, str]) -> bool:
    """Tell whether no part looks like a piece of a password."""
    return all(
        pattern.fullmatch(value)
        for name, pattern in _SHOWN.items()
        for value in _values(options.get(name, ""), is_list=name in _LISTS)
    )


def _values(text: str, *, is_list: bool) -> list[str]:
    return text.split(",") if is_list else [text]


def hide(message: str, target: str) -> str:
    """Return a message of libpq about a target without the target's secrets."""
    options = parsed(target)
    if options is None or not _is_plausible(options):
        return "libpq's message is not shown either"
    secret = [o.keyword.decode() for o in pq.Conninfo.get_defaults() if o.dispchar == b"*"]
    for name in (*secret, "scram_client_key", "scram_server_key"):
        value = options.get(name, "")
        if len(value) >= MIN_HIDDEN:
            message = message.replace(value, "***")
    return message
