"""Domains: https://www.postgresql.org/docs/current/sql-createdomain.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, field_validator

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.datatype import DataType
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref, default_name
from reconciler.model.statement import Statement, undoable
from reconciler.model.type_change import ChangesType
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, raw, text

_CALL = re.compile(
    r"""[\w"]\.("[^"]+"|\w+)\("""
)  # what is not PostgreSQL's own is printed with its schema


class Check(BaseModel):
    """A condition that every value of a domain meets; `name: condition` is its short form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = Field(description="SQL over VALUE")
    not_valid: bool = Field(default=False, description="existing values have not been checked")
    comment: str | None = None


class Domain(ChangesType, DataType):
    """A type with conditions of its own; `email: text` is its short form."""

    kind: ClassVar[str] = "domain"
    section: ClassVar[str] = "domains"
    oid_column: ClassVar[str] = ""
    omitted_is_default: ClassVar[bool] = False
    sql_fields: ClassVar[tuple[str, ...]] = ("type", "constraints", "default")
    first_version: ClassVar[Mapping[str, int]] = {"not_null_name": 17, "not_null_comment": 17}

    type: str = Field(default="", description="the type that it narrows")
    collation: str | None = Field(default=None, description="where it is not the type's own")
    default: str | None = Field(
        default=None, description="SQL expression for columns that give no default of their own"
    )
    not_null: bool = False
    not_null_name: str | None = Field(
        default=None,
        description="of the NOT NULL constraint, where it is not the usual one (PostgreSQL 17)",
    )
    not_null_comment: str | None = Field(
        default=None, description="COMMENT ON that constraint (PostgreSQL 17)"
    )
    not_null_constraint: str | None = Field(default=None, json_schema_extra={"derived": True})
    constraints: dict[str, Check] = Field(
        default_factory=dict, description="name → condition over VALUE"
    )

    @field_validator("constraints", mode="before")
    @classmethod
    def _short_checks(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        given = cast("Mapping[str, object]", value)
        return {k: {"check": v} if isinstance(v, str) else v for k, v in given.items()}

    @classmethod
    def catalog(cls, server: Server) -> str:
        has = "true" if server.has_domain_not_null_constraints else "false"
        return f"""
            SELECT n.nspname AS schema, t.typname AS name,
                   pg_get_userbyid(t.typowner)::text AS owner,
                   ARRAY[{address("pg_type", "t.oid")}, {address("pg_type", "t.typarray")}]
                       || (SELECT array_agg({address("pg_constraint", "k.oid")})
                           FROM pg_constraint AS k WHERE k.contypid = t.oid)
                       AS addresses,
                   format_type(t.typbasetype, t.typtypmod) AS type,
                   pg_get_expr(t.typdefaultbin, 0) AS default, t.typnotnull AS not_null,
                   k.conname AS not_null_constraint,
                   obj_description(k.oid, 'pg_constraint') AS not_null_comment,
                   CASE WHEN t.typcollation <> b.typcollation THEN (
                       SELECT format('%I.%I', cn.nspname, l.collname) FROM pg_collation AS l
                       JOIN pg_namespace AS cn ON cn.oid = l.collnamespace
                       WHERE l.oid = t.typcollation) END AS collation,
                   (SELECT coalesce(jsonb_object_agg(k.conname, jsonb_build_object(
                        'check', pg_get_expr(k.conbin, 0), 'not_valid', NOT k.convalidated,
                        'comment', obj_description(k.oid, 'pg_constraint'))), '{{}}')
                    FROM pg_constraint AS k WHERE k.contypid = t.oid
                    AND k.contype = 'c') AS constraints,
                   {object_grants("t.typacl", "T", "t.typowner")} AS grants
            FROM pg_type AS t
            JOIN pg_namespace AS n ON n.oid = t.typnamespace
            JOIN pg_type AS b ON b.oid = t.typbasetype
            LEFT JOIN pg_constraint AS k ON k.contypid = t.oid AND k.contype = 'n' AND {has}
            WHERE t.typtype = 'd' AND {managed("pg_type", "t.oid", "n.nspname")}
            ORDER BY n.nspname, t.typname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        own = row["not_null_constraint"]
        return cls(
            ref=ref,
            not_null_name=None if own == default_name(ref.name, "", "not_null") else own,
            **row,
        )

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        return key, {"type": body} if isinstance(body, str) else body

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        if "constraints" in body:
            checks: dict[str, Any] = body["constraints"]
            short_form = {
                k: c["check"] if not (c.get("not_valid") or c.get("comment")) else c
                for k, c in checks.items()
            }
            body = body | {"constraints": short_form}
        return body["type"] if list(body) == ["type"] else body

    def designation(self) -> sql.Composable:
        return compose("DOMAIN {}", self.sql_name())

    def under_old_name(self, others: Mapping[str, str]) -> Self:
        named = {t: o for t, o in others.items() if "[" not in t}
        checks = {k: _renamed(c.check, named) for k, c in self.constraints.items()}
        default = _renamed(self.default, named) if self.default is not None else None
        kept = {
            k: c.model_copy(update={"check": said})
            for k, c in self.constraints.items()
            if (said := checks[k]) is not None
        }
        told = {
            "default": default,
            "constraints": kept,
            "not_null_name": self.not_null_constraint if self.not_null else None,
        }
        return (
            super()
            .under_old_name(others)
            .model_copy(
                update=told
                | {
                    "type": others.get(self.type, self.type),
                    "collation": others.get(self.collation or "", self.collation),
                }
            )
        )

    def rename_to_old_name(self, other: Self) -> Iterable[Statement]:
        """Without its expressions where they call what may be replaced with it; types in them are known by whatever name."""
        kept = {k: c for k, c in self.constraints.items() if k in other.constraints}
        bare = self.model_copy(
            update={
                "default": self.default if other.default is not None else None,
                "constraints": kept,
            }
        )
        yield from undoable(bare.differences(self), lambda: self.differences(bare))
        yield from super().rename_to_old_name(other)

    def converted(self, old: DataType, value: sql.Composable, wanted: str) -> sql.Composable:
        """By a cast between the types below."""
        if not isinstance(old, Domain):
            return super().converted(old, value, wanted)
        through = compose("{}::text", value) if "." in old.type and "." in self.type else value
        return compose("{}::{}", through, raw(wanted))

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        words: list[sql.Composable] = [
            compose("CREATE DOMAIN {} AS {}", self.sql_name(), raw(self.type))
        ]
        if self.collation is not None:
            words.append(compose("COLLATE {}", raw(self.collation)))
        if self.default is not None:
            words.append(compose("DEFAULT {}", raw(self.default)))
        if self.not_null:
            words.append(self._not_null())
        words += [
            compose("CONSTRAINT {} CHECK ({})", k, raw(c.check))
            for k, c in self.constraints.items()
            if not c.not_valid
        ]
        yield Statement(sql=text(joined(words, by=" ")))
        yield from (self._add(k) for k, c in self.constraints.items() if c.not_valid)
        yield from self._remark({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if (self.type, self.collation) != (old.type, old.collation):
            return None
        return self.differences(old)

    def must_recreate(self, old: Self, dependents: Iterable[Object]) -> bool:
        """PostgreSQL does not look for values within arrays, rows and ranges: it refuses to check any where it is part of those."""
        containers = any(_container(o) for o in dependents)
        return containers and (self._tightens(old) or old._tightens(self))

    # -- pieces ----------------------------------------------------------------------------------------------------

    def differences(self, old: Self) -> Iterable[Statement]:
        """What ALTER DOMAIN can do, where the type below stays."""
        if self.default != old.default:
            yield self._alter(
                raw("DROP DEFAULT")
                if self.default is None
                else compose("SET DEFAULT {}", raw(self.default))
            )
        if old.not_null and (not self.not_null or self.not_null_name != old.not_null_name):
            yield self._alter(raw("DROP NOT NULL"))
        gone = [k for k, c in old.constraints.items() if not self._keeps(k, c)]
        yield from (self._alter(compose("DROP CONSTRAINT {}", k)) for k in gone)
        if self.not_null and (not old.not_null or self.not_null_name != old.not_null_name):
            yield self._alter(
                raw("SET NOT NULL")
                if self.not_null_name is None
                else compose("ADD {}", self._not_null())
            )
        new = [k for k in self.constraints if k in gone or k not in old.constraints]
        yield from (self._add(k) for k in new)
        same = old.not_null and self.not_null_name == old.not_null_name
        told = {k: c.comment for k, c in old.constraints.items() if k not in gone}
        yield from self._remark(told, old.not_null_comment if same else None)
        pending = [k for k in self.constraints if k in new or old.constraints[k].not_valid]
        for key in pending:
            if not self.constraints[key].not_valid:
                yield self._alter(compose("VALIDATE CONSTRAINT {}", key)).model_copy(
                    update={"own_transaction": True, "long": True}
                )

    def _tightens(self, old: Self) -> bool:
        """Whether values that are there must be checked."""
        known = {k for k, c in old.constraints.items() if self._keeps(k, c) and not c.not_valid}
        return (self.not_null and not old.not_null) or any(
            not c.not_valid and k not in known for k, c in self.constraints.items()
        )

    def _keeps(self, key: str, old: Check) -> bool:
        """Whether a constraint can stay, perhaps to be validated."""
        new = self.constraints.get(key)
        return new is not None and new.check == old.check and (old.not_valid or not new.not_valid)

    def _not_null(self) -> sql.Composable:
        return (
            raw("NOT NULL")
            if self.not_null_name is None
            else compose("CONSTRAINT {} NOT NULL", self.not_null_name)
        )

    def _alter(self, action: sql.Composable) -> Statement:
        return Statement(sql=text(compose("ALTER DOMAIN {} {}", self.sql_name(), action)))

    def _add(self, key: str) -> Statement:
        """Add a condition that only new values must meet, until it is validated."""
        return self._alter(
            compose("ADD CONSTRAINT {} CHECK ({}) NOT VALID", key, raw(self.constraints[key].check))
        )

    def _remark(
        self, before: Mapping[str, str | None], not_null: str | None = None
    ) -> Iterable[Statement]:
        if self.not_null and self.not_null_comment != not_null:
            target = compose(
                "CONSTRAINT {} ON DOMAIN {}",
                self.not_null_name or default_name(self.ref.name, "", "not_null"),
                self.sql_name(),
            )
            yield Statement(
                sql=text(compose("COMMENT ON {} IS {}", target, literal(self.not_null_comment)))
            )
        for key, check in self.constraints.items():
            if check.comment != before.get(key):
                target = compose("CONSTRAINT {} ON DOMAIN {}", key, self.sql_name())
                yield Statement(
                    sql=text(compose("COMMENT ON {} IS {}", target, literal(check.comment)))
                )


def _renamed(expression: str, others: Mapping[str, str]) -> str | None:
    """What PostgreSQL prints once types have other names; None where it calls a function of people's, which may be replaced too."""
    if _CALL.search(expression):
        return None
    for own, other in others.items():
        expression = re.sub(
            rf'(?<![\w"]){re.escape(own)}(?![\w"])', lambda _, to=other: to, expression
        )
    return expression


def _container(obj: Object) -> bool:
    """Whether values of a domain on which this stands are held within others."""
    kind: object = getattr(obj, "type", None)
    return kind.endswith("[]") if isinstance(kind, str) else isinstance(obj, DataType)
