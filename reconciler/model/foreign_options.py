"""OPTIONS of foreign data: https://www.postgresql.org/docs/current/sql-createserver.html

What holds a secret is neither read nor written nor compared: it stays as somebody set it on the server.
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
    """SQL for the options that are no secrets; `options` is a column of `name=value`."""
    listed = ", ".join(f"'{s}'" for s in SECRETS)
    return f"ARRAY(SELECT o FROM unnest({options}) AS o WHERE lower(split_part(o, '=', 1)) NOT IN ({listed}))"


def parse_options(options: Iterable[str] | None) -> dict[str, str]:
    """Options as the catalog holds them."""
    return dict(o.split("=", 1) for o in options or ())


def reject_secrets(options: Mapping[str, str]) -> dict[str, str]:
    """The options themselves; raises ValueError for a secret, which has no place in a file."""
    for option in options:
        if option.lower() in SECRETS:
            raise ValueError(
                f"options.{option}: secrets are not declared, they stay as ALTER … OPTIONS set them on the server"
            )
    return dict(options)


def options_clause(options: Mapping[str, str]) -> sql.Composable:
    """` OPTIONS (…)`, or nothing."""
    return (
        compose(
            " OPTIONS ({})", joined(compose("{} {}", k, literal(v)) for k, v in options.items())
        )
        if options
        else raw("")
    )


def options_change(old: Mapping[str, str], new: Mapping[str, str]) -> sql.Composable | None:
    """The `OPTIONS (…)` of an ALTER that leads from the one to the other, None where they are equal."""
    words = [compose("DROP {}", k) for k in old if k not in new]
    words += [
        compose("{} {} {}", raw("SET" if k in old else "ADD"), k, literal(v))
        for k, v in new.items()
        if old.get(k) != v
    ]
    return compose("OPTIONS ({})", joined(words)) if words else None
