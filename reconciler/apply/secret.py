"""Read the secrets that only the environment holds, and turn passwords into verifiers."""

from __future__ import annotations

import os
import re

from reconciler.model.statement import Held
from reconciler.server.connection import Connection
from reconciler.server.redaction import parsed

# https://www.postgresql.org/docs/current/catalog-pg-authid.html
_VERIFIER = re.compile(
    r"SCRAM-SHA-256\$[1-9][0-9]{0,9}:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+"
)
_MD5 = re.compile(r"md5[0-9a-fA-F]{32}")
MAX_PASSWORD = 1000  # bytes; libpq takes no longer ones when it connects


def unusable(variable: str, holds: Held) -> str:
    """Return why the value of an environment variable cannot be sent, or ""."""
    value = os.environ.get(variable, "")
    if not value:
        return f"the environment variable {variable} is not set: it holds a {holds}"
    if holds == "password":
        return _unusable_password(variable, value)
    if parsed(value) is None:  # what libpq cannot read, PostgreSQL would print
        return (
            f"the environment variable {variable} holds no connection string that libpq can read:"
            " host=… dbname=… user=… password=…, or postgresql://…"
        )
    return ""


def _unusable_password(variable: str, value: str) -> str:
    if _MD5.fullmatch(value):
        return (
            f"the environment variable {variable} holds an MD5 hash: put the password there, or a"
            " SCRAM-SHA-256 verifier"
        )
    if len(os.fsencode(value)) > MAX_PASSWORD:
        return f"the environment variable {variable} holds more than {MAX_PASSWORD} bytes"
    return ""


def sent_value(connection: Connection, variable: str, holds: Held) -> str:
    """Return what is sent for an environment variable: of a password its verifier, by libpq.

    The name of the role is no part of a SCRAM verifier.
    """
    value = os.environ[variable]
    if holds != "password" or _VERIFIER.fullmatch(value):
        return value
    verifier = connection.pgconn.encrypt_password(os.fsencode(value), b"", b"scram-sha-256")
    return verifier.decode()
