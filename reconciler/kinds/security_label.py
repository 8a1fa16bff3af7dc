"""Security labels: https://www.postgresql.org/docs/current/sql-security-label.html

Only a server on which the label's provider is loaded can hold them, so scratch is one of those too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import LABEL_OID, NOT_MANAGED, address
from reconciler.model.declared import RequiresFiles
from reconciler.model.object import Object, PlanningContext
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, literal, raw, text

ON = " on "


class SecurityLabel(RequiresFiles):
    """A label on an object: its key is `provider on column public.users.email`; its label alone is the short form."""

    kind: ClassVar[str] = "security_label"
    section: ClassVar[str] = "security_labels"
    oid_column: ClassVar[str] = ""
    renamable: ClassVar[bool] = False
    commentable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True

    label: str = Field(description="what the provider is told")

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT l.provider || '{ON}'
            || CASE l.objsubid WHEN 0 THEN i.type || ' ' || i.identity ELSE 'column '
                    || i.identity END AS name,
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
        provider, on, place = key.partition(ON)
        if not (provider and on and " " in place):
            raise ValueError(
                f"a security label is named with its provider and its object: {provider or 'provider'} on table public.t"
            )
        return key, {"label": body} if isinstance(body, str) else body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        return body["label"] if list(body) == ["label"] else body

    @property
    def provider(self) -> str:
        """Whose label it is."""
        return self.ref.name.partition(ON)[0]

    def files(self) -> frozenset[str]:
        return frozenset({self.provider})

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._says(self.label)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.label != old.label:
            yield self._says(self.label)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        yield self._says(None)

    def _says(self, label: str | None) -> Statement:
        place: sql.Composable = raw(self.ref.name.partition(ON)[2])
        return Statement(
            sql=text(
                compose("SECURITY LABEL FOR {} ON {} IS {}", self.provider, place, literal(label))
            )
        )
