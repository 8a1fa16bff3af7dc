"""Domains: https://www.postgresql.org/docs/current/sql-createdomain.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self, cast

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, model_validator

from reconciler.model.casts import losses_by_cast
from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import DEFAULT, EXPRESSION, NAME, TYPE, Clause, Fragment
from reconciler.model.datatype import DataType
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref, default_name
from reconciler.model.resumption import ValidatedLater
from reconciler.model.spelling import Collation, Comment, Name, Sql
from reconciler.model.statement import Question, Statement, TypeConversion, undoable
from reconciler.model.type_change import ChangesType
from reconciler.model.type_spelling import TypeName
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, raw, text

# a call of a user-defined function: PostgreSQL prints the schema of other functions only
_CALL = re.compile(r"""[\w"]\.("[^"]+"|\w+)\(""")
# A condition of operators, literals and these words, as PostgreSQL prints it, calls no function.
_PLAIN = re.compile(
    r"""(?:'(?:''|[^'])*'|\d
    |\b(?:VALUE|AND|OR|NOT|IS|NULL|DISTINCT|FROM|ANY|ALL|ARRAY|true|false)\b
    |::(?:text|character\ varying|bpchar|smallint|integer|bigint|numeric|real|double\ precision
         |boolean|date|time\ without\ time\ zone|timestamp\ with(?:out)?\ time\ zone|uuid)\b
    |[-+*/<>=~!@\#%^&|.,()\[\]\s])*+""",
    re.VERBOSE,
)
_IS_NULL = "IS NOT DISTINCT FROM NULL"  # IS NULL is also true of a composite of nulls


class Check(BaseModel):
    """A check constraint of a domain; `name: condition` is the short form."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    main_key: ClassVar[str] = "check"

    check: Sql = Field(description="the condition, in SQL over VALUE")
    not_valid: bool = Field(default=False, description="existing values are not checked")
    comment: Comment | None = Field(default=None, description="COMMENT ON CONSTRAINT")


class DomainNotNull(BaseModel):
    """The NOT NULL constraint of a domain, short for `not_null_name` and `not_null_comment`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Name | None = Field(default=None, description="left out: the default (PostgreSQL 17)")
    comment: Comment | None = Field(
        default=None, description="COMMENT ON CONSTRAINT (PostgreSQL 17)"
    )


class Domain(ValidatedLater, ChangesType, DataType):
    """A domain; `email: text` is the short form."""

    kind: ClassVar[str] = "domain"
    main_key: ClassVar[str] = "type"
    other_keys: ClassVar[Mapping[str, str]] = {"as": "type", "collate": "collation"}
    wrong_keys: ClassVar[Mapping[str, str]] = {
        "check": "constraints: {NAME: VALUE > 0} declares it"
    }
    section: ClassVar[str] = "domains"
    oid_column: ClassVar[str] = "pg_type.oid"
    own_rows: ClassVar[str] = "typtype = 'd'"
    omitted_is_default: ClassVar[bool] = False
    sql_fields: ClassVar[tuple[str, ...]] = ("type", "constraints", "default")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "type": TYPE,
        "collation": NAME,
        "default": DEFAULT,
    }
    first_version: ClassVar[Mapping[str, int]] = {"not_null_name": 17, "not_null_comment": 17}

    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        ("not_null_name", "not_null_comment"), ("not_null",)
    )

    type: TypeName = Field(default="", description="the underlying data type")
    collation: Collation | None = Field(
        default=None, description="the collation; left out: the underlying type's"
    )
    default: Sql | None = Field(
        default=None, description="SQL expression for columns without a default of their own"
    )
    not_null: bool | DomainNotNull = Field(
        default=False, description="values are never null; or its constraint's name and comment"
    )
    not_null_name: Name | None = Field(
        default=None,
        description="the name of the NOT NULL constraint; left out: the default (PostgreSQL 17)",
    )
    not_null_comment: Comment | None = Field(
        default=None, description="COMMENT ON the NOT NULL constraint (PostgreSQL 17)"
    )
    not_null_constraint: str | None = Field(default=None, json_schema_extra={"derived": True})
    constraints: dict[Name, Check] = Field(
        default_factory=dict,
        description="name of the check constraint → condition, in SQL over VALUE",
    )

    @model_validator(mode="before")
    @classmethod
    def _expand_not_null(cls, data: object) -> object:
        """Store the name and the comment of NOT NULL in fields of their own."""
        fields = cast("Mapping[str, object]", data)
        if not isinstance(fields.get("not_null"), Mapping):
            return fields
        constraint = cast("Mapping[str, object]", fields["not_null"])
        further = {f"not_null_{key}": value for key, value in constraint.items()}
        if given := further.keys() & fields.keys():
            raise ValueError(f"{min(given)} is given twice, once within not_null")
        return {**fields, **further, "not_null": True}

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        for constraint in self.constraints.values():
            yield Fragment("constraints", EXPRESSION, constraint.check)

    @classmethod
    def catalog(cls, server: Server) -> str:
        has_name = "true" if server.has_domain_not_null_constraints else "false"
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
                    FROM pg_constraint AS k
                    WHERE k.contypid = t.oid AND k.contype = 'c') AS constraints,
                   {object_grants("t.typacl", "T", "t.typowner")} AS grants
            FROM pg_type AS t
            JOIN pg_namespace AS n ON n.oid = t.typnamespace
            JOIN pg_type AS b ON b.oid = t.typbasetype
            LEFT JOIN pg_constraint AS k ON k.contypid = t.oid AND k.contype = 'n' AND {has_name}
            WHERE t.typtype = 'd' AND {managed("pg_type", "t.oid", "n.nspname")}
            ORDER BY n.nspname, t.typname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        constraint = row["not_null_constraint"]
        is_default = constraint == default_name(ref.name, "", "not_null")
        return cls(ref=ref, not_null_name=None if is_default else constraint, **row)

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        """Keep the name of NOT NULL, unless one is declared."""
        full = super().over(live, with_defaults=with_defaults)
        if live is None or not full.not_null or "not_null_name" in self.model_fields_set:
            return full
        return full.model_copy(update={"not_null_name": live.not_null_name})

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        def check(fields: dict[str, Any]) -> object:
            plain = not (fields.get("not_valid") or fields.get("comment"))
            return fields["check"] if plain else fields

        if "constraints" in body:
            body = body | {"constraints": {k: check(c) for k, c in body["constraints"].items()}}
        return body["type"] if list(body) == ["type"] else body

    def designation(self) -> sql.Composable:
        return compose("DOMAIN {}", self.sql_name())

    def under_old_name(self, old_names: Mapping[str, str]) -> Self:
        type_names = {t: o for t, o in old_names.items() if "[" not in t}
        fields = {
            "type": old_names.get(self.type, self.type),
            "collation": old_names.get(self.collation or "", self.collation),
            "default": None if self.default is None else _renamed(self.default, type_names),
            "constraints": self._renamed_checks(type_names),
            "not_null_name": self.not_null_constraint if self.not_null else None,
        }
        return super().under_old_name(old_names).model_copy(update=fields)

    def _renamed_checks(self, type_names: Mapping[str, str]) -> Mapping[str, Check]:
        """Return the checks with renamed types, without checks that cannot be kept."""
        renamed = {k: _renamed(c.check, type_names) for k, c in self.constraints.items()}
        return {
            k: self.constraints[k].model_copy(update={"check": check})
            for k, check in renamed.items()
            if check is not None
        }

    def rename_to_old_name(self, renamed: Self) -> Iterable[Statement]:
        """Rename the domain; first drop the expressions that `renamed` lacks.

        Expressions that call user-defined functions are dropped, since the functions may be
        replaced too. Types in expressions follow a renaming by themselves.
        """
        kept = {k: c for k, c in self.constraints.items() if k in renamed.constraints}
        default = self.default if renamed.default is not None else None
        bare = self.model_copy(update={"default": default, "constraints": kept})
        yield from undoable(bare.differences(self), lambda: self.differences(bare))
        yield from super().rename_to_old_name(renamed)

    def converted(self, old: DataType, value: sql.Composable, type_name: str) -> sql.Composable:
        """Cast between the underlying types."""
        if not isinstance(old, Domain):
            return super().converted(old, value, type_name)
        by_text = "." in old.type and "." in self.type
        value = compose("{}::text", value) if by_text else value
        return compose("{}::{}", value, raw(type_name))

    def losses(self, old: Object) -> Iterator[str]:
        before = old.type if isinstance(old, Domain) else "text"
        return (f"are {loss}" for loss in losses_by_cast(before, self.type))

    def conversions(self, old: Self, renamed: Self) -> Mapping[str, TypeConversion]:
        found = super().conversions(old, renamed)
        if old.ref.kind != self.kind:  # an enumerated type may have had the name
            return found
        return {n: replace(c, underlying=(old.type, self.type)) for n, c in found.items()}

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        validated = {k: c for k, c in self.constraints.items() if not c.not_valid}
        clauses: list[sql.Composable] = [
            compose("CREATE DOMAIN {} AS {}", self.sql_name(), raw(self.type))
        ]
        if self.collation is not None:
            clauses.append(compose("COLLATE {}", raw(self.collation)))
        if self.default is not None:
            clauses.append(compose("DEFAULT {}", raw(self.default)))
        if self.not_null:
            clauses.append(self._not_null())
        clauses += [
            compose("CONSTRAINT {} CHECK ({})", k, raw(c.check)) for k, c in validated.items()
        ]
        yield Statement(sql=text(joined(clauses, by=" ")))
        yield from (self._add(k) for k in self.constraints if k not in validated)
        yield from self._comments({})

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if (self.type, self.collation) != (old.type, old.collation):
            return None
        return self.differences(old)

    def must_recreate(self, old: Self, dependents: Iterable[Object]) -> bool:
        """Recreate a domain within other types if values need to be checked.

        ALTER DOMAIN refuses to check values inside arrays, composite types and ranges.
        """
        contained = any(_contains_values(o) for o in dependents)
        return contained and (self._tightens(old) or old._tightens(self))

    # -- ALTER DOMAIN ------------------------------------------------------------------------------

    def differences(self, old: Self) -> Iterable[Statement]:
        """Alter all but the underlying type."""
        if self.default != old.default:
            yield self._alter(self._default_action())
        yield from self._drop_constraints(old)
        yield from self._add_constraints(old)
        dropped = self._removed_checks(old)
        comments = {k: c.comment for k, c in old.constraints.items() if k not in dropped}
        yield from self._comments(
            comments, old.not_null_comment if self._keeps_not_null(old) else None
        )
        yield from self._validate(old)

    def _drop_constraints(self, old: Self) -> Iterable[Statement]:
        if old.not_null and not self._keeps_not_null(old):
            yield self._alter(raw("DROP NOT NULL"))
        for key in self._removed_checks(old):
            yield self._alter(compose("DROP CONSTRAINT {}", key))

    def _add_constraints(self, old: Self) -> Iterable[Statement]:
        if self.not_null and not self._keeps_not_null(old):
            null = Question(relation="", condition=f"VALUE {_IS_NULL}", meaning="no value")
            yield self._alter(self._not_null_action()).model_copy(
                update={"ties": "users", "question": null}
            )
        yield from map(self._add, self._new_checks(old))

    def _keeps_not_null(self, old: Self) -> bool:
        return self.not_null and old.not_null and self.not_null_name == old.not_null_name

    def _removed_checks(self, old: Self) -> Sequence[str]:
        return [k for k, c in old.constraints.items() if not self._keeps(k, c)]

    def _new_checks(self, old: Self) -> Sequence[str]:
        dropped = self._removed_checks(old)
        return [k for k in self.constraints if k in dropped or k not in old.constraints]

    def _validate(self, old: Self) -> Iterable[Statement]:
        added = self._new_checks(old)
        for key, check in self.constraints.items():
            if not check.not_valid and (key in added or old.constraints[key].not_valid):
                yield self._alter(compose("VALIDATE CONSTRAINT {}", key)).model_copy(
                    update={
                        "own_transaction": True,
                        "long": True,
                        "ties": "users",
                        "question": _question(key, check),
                    }
                )

    def _default_action(self) -> sql.Composable:
        if self.default is None:
            return raw("DROP DEFAULT")
        return compose("SET DEFAULT {}", raw(self.default))

    def _not_null_action(self) -> sql.Composable:
        if self.not_null_name is None:
            return raw("SET NOT NULL")
        return compose("ADD {}", self._not_null())

    def _tightens(self, old: Self) -> bool:
        """Return whether existing values must be checked."""
        proven = {k for k, c in old.constraints.items() if self._keeps(k, c) and not c.not_valid}
        validated = {k for k, c in self.constraints.items() if not c.not_valid}
        return (self.not_null and not old.not_null) or not validated <= proven

    def _keeps(self, key: str, old: Check) -> bool:
        """Return whether a constraint can be kept, perhaps to be validated."""
        new = self.constraints.get(key)
        return new is not None and new.check == old.check and (old.not_valid or not new.not_valid)

    def _not_null(self) -> sql.Composable:
        if self.not_null_name is None:
            return raw("NOT NULL")
        return compose("CONSTRAINT {} NOT NULL", self.not_null_name)

    def _alter(self, action: sql.Composable) -> Statement:
        return Statement(sql=text(compose("ALTER DOMAIN {} {}", self.sql_name(), action)))

    def _add(self, key: str) -> Statement:
        """Add a constraint for new values, to be validated in a transaction of its own."""
        check = raw(self.constraints[key].check)
        return self._alter(compose("ADD CONSTRAINT {} CHECK ({}) NOT VALID", key, check))

    def _comments(
        self, before: Mapping[str, str | None], not_null: str | None = None
    ) -> Iterable[Statement]:
        """Comment on constraints; `before` and `not_null` are the old comments."""
        if self.not_null and self.not_null_comment != not_null:
            constraint = self.not_null_name or default_name(self.ref.name, "", "not_null")
            yield self._comment(constraint, self.not_null_comment)
        for key, check in self.constraints.items():
            if check.comment != before.get(key):
                yield self._comment(key, check.comment)

    def _comment(self, constraint: str, comment: str | None) -> Statement:
        target = compose("CONSTRAINT {} ON DOMAIN {}", constraint, self.sql_name())
        return Statement(sql=text(compose("COMMENT ON {} IS {}", target, literal(comment))))


def _question(key: str, check: Check) -> Question | None:
    """Ask for values that a constraint refuses, if it consists of operators and literals."""
    if not _PLAIN.fullmatch(check.check):
        return None
    return Question(
        relation="",
        condition=f"NOT ({check.check})",
        built_in=("VALUE",),
        meaning=f"values that {key} refuses",
    )


def _renamed(expression: str, type_names: Mapping[str, str]) -> str | None:
    """Return the expression as printed after types are renamed; None if user functions are called.

    The functions may be replaced together with the domain.
    """
    if _CALL.search(expression):
        return None
    for current, new in type_names.items():
        whole_name = rf'(?<![\w"]){re.escape(current)}(?![\w"])'
        expression = re.sub(whole_name, lambda _, new=new: new, expression)
    return expression


def _contains_values(dependent: Object) -> bool:
    """Return whether a dependent of a domain holds the domain's values inside other values."""
    type_: object = getattr(dependent, "type", None)
    return type_.endswith("[]") if isinstance(type_, str) else isinstance(dependent, DataType)
