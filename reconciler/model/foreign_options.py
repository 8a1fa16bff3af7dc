"""OPTIONS of foreign data: https://www.postgresql.org/docs/current/sql-createserver.html

Options that hold secrets are neither read nor written nor compared: they stay as they were set on
the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

from reconciler.sql import compose, joined, literal, raw

SECRETS = (
    "password",
    "passwd",
    "sslpassword",
    "secret",
    "secret_key",
    "secret_access_key",
    "token",
)


def non_secret_options(options: str) -> str:
    """Return SQL for the options without secrets; `options` is a column of `name=value`."""
    secrets = ", ".join(f"'{s}'" for s in SECRETS)
    return (
        f"ARRAY(SELECT o FROM unnest({options}) AS o"
        f" WHERE lower(split_part(o, '=', 1)) NOT IN ({secrets}))"
    )


def parse_options(options: Iterable[str] | None) -> dict[str, str]:
    """Parse the catalog's list of `name=value`."""
    return dict(o.split("=", 1) for o in options or ())


def reject_secrets(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options; raise ValueError for a secret, to be kept out of files."""
    for option in options:
        if option.lower() in SECRETS:
            raise ValueError(
                f"options.{option}: secrets are not declared, they stay as ALTER … OPTIONS set them"
                " on the server"
            )
    return dict(options)


def options_clause(options: Mapping[str, str]) -> sql.Composable:
    """Return ` OPTIONS (…)` of a CREATE command, or an empty text if no options are set."""
    if not options:
        return raw("")
    return compose(
        " OPTIONS ({})", joined(compose("{} {}", k, literal(v)) for k, v in options.items())
    )


def options_change(old: Mapping[str, str], new: Mapping[str, str]) -> sql.Composable | None:
    """Return `OPTIONS (…)` for an ALTER command from `old` to `new`; None if equal."""
    actions = [compose("DROP {}", k) for k in old if k not in new]
    changed = {k: v for k, v in new.items() if old.get(k) != v}
    actions += [
        compose("{} {} {}", raw("SET" if k in old else "ADD"), k, literal(v))
        for k, v in changed.items()
    ]
    return compose("OPTIONS ({})", joined(actions)) if actions else None
