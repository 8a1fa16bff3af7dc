"""Stand in for the base types of a target on a scratch server.

The functions of a base type are native code, which does not run on scratch: a stand-in stores text.
Columns, attributes and arguments of the type have the same name there, and values stay as written.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from reconciler.server.connection import Connection, rows, run_sql
from reconciler.server.elevation import administrator_of
from reconciler.sql import compose, literal, name, raw, text

SCHEMA = "pg_reconcile"  # outside all that is read and compared
_EXISTS = """
    SELECT t.oid FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
    WHERE n.nspname = %s AND t.typname = %s"""
_STORAGE = {"p": "plain", "x": "extended", "e": "external", "m": "main"}


class BaseType(NamedTuple):
    """A base type of a target: what of it shows in other objects, as pg_type has it, in text."""

    schema: str
    name: str
    storage: str
    is_collatable: str
    category: str
    is_preferred: str
    delimiter: str

    def commands(self, owner: str) -> list[str]:
        """Return the commands of a superuser that create the stand-in."""
        digest = sha256(f"{self.schema}.{self.name}".encode()).hexdigest()[:16]
        own, read, write = (
            name(*parts)
            for parts in (self[:2], (SCHEMA, f"in_{digest}"), (SCHEMA, f"out_{digest}"))
        )
        internal = raw("LANGUAGE internal IMMUTABLE STRICT AS")
        commands = (
            compose("CREATE TYPE {}", own),
            compose("CREATE FUNCTION {}(cstring) RETURNS {} {} 'textin'", read, own, internal),
            compose("CREATE FUNCTION {}({}) RETURNS cstring {} 'textout'", write, own, internal),
            compose(
                "CREATE TYPE {} (INPUT = {}, OUTPUT = {}, STORAGE = {}, COLLATABLE = {},"
                " CATEGORY = {}, PREFERRED = {}, DELIMITER = {})",
                own,
                read,
                write,
                raw(_STORAGE[self.storage]),
                literal(self.is_collatable),
                literal(self.category),
                literal(self.is_preferred),
                literal(self.delimiter),
            ),
            compose("ALTER TYPE {} OWNER TO {}", own, owner),
        )
        return [text(command) for command in commands]


def imitate_base_type(builder: Connection, found: BaseType) -> None:
    """Create a stand-in for a base type, unless it is there; raises StatementFailed.

    Only on a server that reconcile has started is there a superuser who may.
    """
    administrator = administrator_of(builder)
    if administrator is None or rows(builder, _EXISTS, [*found[:2]]):
        return
    with administrator.transaction():
        for command in found.commands(builder.info.user):
            run_sql(administrator, command)
