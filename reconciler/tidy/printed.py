"""Let PostgreSQL print SQL, as part of a view, to see whether two spellings mean the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from psycopg import Rollback, sql

from reconciler.errors import StatementFailed
from reconciler.model.clauses import INDEX_KEY, QUERY, Fragment
from reconciler.model.declared import RowExpressions
from reconciler.model.object import Object
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.server.syntax import syntax_errors
from reconciler.sql import compose, literal, name, raw, text

Key = TypeVar("Key")
DEFINITION = "SELECT pg_get_viewdef('pg_temp.reconcile_probe'::regclass) AS query"
_PRINTED = re.compile(r'\s*SELECT (.*) AS "reconcile value"\s+FROM .*', re.DOTALL)
_VALUE = "value"  # by this name, a condition of a domain names the value


@dataclass(frozen=True)
class Text:
    """SQL of an object: a clause over a row, or a query.

    The key of an index is an expression and what follows it, such as DESC.
    """

    owner: Object
    fragment: Fragment

    @property
    def sql(self) -> str:
        """The expression or query."""
        return self._divided[0]

    def whole(self, spelling: str) -> str:
        """Return the text with another spelling of the expression."""
        return spelling + self._divided[1]

    def found_in(self, view: str) -> str | None:
        """Return the SQL within the definition of the view."""
        if self.fragment.clause is QUERY:
            return view.strip(" ;")
        match = _PRINTED.fullmatch(view)
        return match[1] if match else None

    @cached_property
    def _divided(self) -> tuple[str, str]:
        sql = self.fragment.text
        end = sql.rfind(")") + 1 if self.fragment.clause is INDEX_KEY else len(sql)
        return sql[:end], sql[end:]

    def views(self, spelling: str) -> list[sql.Composable]:
        """Return commands to create a view with the SQL in a spelling."""
        if self.fragment.clause is QUERY:
            return [compose("CREATE TEMP VIEW reconcile_probe AS {}", raw(spelling))]
        value = compose("({})", raw(spelling))
        if isinstance(self.owner, RowExpressions) and self.owner.value_type:
            value = compose("CAST({} AS {})", value, raw(self.owner.value_type))
        create = 'CREATE TEMP VIEW reconcile_probe AS SELECT {} AS "reconcile value" FROM {}'
        return [compose(create, value, row) for row in self._rows()]

    def _rows(self) -> list[sql.Composable]:
        """Return the FROM clause: the table, two rows of a trigger, or a value of a domain."""
        on = self.owner.ref.on
        if on is not None:
            table = name(on.schema, on.name)
            return [table, compose("{} AS new, {} AS old", table, table)]
        type_name = self.owner.sql_name()
        return [compose("(SELECT CAST(NULL AS {}) AS {}) AS x", type_name, _VALUE)]


@dataclass
class Printer:
    """PostgreSQL on a scratch server, with the printed form of each text."""

    connection: Connection
    original: dict[object, tuple[int, str]] = field(default_factory=dict[object, tuple[int, str]])

    def can_print(self, key: object, shown: Text) -> bool:
        """Tell whether a text can be part of a view, and remember the printed form."""
        for number in range(len(shown.views(""))):
            printed = self._printed(shown, number, shown.sql)
            if printed is not None:
                self.original[key] = number, printed
                return True
        return False

    def same(self, texts: Mapping[Key, Text], spellings: Mapping[Key, str]) -> dict[Key, bool]:
        """Tell for spellings whether each is one clause, printed as the original text."""
        probes = [
            (key, statement)
            for key, spelling in spellings.items()
            for statement in texts[key].fragment.clause.statements(texts[key].whole(spelling))
        ]
        faults = syntax_errors(self.connection, [statement for _, statement in probes])
        faulty = {probes[number][0] for number in faults}
        return {
            key: key not in faulty and self._is_same(key, texts[key], spelling)
            for key, spelling in spellings.items()
        }

    def _is_same(self, key: object, shown: Text, spelling: str) -> bool:
        """Tell whether a spelling is printed as the text, or as the text is when read again.

        Both are not the same for some lists: PostgreSQL prints casts elsewhere than it has read.
        """
        number, printed = self.original[key]
        return self._printed(shown, number, spelling) in (printed, shown.sql)

    def _printed(self, shown: Text, number: int, spelling: str) -> str | None:
        """Return the SQL as printed by PostgreSQL in a view; None for a refused view."""
        printed = None
        try:
            with self.connection.transaction():
                path = literal(text(name(shown.owner.ref.schema)))
                run_sql(self.connection, text(compose("SET LOCAL search_path TO {}", path)))
                run_sql(self.connection, text(shown.views(spelling)[number]))
                run_sql(self.connection, "SET LOCAL search_path TO ''")
                printed = rows(self.connection, DEFINITION)[0]["query"]
                raise Rollback
        except StatementFailed:
            return None
        return shown.found_in(printed)
