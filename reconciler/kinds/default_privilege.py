"""Default privileges: https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast

from psycopg import sql
from pydantic import Field, model_validator

from reconciler.model.access import DecidesAccess
from reconciler.model.catalog_sql import NOT_MANAGED, acl_grants, address
from reconciler.model.clauses import Fragment
from reconciler.model.markers import AppliesLast
from reconciler.model.names import quoted, unquoted
from reconciler.model.object import Object, PlanningContext
from reconciler.model.privileges import (
    ALL,
    PUBLIC,
    Access,
    Grants,
    all_privileges,
    privilege_fragments,
)
from reconciler.model.ref import Ref
from reconciler.model.spelling import Name, Privileges, Role, RoleName
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, raw

CLASSES = {  # class of objects → the keyword of GRANT, the letter of pg_default_acl
    "tables": ("TABLE", "r"),
    "sequences": ("SEQUENCE", "S"),
    "functions": ("FUNCTION", "f"),
    "types": ("TYPE", "T"),
    "schemas": ("SCHEMA", "n"),
    "large objects": ("LARGE OBJECT", "L"),
}
DEFAULTS = {"functions": {PUBLIC: ("execute",)}, "types": {PUBLIC: ("usage",)}}
_KEY = re.compile(
    rf"(?P<role>.+) on (?P<object_class>{'|'.join(CLASSES)})(?: in (?:schema )?(?P<schema>.+))?",
    re.IGNORECASE | re.DOTALL,
)
_NAMED = f"named `role on {'|'.join(CLASSES)}`, or … `in schema`"


def _name(role: str, object_class: str, schema: str | None) -> str:
    name_ = f"{role} on {object_class}" + (f" in {schema}" if schema else "")
    return quoted(name_) if unquoted(name_) != name_ else name_


class DefaultPrivilege(DecidesAccess, AppliesLast):
    """Privileges on objects that a role will create.

    The key is `role on tables` or `role on tables in schema`; or any name, with the key `on` and,
    where the name is not the role's, `for_role`. Privileges for one schema are added
    to the privileges for all schemas.
    """

    kind: ClassVar[str] = "default_privilege"
    section: ClassVar[str] = "default_privileges"
    oid_column: ClassVar[str] = "pg_default_acl.oid"
    renamable: ClassVar[bool] = False
    commentable: ClassVar[bool] = False
    schemaless: ClassVar[bool] = True
    omitted_is_default: ClassVar[bool] = True
    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        ("for_role", "in_schema"), ("on",)
    )

    grants: Privileges = Field(
        description="role (or `public`) → privileges, or `all`; a creator who is not listed has all"
    )

    for_role: Role | None = Field(
        default=None, description="FOR ROLE, with `on`; left out: the role is the key"
    )
    on: Literal["tables", "sequences", "functions", "types", "schemas", "large objects"] | None = (
        Field(default=None, description="the objects, unless the key says `role on …`")
    )
    in_schema: Name | None = Field(
        default=None, description="IN SCHEMA, with `on`; left out: all schemas"
    )

    @model_validator(mode="after")
    def _named_by_the_key(self) -> Self:
        if self.for_role or self.on or self.in_schema:
            raise ValueError("the key names the role, the objects and the schema already")
        return self

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield from privilege_fragments(self.grants)

    @classmethod
    def catalog(cls, server: Server) -> str:
        classes = " ".join(
            f"WHEN '{letter}' THEN '{object_class}'"
            for object_class, (_, letter) in CLASSES.items()
        )
        owner_acl = (
            "acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END,"
            " d.defaclrole)"
        )
        default = f"CASE d.defaclnamespace WHEN 0 THEN {owner_acl} END"
        return f"""
            SELECT format('%s on %s%s', pg_get_userbyid(d.defaclrole),
                          CASE d.defaclobjtype {classes} END, ' in ' || n.nspname) AS name,
                   ARRAY[{address("pg_default_acl", "d.oid")}] AS addresses,
                   {acl_grants("d.defaclacl", default, owner_acl, "d.defaclrole")} AS grants
            FROM pg_default_acl AS d LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
            WHERE n.oid IS NULL OR (n.nspname NOT LIKE 'pg\\_%'
                                    AND n.nspname NOT IN ({NOT_MANAGED}))
            ORDER BY 1"""

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        fields = dict(cast("dict[str, Any]", body)) if isinstance(body, dict) else {}
        parts = {k: fields.pop(k, None) for k in ("for_role", "on", "in_schema")}
        match = _KEY.fullmatch(unquoted(key))
        if parts["on"] is not None:
            role = parts["for_role"] or RoleName().read(key)
            return _name(role, parts["on"], parts["in_schema"]), fields
        if match is None or any(parts.values()):
            raise ValueError(f"'{key}': default privileges are {_NAMED}; or they have the key `on`")
        role, schema = RoleName().read(match["role"]), match["schema"]
        name_ = _name(role, match["object_class"].lower(), schema and unquoted(schema))
        return name_, fields if isinstance(body, dict) else body

    def needs(self) -> frozenset[Ref]:
        schema = self._parts[2]
        return frozenset({Ref("schema", "", schema)} if schema else ())

    def roles(self) -> frozenset[str]:
        return frozenset({self._parts[0], *self.grants} - {PUBLIC})

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        return self._changes(self._defaults, self.grants, context)

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Change grants here: a default privilege consists of nothing else."""
        if old is not None:
            yield from self._changes(old.grants, self.grants, context)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        return self._changes(self.grants, self._defaults, context)

    @property
    def _parts(self) -> tuple[str, str, str]:
        """Return the role, the class of objects, and the schema or an empty text."""
        match = _KEY.fullmatch(self.ref.name)
        assert match is not None
        return match["role"], match["object_class"], match["schema"] or ""

    @property
    def _defaults(self) -> Grants:
        _, object_class, schema = self._parts
        return {} if schema else DEFAULTS.get(object_class, {})

    def _changes(
        self, before: Grants, after: Grants, context: PlanningContext
    ) -> Iterable[Statement]:
        role, object_class, schema = self._parts
        in_schema = compose(" IN SCHEMA {}", schema) if schema else raw("")
        access = Access(
            target=raw(object_class.upper()),
            description=f"what {role} will create: {object_class}"
            + (f" in {schema}" if schema else ""),
            privileges=all_privileges(CLASSES[object_class][0], context.server),
            owner=role,
            user=context.user,
            owner_default=() if schema else (ALL,),
            prefix=sql.Composed(
                [compose("ALTER DEFAULT PRIVILEGES FOR ROLE {}", role), in_schema, raw(" ")]
            ),
        )
        return access.changes(before, after)
