"""Row security policies: https://www.postgresql.org/docs/current/sql-createpolicy.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.commit_group import CommitsTogether
from reconciler.model.object import Object, PlanningContext
from reconciler.model.privileges import PUBLIC
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, name, raw, text


class Policy(CommitsTogether):
    """Which rows a role may see, and which it may write; all changes to a table's policies share one transaction."""

    kind: ClassVar[str] = "policy"
    section: ClassVar[str] = "policies"
    oid_column: ClassVar[str] = "pg_policy.oid"
    parent_kinds: ClassVar[tuple[str, ...]] = ("table",)
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("using", "check", "to")

    command: Literal["all", "select", "insert", "update", "delete"] = Field(
        default="all", alias="for"
    )
    to: tuple[str, ...] = Field(default=(PUBLIC,), description="roles, or `public` for everybody")
    using: str | None = Field(default=None, description="which rows exist for these roles")
    check: str | None = Field(default=None, description="which rows they may write (WITH CHECK)")
    permissive: bool = Field(default=True, description="false: AS RESTRICTIVE")

    @property
    def commit_group(self) -> Ref | None:
        return self.ref.on

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
        return frozenset(
            r
            for r in self.to
            if r.lower() not in (PUBLIC, "current_user", "current_role", "session_user")
        )

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        words: list[sql.Composable] = [
            compose("CREATE POLICY {} ON {}", self.ref.name, self._table)
        ]
        if not self.permissive:
            words.append(raw("AS RESTRICTIVE"))
        words += [
            raw(f"FOR {self.command.upper()}"),
            compose("TO {}", self._grantees()),
            *self._conditions(None),
        ]
        yield self._statement(joined(words, by=" "), self._open_to_all(None))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        gone = (old.using is not None and self.using is None) or (
            old.check is not None and self.check is None
        )
        if gone or (self.command, self.permissive) != (old.command, old.permissive):
            return None
        words: list[sql.Composable] = [compose("ALTER POLICY {} ON {}", self.ref.name, self._table)]
        if self.to != old.to:
            words.append(compose("TO {}", self._grantees()))
        return [
            self._statement(
                joined([*words, *self._conditions(old)], by=" "), self._open_to_all(old)
            )
        ]

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        why = f"{self.ref} no longer narrows what is visible"
        hazards = (
            () if self.permissive else (Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=why),)
        )
        yield self._statement(compose("DROP POLICY {} ON {}", self.ref.name, self._table), hazards)

    # -- pieces ----------------------------------------------------------------------------------------------------

    @property
    def _table(self) -> sql.Composable:
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    def _grantees(self) -> sql.Composable:
        return joined(raw("PUBLIC") if r.lower() == PUBLIC else name(r) for r in self.to)

    def _conditions(self, old: Self | None) -> Iterable[sql.Composable]:
        if self.using is not None and (old is None or self.using != old.using):
            yield compose("USING ({})", raw(self.using))
        if self.check is not None and (old is None or self.check != old.check):
            yield compose("WITH CHECK ({})", raw(self.check))

    def _open_to_all(self, old: Self | None) -> tuple[Hazard, ...]:
        def wide(policy: Self) -> bool:
            return policy.permissive and "true" in (policy.using, policy.check)

        reasons: list[str] = []
        if wide(self) and not (old is not None and wide(old)):
            reasons.append(f"{self.ref} lets {', '.join(self.to)} through without a condition")
        if old is not None and self.permissive and PUBLIC in self.to and PUBLIC not in old.to:
            reasons.append(f"{self.ref} is for everybody now, and was for {', '.join(old.to)}")
        if old is not None and not self.permissive and self.using == "true" != old.using:
            reasons.append(f"{self.ref} no longer narrows what is visible")
        return tuple(Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=r) for r in reasons)

    def _statement(self, words: sql.Composable, hazards: tuple[Hazard, ...]) -> Statement:
        return Statement(
            sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.stands_on, hazards=hazards
        )
