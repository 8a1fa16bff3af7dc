"""ALTER TABLE and ALTER COLUMN for a column: https://www.postgresql.org/docs/current/sql-altertable.html"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from reconciler.kinds.column.narrowing import question_of_lost_values, question_of_narrowing
from reconciler.model.context import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.statement import (
    Hazard,
    HazardKind,
    Question,
    Statement,
    TableRewrite,
    TypeConversion,
    hazard_of_rewrites,
)
from reconciler.sql import compose, literal, raw, text
from reconciler.sql import name as qualified


@dataclass(frozen=True)
class Target:
    """The table `on` and the name of a column."""

    on: Ref
    column: str

    @property
    def schema(self) -> str:
        """The table's schema."""
        return self.on.schema

    @property
    def name(self) -> str:
        """The table's own name."""
        return self.on.name

    @property
    def relation(self) -> str:
        """The table, for people to read."""
        return self.on.identity

    @property
    def foreign(self) -> bool:
        """Whether the table is a foreign table."""
        return self.on.kind == "foreign_table"

    @property
    def table(self) -> sql.Composable:
        """The table's qualified name."""
        return qualified(self.schema, self.name)

    # -- SQL ---------------------------------------------------------------------------------------

    def alter_sql(self, action: sql.Composable, *, only: bool = False) -> str:
        """Return ALTER TABLE with the action; `only` excludes child tables."""
        template = "ALTER TABLE ONLY {} {}" if only else "ALTER TABLE {} {}"
        return text(compose(template, self.table, action))

    def alter_column_sql(self, action: sql.Composable) -> str:
        """Return ALTER TABLE … ALTER COLUMN with the action."""
        return self.alter_sql(compose("ALTER COLUMN {} {}", self.column, action))

    # -- statements --------------------------------------------------------------------------------

    def alter(
        self,
        action: sql.Composable,
        undo_action: sql.Composable | None = None,
        *,
        undo: tuple[str, ...] | None = None,
        only: bool = False,
        lock: str = "ACCESS EXCLUSIVE",
        hazards: tuple[Hazard, ...] = (),
    ) -> Statement:
        """Alter the table; undo with `undo_action` of ALTER TABLE, or with the SQL `undo`."""
        if undo_action is not None:
            undo = (self.alter_sql(undo_action, only=only),)
        return Statement(
            sql=self.alter_sql(action, only=only),
            lock=lock,
            relation=self.relation,
            recurses="" if only else "children",
            undo=undo,
            hazards=hazards,
        )

    def alter_column(
        self,
        action: sql.Composable,
        undo_action: sql.Composable | None = None,
        *,
        undo: tuple[str, ...] | None = None,
        hazards: tuple[Hazard, ...] = (),
    ) -> Statement:
        """Alter the column; undo with `undo_action` of ALTER COLUMN, or with the SQL `undo`."""
        if undo_action is not None:
            undo = (self.alter_column_sql(undo_action),)
        alter_column = compose("ALTER COLUMN {} {}", self.column, action)
        return self.alter(alter_column, undo=undo, hazards=hazards)

    def alter_statistics(self, action: sql.Composable, undo_action: sql.Composable) -> Statement:
        """Alter the statistics options of the column, without child tables."""
        alter, undo = (compose("ALTER COLUMN {} {}", self.column, a) for a in (action, undo_action))
        return self.alter(alter, undo, only=True, lock="SHARE UPDATE EXCLUSIVE")

    def set_default(self, value: str | None, *, before: str | None) -> Statement:
        """Set the default, or drop the default if `value` is None; undo to `before`."""
        action, undo_action = (
            raw("DROP DEFAULT") if e is None else compose("SET DEFAULT {}", raw(e))
            for e in (value, before)
        )
        return self.alter_column(action, undo_action)

    def change_type(self, conversion: TypeConversion, context: PlanningContext) -> Statement:
        """Convert every row to the replacement of a data type of the same name."""
        column = qualified(self.column)
        forth = compose("TYPE {} USING {}", raw(conversion.type), conversion.convert(column))
        back = compose(
            "TYPE {} USING {}", raw(conversion.old_name), conversion.convert_back(column)
        )
        question = self._question_of(conversion, context)
        hazards = tuple(
            Hazard(
                hazard=HazardKind.DATA_LOSS,
                reason=f"values of {self.relation}.{self.column} {loss}",
            )
            for loss in conversion.losses
        )
        alter = self.alter_column(forth, back, hazards=hazards)
        alter = alter.model_copy(update={"question": question})
        return self.retyped(alter, forth, back, context)

    def _question_of(self, conversion: TypeConversion, context: PlanningContext) -> Question | None:
        """Return the question about rows with values for which the replacement has none."""
        is_array = conversion.type.endswith("[]")
        if conversion.underlying is not None and not is_array:
            before, after = conversion.underlying
            found = question_of_narrowing(
                before, after, self.column, self.table, self.relation, context.server
            )
            return found and found.model_copy(update={"remedy": "change the rows first"})
        return question_of_lost_values(
            conversion.lost, self.column, self.table, self.relation, array=is_array
        )

    def comment_on(self, comment: str | None) -> Statement:
        """Set the comment on the column."""
        comment_on = compose(
            "COMMENT ON COLUMN {}.{} IS {}", self.table, self.column, literal(comment)
        )
        return Statement(
            sql=text(comment_on), lock="SHARE UPDATE EXCLUSIVE", relation=self.relation, undo=()
        )

    def retyped(
        self,
        alter: Statement,
        action: sql.Composable,
        undo_action: sql.Composable,
        context: PlanningContext,
        *,
        online: bool = False,
    ) -> Statement:
        """Mark ALTER COLUMN … TYPE as a rewrite; `online`: `retype: online` would do without."""
        rewrite = self._rewrite("type", compose("ALTER COLUMN {} {}", self.column, action), context)
        undo = text(compose("ALTER COLUMN {} {}", self.column, undo_action))
        online = online and not context.size(self.on).empty
        return _rewriting(alter, rewrite.model_copy(update={"undo": undo, "online": online}))

    def set_expression(
        self, expression: str, before: str, context: PlanningContext, *, virtual: bool
    ) -> Statement:
        """Change the expression of a generated column; stored values are computed anew."""
        action, undo = (compose("SET EXPRESSION AS ({})", raw(e)) for e in (expression, before))
        alter = self.alter_column(action, undo)
        if virtual:
            return alter
        of_table, undo_of_table = (
            compose("ALTER COLUMN {} {}", self.column, a) for a in (action, undo)
        )
        rewrite = self._rewrite("expression", of_table, context)
        return _rewriting(alter, rewrite.model_copy(update={"undo": text(undo_of_table)}))

    def added(
        self, add: sql.Composable, undo: sql.Composable | None, context: PlanningContext
    ) -> Statement:
        """Add the column in a way that writes every row anew."""
        return _rewriting(self.alter(add, undo), self._rewrite("add", add, context))

    def _rewrite(
        self,
        kind: Literal["add", "type", "expression"],
        action: sql.Composable,
        context: PlanningContext,
    ) -> TableRewrite:
        return TableRewrite(
            kind=kind,
            table=text(self.table),
            relation=self.relation,
            size=context.size(self.on).in_bytes,
            action=text(action),
            column=self.column,
        )


def _rewriting(alter: Statement, rewrite: TableRewrite) -> Statement:
    """Mark ALTER TABLE as a rewrite of the table, with that hazard first."""
    hazards = (hazard_of_rewrites([rewrite]), *alter.hazards)
    ties = "references" if rewrite.kind == "type" else ""
    return alter.model_copy(update={"rewrite": rewrite, "hazards": hazards, "ties": ties})


def in_own_transaction(statement: Statement) -> Statement:
    """Return the statement, to run in a separate transaction."""
    return statement.model_copy(update={"own_transaction": True})
