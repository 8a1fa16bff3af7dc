"""Row security policies: https://www.postgresql.org/docs/current/sql-createpolicy.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.catalog_sql import address, managed
from reconciler.model.clauses import EXPRESSION, Clause
from reconciler.model.commit_group import CommitsTogether
from reconciler.model.conditions import lets_no_more_through, without_casts
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

COMMANDS = ("SELECT", "INSERT", "UPDATE", "DELETE")


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
        return [self._statement(joined(clauses, by=" "), self.weaknesses(old))]

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        hazards = () if self.permissive else _weakens(_narrows_nothing(self.ref))
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
        return _weakens(self._no_condition) if self._unconditional() else ()

    @property
    def _no_condition(self) -> str:
        return f"{self.ref} lets {', '.join(self.to)} through without a condition"

    # -- what lets more rows through than before ---------------------------------------------------

    def weaknesses(self, old: Object) -> tuple[Hazard, ...]:
        assert isinstance(old, Policy)
        if self.permissive != old.permissive:
            now = f"{self.ref} is permissive now, and narrows nothing any more"
            return _weakens(now) if self.permissive else ()
        reasons = (*self._of_roles(old), *self._of_commands(old), *self._of_conditions(old))
        return tuple(h for reason in dict.fromkeys(reasons) for h in _weakens(reason))

    def without_casts(self) -> Self:
        return self.model_copy(
            update={
                "using": without_casts(self.using) if self.using else None,
                "check": without_casts(self.check) if self.check else None,
            }
        )

    def _of_roles(self, old: Policy) -> Iterator[str]:
        more, fewer = (self, old) if self.permissive else (old, self)
        if PUBLIC in fewer.to or {*more.to} <= {*fewer.to}:
            return
        now, was = ", ".join(self.to), ", ".join(old.to)
        if not self.permissive:
            yield f"{self.ref} narrows for {now} only, and did for {was}"
        elif PUBLIC in self.to:
            yield f"{self.ref} is for everybody now, and was for {was}"
        else:
            yield f"{self.ref} is for {', '.join(r for r in self.to if r not in old.to)} as well"

    def _of_commands(self, old: Policy) -> Iterator[str]:
        more, fewer = (self, old) if self.permissive else (old, self)
        commands = ", ".join(c for c in more.applies_to if c not in fewer.applies_to)
        if commands and self.permissive:
            yield f"{self.ref} is for {commands} as well"
        elif commands:
            yield f"{self.ref} no longer narrows {commands}"

    def _of_conditions(self, old: Policy) -> Iterator[str]:
        """Compare the conditions for commands of both, where a lack of WITH CHECK means USING."""
        common = {*self.applies_to} & {*old.applies_to}
        if common - {"INSERT"} and not self._is_narrower(self.using, old.using):
            yield self._replaced("USING", self.using, old.using)
        check, old_check = self.check or self.using, old.check or old.using
        if not common & {"INSERT", "UPDATE"} or self._is_narrower(check, old_check):
            return
        if self.check is not None:
            yield self._replaced("WITH CHECK", self.check, old_check)
        elif old.check is not None:
            yield (
                f"{self.ref} may let more rows through: new rows are held to"
                f" {_shown('USING', self.using)}, no longer to {_shown('WITH CHECK', old.check)}"
            )

    @property
    def applies_to(self) -> tuple[str, ...]:
        return COMMANDS if self.command == "all" else (self.command.upper(),)

    def _is_narrower(self, new: str | None, old: str | None) -> bool:
        """Tell whether a condition lets no more through; none is `false`, if restrictive `true`."""
        none = "false" if self.permissive else "true"
        return lets_no_more_through(new or none, old or none)

    def _replaced(self, clause: str, new: str | None, old: str | None) -> str:
        if new == "true":
            return self._no_condition if self.permissive else _narrows_nothing(self.ref)
        return (
            f"{self.ref} may let more rows through: {_shown(clause, new)} replaces"
            f" {_shown(clause, old)}"
        )

    def _statement(self, command: sql.Composable, hazards: tuple[Hazard, ...]) -> Statement:
        return Statement(
            sql=text(command), lock="ACCESS EXCLUSIVE", relation=self.stands_on, hazards=hazards
        )


def _narrows_nothing(ref: Ref) -> str:
    return f"{ref} no longer narrows what is visible"


def _shown(clause: str, condition: str | None) -> str:
    """Return a clause in one line."""
    if condition is None:
        return f"no {clause}"
    within = condition if condition.startswith("(") else f"({condition})"
    return f"{clause} {' '.join(within.split())}"


def _weakens(reason: str) -> tuple[Hazard, ...]:
    return (Hazard(hazard=HazardKind.WEAKENS_SECURITY, reason=reason),)
