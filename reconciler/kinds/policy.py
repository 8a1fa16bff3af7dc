"""Row security policies: https://www.postgresql.org/docs/current/sql-createpolicy.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.clauses import EXPRESSION, Clause
from reconciler.model.commit_group import CommitsTogether
from reconciler.model.effect import MayHaveNoEffect
from reconciler.model.markers import GuardsRows
from reconciler.model.object import Object, PlanningContext
from reconciler.model.privileges import PUBLIC
from reconciler.model.ref import Ref
from reconciler.model.spelling import Role, Sql
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.successor import FollowsName
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, name, raw, text


class Policy(CommitsTogether, GuardsRows, MayHaveNoEffect, FollowsName):
    """A row security policy; all changes to a table's policies share one transaction."""

    kind: ClassVar[str] = "policy"
    other_keys: ClassVar[Mapping[str, str]] = {
        "with_check": "check",
        "command": "for",
        "roles": "to",
    }
    section: ClassVar[str] = "policies"
    oid_column: ClassVar[str] = "pg_policy.oid"
    parent_kinds: ClassVar[tuple[str, ...]] = ("table",)
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("using", "check", "to")
    sql_clauses: ClassVar[Mapping[str, Clause]] = {"using": EXPRESSION, "check": EXPRESSION}

    command: Literal["all", "select", "insert", "update", "delete"] = Field(
        default="all", alias="for", description="the command to which the policy applies"
    )
    to: tuple[Role, ...] = Field(
        default=(PUBLIC,), description="the roles to which the policy applies; `public`: every role"
    )
    using: Sql | None = Field(default=None, description="condition on visible rows (USING)")
    check: Sql | None = Field(default=None, description="condition on new rows (WITH CHECK)")
    permissive: bool = Field(
        default=True, description="false: AS RESTRICTIVE, narrows what other policies permit"
    )

    @property
    def commit_group(self) -> Ref | None:
        return self.ref.on

    def without_effect(self, desired: Mapping[Ref, Object]) -> str | None:
        """Tell that policies have no effect without row level security."""
        table = desired.get(self.ref.on) if self.ref.on else None
        if table is None or getattr(table, "row_level_security", True):
            return None
        return f"{self.ref} has no effect: row_level_security of the table is off"

    @classmethod
    def catalog(cls, server: Server) -> str:
        return f"""
            SELECT n.nspname AS schema, p.polname AS name, 'table' AS on_kind, c.relname AS on_name,
                   ARRAY[{address("pg_policy", "p.oid")}] AS addresses,
                   CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert'
                        WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete'
                                 ELSE 'all' END AS for,
                   ARRAY(SELECT CASE r WHEN 0 THEN '{PUBLIC}' ELSE pg_get_userbyid(r)::text END
                         FROM unnest(p.polroles) AS r ORDER BY 1) AS to,
                   pg_get_expr(p.polqual, p.polrelid) AS using,
                   pg_get_expr(p.polwithcheck, p.polrelid) AS check,
                   p.polpermissive AS permissive
            FROM pg_policy AS p
            JOIN pg_class AS c ON c.oid = p.polrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND {managed("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname, p.polname"""

    def roles(self) -> frozenset[str]:
        return frozenset(r for r in self.to if r != PUBLIC)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        clauses: list[sql.Composable] = [
            compose("CREATE POLICY {} ON {}", self.ref.name, self._table)
        ]
        if not self.permissive:
            clauses.append(raw("AS RESTRICTIVE"))
        clauses += [
            raw(f"FOR {self.command.upper()}"),
            compose("TO {}", self._grantees()),
            *self._conditions(None),
        ]
        yield self._statement(joined(clauses, by=" "), self._creation_hazards())

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        """Alter the policy; ALTER POLICY can neither remove a condition nor change the command."""
        if (self.command, self.permissive) != (old.command, old.permissive):
            return None
        if any(
            getattr(old, f) is not None and getattr(self, f) is None for f in ("using", "check")
        ):
            return None
        clauses: list[sql.Composable] = [
            compose("ALTER POLICY {} ON {}", self.ref.name, self._table)
        ]
        if self.to != old.to:
            clauses.append(compose("TO {}", self._grantees()))
        clauses += self._conditions(old)
        return [self._statement(joined(clauses, by=" "), self._change_hazards(old))]

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        hazards = (
            () if self.permissive else _weakens(f"{self.ref} no longer narrows what is visible")
        )
        yield self._statement(compose("DROP POLICY {} ON {}", self.ref.name, self._table), hazards)

    @property
    def _table(self) -> sql.Composable:
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    def _grantees(self) -> sql.Composable:
        return joined(raw("PUBLIC") if r == PUBLIC else name(r) for r in self.to)

    def _conditions(self, old: Self | None) -> Iterable[sql.Composable]:
        """Return the clauses for conditions that differ from `old`."""
        before = (None, None) if old is None else (old.using, old.check)
        if self.using is not None and self.using != before[0]:
            yield compose("USING ({})", raw(self.using))
        if self.check is not None and self.check != before[1]:
            yield compose("WITH CHECK ({})", raw(self.check))

    def _unconditional(self) -> bool:
        return self.permissive and "true" in (self.using, self.check)

    def _creation_hazards(self) -> tuple[Hazard, ...]:
        if not self._unconditional():
            return ()
        return _weakens(f"{self.ref} lets {', '.join(self.to)} through without a condition")

    def _change_hazards(self, old: Self) -> tuple[Hazard, ...]:
        hazards = () if old._unconditional() else self._creation_hazards()
        if self.permissive and PUBLIC in self.to and PUBLIC not in old.to:
            hazards += _weakens(f"{self.ref} is for everybody now, and was for {', '.join(old.to)}")
        if not self.permissive and self.using == "true" != old.using:
            hazards += _weakens(f"{self.ref} no longer narrows what is visible")
        return hazards

    def _statement(self, command: sql.Composable, hazards: tuple[Hazard, ...]) -> Statement:
        return Statement(
            sql=text(command), lock="ACCESS EXCLUSIVE", relation=self.stands_on, hazards=hazards
        )


def _weakens(reason: str) -> tuple[Hazard, ...]:
    return (Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=reason),)
