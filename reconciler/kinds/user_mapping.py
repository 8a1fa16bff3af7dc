"""User mappings: https://www.postgresql.org/docs/current/sql-createusermapping.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field, field_validator

from reconciler.model.catalog_sql import address
from reconciler.model.foreign_options import (
    non_secret_options,
    options_change,
    options_clause,
    parse_options,
    reject_secrets,
)
from reconciler.model.object import Object, PlanningContext
from reconciler.model.privileges import PUBLIC
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, name, raw, text


class UserMapping(Object):
    """A user mapping; the key is `role on server`. Passwords are neither read nor changed."""

    kind: ClassVar[str] = "user_mapping"
    section: ClassVar[str] = "user_mappings"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_foreign_server.oid"
    renamable: ClassVar[bool] = False
    commentable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True

    options: dict[str, str] = Field(
        default_factory=dict,
        description="options of the wrapper, such as user; secrets are refused",
    )

    _no_secrets = field_validator("options")(reject_secrets)

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT CASE m.umuser WHEN 0 THEN '{PUBLIC}' ELSE m.usename::text END
                       || ' on ' || m.srvname AS name,
                   ARRAY[{address("pg_user_mapping", "m.umid")}] AS addresses,
                   {non_secret_options("m.umoptions")} AS options
            FROM pg_user_mappings AS m
            WHERE NOT EXISTS (SELECT FROM pg_depend AS e
                              WHERE e.classid = 'pg_user_mapping'::regclass AND e.objid = m.umid
                              AND e.deptype = 'e')
            ORDER BY 1"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        return cls(ref=ref, options=parse_options(row.pop("options")), **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        role, on, server = key.partition(" on ")
        if not (role and on and server):
            raise ValueError(
                f"a user mapping is named with its role and its server: {key} on server"
            )
        return key, body

    @property
    def _parts(self) -> tuple[str, str]:
        role, _, server = self.ref.name.rpartition(" on ")
        return role, server

    def needs(self) -> frozenset[Ref]:
        return frozenset({Ref("foreign_server", "", self._parts[1])})

    def roles(self) -> frozenset[str]:
        return frozenset({self._parts[0]} - {PUBLIC})

    def designation(self) -> sql.Composable:
        role, server = self._parts
        return compose(
            "USER MAPPING FOR {} SERVER {}", raw("PUBLIC") if role == PUBLIC else name(role), server
        )

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield Statement(
            sql=text(compose("CREATE {}{}", self.designation(), options_clause(self.options)))
        )

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if (options := options_change(old.options, self.options)) is not None:
            yield Statement(sql=text(compose("ALTER {} {}", self.designation(), options)))

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        reason = (
            f"{self.ref} is dropped with the password that it may hold, which no undo brings back"
        )
        yield Statement(
            sql=text(compose("DROP {}", self.designation())),
            hazards=(Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason),),
        )
