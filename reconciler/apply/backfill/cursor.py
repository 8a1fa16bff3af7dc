"""Keep the position of a backfill in the journal's schema, for a run after an interruption.

Correctness does not depend on the position: without it, a backfill scans filled rows again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from reconciler.apply.backfill.parts import Part
from reconciler.errors import StatementFailed
from reconciler.journal.tables import create_table, revoke_default_privileges
from reconciler.model.reserved_names import BACKFILL_TABLE
from reconciler.model.statement import Fill
from reconciler.server.connection import Connection, rows, run_sql, translated
from reconciler.sql import name, text

UNWRITABLE = {"42501", "25006", "3F000"}  # no privilege, read-only, no such schema
NEEDED = " AND ".join(
    f"has_table_privilege(%(there)s, '{p}')" for p in ("SELECT", "INSERT", "UPDATE", "DELETE")
)


@dataclass(frozen=True)
class Cursor:
    """The position of a backfill, as a row of a table in the journal's schema."""

    connection: Connection
    table: str
    relation: str
    column: str
    digest: str

    def place(self, parts: Sequence[Part]) -> tuple[int, tuple[str, ...] | None]:
        """Return the part's number and the key to continue after; (0, None) if unknown."""
        found = rows(
            self.connection,
            f"SELECT part, key, place FROM {self.table} WHERE {self._own()}",
            self._keys(),
        )
        for number, part in enumerate(parts):
            if found and (part.relation, [*part.key.columns]) == (
                found[0]["part"],
                found[0]["key"],
            ):
                return number, tuple(found[0]["place"])
        return 0, None

    def move(self, part: Part, place: Sequence[str]) -> tuple[str, dict[str, object]]:
        """Return the query, with its parameters, that stores the position."""
        return (
            f"""INSERT INTO {self.table} AS b (relation, column_name, digest, part, key, place)
                VALUES (%(relation)s, %(column_name)s, %(digest)s, %(part)s,
                        %(key)s::text[], %(place)s::text[])
                ON CONFLICT (relation, column_name, digest)
                DO UPDATE SET (part, key, place, moved_at)
                    = (EXCLUDED.part, EXCLUDED.key, EXCLUDED.place, clock_timestamp())""",
            {**self._keys(), "part": part.relation, "key": [*part.key.columns], "place": [*place]},
        )

    def forget(self) -> None:
        """Delete the position of a finished backfill."""
        rows(self.connection, f"DELETE FROM {self.table} WHERE {self._own()}", self._keys())

    def _own(self) -> str:
        return "(relation, column_name, digest) = (%(relation)s, %(column_name)s, %(digest)s)"

    def _keys(self) -> dict[str, object]:
        return {"relation": self.relation, "column_name": self.column, "digest": self.digest}


def cursor_of(connection: Connection, spec: Fill, schema: str | None) -> Cursor | None:
    """Open the cursor of a backfill, creating the table; None if the role may not write."""
    if schema is None:
        return None
    table = text(name(schema, BACKFILL_TABLE))
    content = f"{spec.value}\n{'sweep' if spec.sweep else ''}"
    cursor = Cursor(
        connection, table, spec.relation, spec.column, sha256(content.encode()).hexdigest()[:16]
    )
    try:
        with translated(), connection.transaction():
            if not rows(connection, "SELECT to_regclass(%s) AS there", [table])[0]["there"]:
                run_sql(connection, create_table(schema, BACKFILL_TABLE))
                revoke_default_privileges(connection, schema, BACKFILL_TABLE)
            may = rows(connection, f"SELECT {NEEDED} AS it", {"there": table})[0]["it"]
    except StatementFailed as e:
        if e.sqlstate not in UNWRITABLE:
            raise
        return None
    return cursor if may else None
