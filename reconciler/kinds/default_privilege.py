"""Default privileges: https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import NOT_MANAGED, acl_grants, address
from reconciler.model.markers import AppliesLast
from reconciler.model.object import Object, PlanningContext
from reconciler.model.privileges import ALL, PUBLIC, Access, Grants, all_privileges
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, raw

CLASSES = {  # what GRANT calls one of them, and pg_default_acl
    "tables": ("TABLE", "r"),
    "sequences": ("SEQUENCE", "S"),
    "functions": ("FUNCTION", "f"),
    "types": ("TYPE", "T"),
    "schemas": ("SCHEMA", "n"),
    "large objects": ("LARGE OBJECT", "L"),
}
USUAL = {"functions": {PUBLIC: ("execute",)}, "types": {PUBLIC: ("usage",)}}
_KEY = re.compile(rf"(?P<role>.+) on (?P<sort>{'|'.join(CLASSES)})(?: in (?P<schema>.+))?", re.S)


class DefaultPrivilege(AppliesLast):
    """What roles may do with what another role will create: its key is `role on tables`, or `role on tables in schema`.

    Without a schema it is all that they may do; with one it is what comes on top of that.
    """

    kind: ClassVar[str] = "default_privilege"
    section: ClassVar[str] = "default_privileges"
    oid_column: ClassVar[str] = "pg_default_acl.oid"
    renamable: ClassVar[bool] = False
    commentable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True

    grants: dict[str, tuple[str, ...]] = Field(
        description="role (or `public`) → privileges, or `all`; left out, the creator has all"
    )

    @classmethod
    def catalog(cls, server: Server) -> str:
        sorts = " ".join(f"WHEN '{letter}' THEN '{sort}'" for sort, (_, letter) in CLASSES.items())
        everything = "acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole)"
        usual = f"CASE d.defaclnamespace WHEN 0 THEN {everything} END"
        return f"""
            SELECT format('%s on %s%s', pg_get_userbyid(d.defaclrole),
                          CASE d.defaclobjtype {sorts} END, ' in ' || n.nspname) AS name,
                   ARRAY[{address("pg_default_acl", "d.oid")}] AS addresses,
                   {acl_grants("d.defaclacl", usual, everything, "d.defaclrole")} AS grants
            FROM pg_default_acl AS d LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
            WHERE n.oid IS NULL OR (n.nspname NOT LIKE 'pg\\_%'
                                    AND n.nspname NOT IN ({NOT_MANAGED}))
            ORDER BY 1"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        if not _KEY.fullmatch(key.removeprefix('"').removesuffix('"')):
            raise ValueError(
                f"'{key}': default privileges are named `role on {'|'.join(CLASSES)}`, or … `in schema`"
            )
        return key, body

    def needs(self) -> frozenset[Ref]:
        schema = self._parts[2]
        return frozenset({Ref("schema", "", schema)} if schema else ())

    def roles(self) -> frozenset[str]:
        return frozenset({self._parts[0], *self.grants} - {PUBLIC})

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        return self._between(self._usual, self.grants, context)

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """What differs is nothing but grants, which are attached."""
        if old is not None:
            yield from self._between(old.grants, self.grants, context)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        return self._between(self.grants, self._usual, context)

    # -- pieces ----------------------------------------------------------------------------------------------------

    @property
    def _parts(self) -> tuple[str, str, str]:
        """Who creates what, and in which schema."""
        match = _KEY.fullmatch(self.ref.name)
        assert match is not None
        return match["role"], match["sort"], match["schema"] or ""

    @property
    def _usual(self) -> Grants:
        _, sort, schema = self._parts
        return {} if schema else USUAL.get(sort, {})

    def _between(
        self, had: Grants, wanted: Grants, context: PlanningContext
    ) -> Iterable[Statement]:
        role, sort, schema = self._parts
        parent_kinds = compose(" IN SCHEMA {}", schema) if schema else raw("")
        access = Access(
            on=raw(sort.upper()),
            words=f"what {role} will create: {sort}" + (f" in {schema}" if schema else ""),
            privileges=all_privileges(CLASSES[sort][0], context.server),
            owner=role,
            user=context.user,
            unlisted=() if schema else (ALL,),
            before=sql.Composed(
                [compose("ALTER DEFAULT PRIVILEGES FOR ROLE {}", role), parent_kinds, raw(" ")]
            ),
        )
        return access.changes(had, wanted)
