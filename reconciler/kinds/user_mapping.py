"""User mappings: https://www.postgresql.org/docs/current/sql-createusermapping.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.access import DecidesAccess
from reconciler.model.catalog_sql import address
from reconciler.model.foreign_options import (
    ALL,
    HasForeignOptions,
    Options,
    options_change,
    options_clause,
    parse_options,
    readable_options,
)
from reconciler.model.names import quoted, unquoted
from reconciler.model.object import Object, PlanningContext
from reconciler.model.privileges import PUBLIC
from reconciler.model.ref import Ref
from reconciler.model.spelling import RoleName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, name, raw, text

_ON = re.compile(r"\s+on\s+", re.IGNORECASE)
# The condition of the view pg_user_mappings, which shows no options to other roles. On a scratch
# server of our own it shows all.
_READABLE = """(m.umoptions IS NOT NULL
                    OR m.umuser <> 0 AND m.usename = current_user
                     AND (pg_has_role(s.srvowner, 'USAGE')
                          OR has_server_privilege(s.oid, 'USAGE'))
                    OR m.umuser = 0 AND pg_has_role(s.srvowner, 'USAGE')
                    OR (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user))"""


class UserMapping(DecidesAccess, HasForeignOptions):
    """A user mapping; the key is `role on server`."""

    kind: ClassVar[str] = "user_mapping"
    section: ClassVar[str] = "user_mappings"
    omitted_is_default: ClassVar[bool] = False
    oid_column: ClassVar[str] = "pg_foreign_server.oid"
    renamable: ClassVar[bool] = False
    commentable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True

    options: Options = Field(
        default_factory=dict,
        description="options of the wrapper, such as user; {secret} keeps a hidden value",
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT CASE m.umuser WHEN 0 THEN '{PUBLIC}' ELSE m.usename::text END
                       || ' on ' || m.srvname AS name,
                   ARRAY[{address("pg_user_mapping", "m.umid")}] AS addresses,
                   CASE WHEN {_READABLE} THEN {readable_options("m.umoptions")}
                        ELSE ARRAY['{ALL}'] END AS options
            FROM pg_user_mappings AS m JOIN pg_foreign_server AS s ON s.oid = m.srvid
            WHERE NOT EXISTS (SELECT FROM pg_depend AS e
                              WHERE e.classid = 'pg_user_mapping'::regclass AND e.objid = m.umid
                              AND e.deptype = 'e')
            ORDER BY 1"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        return cls(ref=ref, options=parse_options(row.pop("options")), **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        role, on, server = _ON.sub(" on ", unquoted(key)).rpartition(" on ")
        if not (role and on and server):
            raise ValueError(
                f"a user mapping is named with its role and its server: {key} on server"
            )
        name_ = f"{RoleName().read(role)} on {unquoted(server)}"
        return (quoted(name_) if unquoted(name_) != name_ else name_), body

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
