"""Security labels: https://www.postgresql.org/docs/current/sql-security-label.html

A server accepts labels only if the provider is loaded, the scratch server included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field

from reconciler.errors import StatementFailed
from reconciler.model.access import DecidesAccess
from reconciler.model.catalog_sql import LABEL_OID, NOT_MANAGED, address
from reconciler.model.clauses import LABELLED, Fragment
from reconciler.model.declared import NamedByTypes, RequiresFiles
from reconciler.model.object import Object, PlanningContext
from reconciler.model.spelling import Text
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, run_sql, server_of
from reconciler.sql import compose, literal, raw, text

ON = " on "
_NO_OBJECT = frozenset({"42P01", "42703", "42883"})  # no such relation, column or function


class SecurityLabel(DecidesAccess, NamedByTypes, RequiresFiles):
    """A security label; the key is `provider on column public.users.email`.

    The label alone is the short form.
    """

    kind: ClassVar[str] = "security_label"
    main_key: ClassVar[str] = "label"
    section: ClassVar[str] = "security_labels"
    oid_column: ClassVar[str] = "pg_seclabel.objoid"
    renamable: ClassVar[bool] = False
    commentable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True

    label: Text = Field(description="the label; its meaning depends on the provider")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT l.provider || '{ON}' || CASE l.objsubid WHEN 0 THEN i.type ELSE 'column' END
                       || ' ' || i.identity AS name,
                   ARRAY[{address("pg_seclabel", LABEL_OID)}] AS addresses, l.label
            FROM pg_seclabel AS l
            CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) AS i
            WHERE l.objoid >= 16384 AND i.identity IS NOT NULL
                  AND coalesce(i.schema, '') NOT IN ({NOT_MANAGED})
                  AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = l.classoid
                                  AND e.objid = l.objoid AND e.deptype = 'e')
            ORDER BY 1"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        provider, on, target = key.partition(ON)
        if not (provider and on and " " in target):
            raise ValueError(
                "a security label is named with its provider and its object:"
                f" {provider or 'provider'} on table public.t"
            )
        return key, body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["label"] if list(body) == ["label"] else body

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield Fragment("", LABELLED, self._target)

    def identify(self, connection: Connection) -> Self:
        """Let PostgreSQL name the object, by the label that is removed or set for a moment."""
        try:
            with connection.transaction(force_rollback=True):
                names = self._names_changed(connection, None)
                if not names and "label" in self.model_fields_set:
                    names = self._names_changed(connection, self.label)
        except StatementFailed as error:
            if error.sqlstate in _NO_OBJECT:
                return self
            raise
        found = min(names, default=self.ref.name)
        return self.model_copy(update={"ref": self.ref._replace(name=found)})

    def _names_changed(self, connection: Connection, label: str | None) -> set[str]:
        """Set the label, and return the names of the labels that come or go."""
        before = self._names(connection)
        run_sql(connection, self._statement(label).sql)
        return before ^ self._names(connection)

    def _names(self, connection: Connection) -> set[str]:
        query = f"SELECT name FROM ({self.catalog(server_of(connection))}) AS labels"
        return {row["name"] for row in rows(connection, query)}

    def signature_types(self) -> Iterable[str]:
        """Return nothing: the object is named, not a type."""
        return ()

    @property
    def _target(self) -> str:
        """The object as SECURITY LABEL names it."""
        return self.ref.name.partition(ON)[2]

    @property
    def provider(self) -> str:
        """Return the label provider."""
        return self.ref.name.partition(ON)[0]

    def files(self) -> frozenset[str]:
        return frozenset({self.provider})

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._statement(self.label)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.label != old.label:
            yield self._statement(self.label)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        yield self._statement(None)

    def _statement(self, label: str | None) -> Statement:
        command = compose(
            "SECURITY LABEL FOR {} ON {} IS {}",
            self.provider,
            raw(self._target),
            literal(label),
        )
        return Statement(sql=text(command))
