"""Identity columns: https://www.postgresql.org/docs/current/ddl-identity-columns.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal

from psycopg import sql
from pydantic import Field

from reconciler.kinds.column.target import Target
from reconciler.model.object import PlanningContext
from reconciler.model.partitioned import build_name
from reconciler.model.privileges import Access, Grants, all_privileges
from reconciler.model.ref import Ref, default_name
from reconciler.model.reserved_names import SETTING_PREFIX
from reconciler.model.sequence_options import SequenceOptions
from reconciler.model.spelling import Comment, Name, Privileges
from reconciler.model.statement import Hazard, HazardKind, Statement, undoable
from reconciler.sql import compose, joined, literal, name, raw, text

SEQUENCE = "SEQUENCE"
_NEXTVAL = re.compile(r"nextval\('((?:[^']|'')+)'::regclass\)\Z")


class Identity(SequenceOptions):
    """An identity column's sequence; short form `generated` without further attributes."""

    generated: Literal["always", "by default"] = Field(
        default="always", description="by default: an INSERT may give a number of its own"
    )
    sequence: Name | None = Field(
        default=None, description="its name, where it is not table_column_seq"
    )
    unlogged: bool | None = Field(
        default=None, description="where it is not as the table is (PostgreSQL 15)"
    )
    grants: Privileges | None = Field(
        default=None, description="role (or `public`) → privileges on the sequence"
    )
    comment: Comment | None = Field(default=None, description="COMMENT ON SEQUENCE")

    def short_form(self, table: str, column: str) -> Identity | Literal["always", "by default"]:
        """Return the identity without the default name, as `generated` alone if possible."""
        is_default = self.sequence == default_name(table, column, "seq")
        sequence = None if is_default else self.sequence
        found = self.model_copy(update={"sequence": sequence, "grants": self.grants or None})
        return found.generated if found == Identity(generated=found.generated) else found

    def numbered_as(self, live: Identity | None, target: Target) -> Identity:
        """Keep the number with which PostgreSQL made the default name of the sequence free."""
        if self.sequence is not None or live is None or live.sequence is None:
            return self
        number = live.sequence.rpartition("seq")[2]
        is_numbered = live.sequence == default_name(target.name, target.column, f"seq{number}")
        kept = live.sequence if number.isdecimal() and is_numbered else None
        return self.model_copy(update={"sequence": kept})

    def sequence_name(self, target: Target) -> str:
        """Return the declared or default name of the sequence."""
        return self.sequence or default_name(target.name, target.column, "seq")

    def sql_name(self, target: Target) -> sql.Composable:
        """Return the qualified name of the sequence."""
        return name(target.schema, self.sequence_name(target))

    def clause(self, schema: str) -> sql.Composable:
        """Return GENERATED … AS IDENTITY, as in the definition of a column."""
        options: list[sql.Composable] = []
        if self.sequence is not None:
            options.append(compose("SEQUENCE NAME {}", name(schema, self.sequence)))
        if sequence_options := text(self.clauses()).strip():
            options.append(raw(sequence_options))
        listed = compose(" ({})", joined(options, by=" ")) if options else raw("")
        return compose("GENERATED {} AS IDENTITY{}", raw(self.generated.upper()), listed)

    # -- statements --------------------------------------------------------------------------------

    def attach(
        self, old: Identity | None, target: Target, context: PlanningContext
    ) -> Iterator[Statement]:
        """Set persistence, privileges and comment; `old` is None for a new sequence."""
        sequence = self.sql_name(target)
        if self.unlogged != (old.unlogged if old else None):
            persistence = raw("UNLOGGED" if self.unlogged else "LOGGED")
            set_logged = compose("ALTER SEQUENCE {} SET {}", sequence, persistence)
            yield Statement(sql=text(set_logged), lock="ACCESS EXCLUSIVE", relation=text(sequence))
        yield from self._grant(old, target, context)
        if self.comment != (old.comment if old else None):
            comment_on = compose("COMMENT ON SEQUENCE {} IS {}", sequence, literal(self.comment))
            yield Statement(sql=text(comment_on))

    def _grant(
        self, old: Identity | None, target: Target, context: PlanningContext
    ) -> Iterator[Statement]:
        sequence = self.sql_name(target)
        privileges = all_privileges(SEQUENCE, context.server)
        designation = compose("SEQUENCE {}", sequence)
        owner = context.granting_owners.get(target.on, "")
        access = Access(
            designation,
            text(sequence),
            privileges,
            owner,
            context.user,
            owner_default=(),
            as_owner=bool(owner),
        )
        initial: Grants = context.initial.get(
            (SEQUENCE, target.schema), context.initial.get((SEQUENCE, ""), {})
        )
        before = initial if old is None else old.grants or {}
        return access.changes(before, self.grants or {})

    def add(
        self, type_: str, target: Target, context: PlanningContext, *, saved: bool
    ) -> Iterable[Statement]:
        """Make an existing column an identity column.

        It counts on from the saved value of the column's sequence, or from the rows.
        """
        yield target.alter_column(
            compose("ADD {}", self.clause(target.schema)), raw("DROP IDENTITY")
        )
        yield from (s.model_copy(update={"undo": ()}) for s in self.attach(None, target, context))
        if saved:
            yield count_on(self.sql_name(target), target)
        elif not target.foreign:
            yield self._set_value_from_rows(type_, target)

    def _set_value_from_rows(self, type_: str, target: Target) -> Statement:
        furthest = compose("{}({})", raw("max" if self.increment > 0 else "min"), target.column)
        low, high = self.bounds(type_)
        set_value = compose(
            "SELECT setval({}, {}) FROM {} HAVING {} BETWEEN {} AND {}",
            literal(text(self.sql_name(target))),
            furthest,
            target.table,
            furthest,
            literal(low),
            literal(high),
        )
        why = (
            f"{target.relation} is read under lock, "
            f"unless an index tells the furthest {target.column}"
        )
        return Statement(
            sql=text(set_value),
            lock="ACCESS SHARE",
            relation=target.relation,
            undo=(),
            hazards=(Hazard(hazard=HazardKind.LONG_SCAN, reason=why),),
        )

    def drop(self, target: Target, context: PlanningContext, *, saved: bool = False) -> Statement:
        """Drop the identity with the sequence, whose value may be saved."""
        undo = (
            target.alter_column_sql(compose("ADD {}", self.clause(target.schema))),
            *(s.sql for s in self.attach(None, target, context)),
        )
        lost = Hazard(
            hazard=HazardKind.DATA_LOSS,
            reason=f"how far {target.relation}.{target.column} has counted is forgotten",
        )
        return target.alter_column(
            raw("DROP IDENTITY"), undo=undo, hazards=() if saved else (lost,)
        )

    def alter_from(
        self, old: Identity, type_: str, target: Target, context: PlanningContext
    ) -> Iterable[Statement]:
        """Alter `old` to the identity."""
        if self.generated != old.generated:
            generated, undo = (
                compose("SET GENERATED {}", raw(i.generated.upper())) for i in (self, old)
            )
            yield target.alter_column(generated, undo)
        if self.sequence_name(target) != old.sequence_name(target):
            yield Statement(
                sql=old.rename_sql(self, target),
                lock="SHARE ROW EXCLUSIVE",
                relation=target.relation,
                undo=(self.rename_sql(old, target),),
            )
        sequence, types = self.sql_name(target), (type_, type_)
        yield from undoable(
            self.altered(old, sequence, types), lambda: old.altered(self, sequence, types)
        )
        renamed = old.model_copy(update={"sequence": self.sequence})
        yield from undoable(
            self.attach(old, target, context), lambda: renamed.attach(self, target, context)
        )

    def rename_sql(self, new: Identity, target: Target) -> str:
        """Return the SQL to rename the sequence to the name of `new`."""
        rename = "ALTER SEQUENCE {} RENAME TO {}"
        return text(compose(rename, self.sql_name(target), new.sequence_name(target)))

    # -- moved to the column that replaces the identity column -------------------------------------

    def save_value(self, target: Target, setting: str) -> Iterable[Statement]:
        """Store the sequence's value in a custom setting of the transaction.

        ALTER SEQUENCE locks the sequence first, so that no other session takes a value.
        """
        lock = compose(
            "ALTER SEQUENCE {} INCREMENT BY {}", self.sql_name(target), literal(self.increment)
        )
        yield Statement(
            sql=text(lock), lock="SHARE ROW EXCLUSIVE", relation=target.relation, undo=()
        )
        save = compose(
            "SELECT set_config({}, last_value || ' ' || is_called, true) FROM {}",
            literal(setting),
            self.sql_name(target),
        )
        yield Statement(sql=text(save), undo=())

    def add_with_saved_value(
        self, target: Target, setting: str, context: PlanningContext
    ) -> Iterable[Statement]:
        """Make the replacing column an identity column, counting on from the stored value."""
        yield target.alter_column(compose("ADD {}", self.clause(target.schema)), undo=())
        yield from (s.model_copy(update={"undo": ()}) for s in self.attach(None, target, context))
        set_value = compose(
            "SELECT setval({}, split_part(current_setting({}), ' ', 1)::bigint, "
            "split_part(current_setting({}), ' ', 2)::boolean)",
            literal(text(self.sql_name(target))),
            literal(setting),
            literal(setting),
        )
        yield Statement(sql=text(set_value), undo=())


@cache
def identity_of(generated: Literal["always", "by default"]) -> Identity:
    """Return the identity without further attributes."""
    return Identity(generated=generated)


# -- counting on in another sequence -------------------------------------------------------------


def save_counter(sequence: sql.Composable, target: Target) -> Statement:
    """Store how far a sequence has counted in a custom setting of the transaction.

    The undo lets the sequence, created again by the undo of a later step, count on from the
    setting.
    """
    save = _save_sql(sequence, target)
    return Statement(sql=save, undo=(_restore_sql(sequence, target),))


def count_on(sequence: sql.Composable, target: Target) -> Statement:
    """Let a sequence count on from the stored value; the undo stores its value."""
    restore = _restore_sql(sequence, target)
    return Statement(sql=restore, undo=(_save_sql(sequence, target),))


def _save_sql(sequence: sql.Composable, target: Target) -> str:
    save = "SELECT set_config({}, last_value || ' ' || is_called, true) FROM {}"
    return text(compose(save, literal(_setting(target)), sequence))


def _restore_sql(sequence: sql.Composable, target: Target) -> str:
    """Set the value, unless none is stored: setval() of a null does nothing."""
    restore = (
        "SELECT setval({}, split_part(saved, ' ', 1)::bigint, split_part(saved, ' ', 2)::boolean) "
        "FROM nullif(current_setting({}, true), '') AS saved"
    )
    return text(compose(restore, literal(text(sequence)), literal(_setting(target))))


def _setting(target: Target) -> str:
    """Return the custom setting for a column's counter.

    PostgreSQL accepts plain identifiers only, and several columns may be altered in a transaction.
    """
    return SETTING_PREFIX + build_name(Ref("column", target.schema, target.column, target.on))


def sequence_of(default: str | None) -> sql.Composable | None:
    """Return the sequence from which a default takes its values; None for other defaults."""
    found = _NEXTVAL.match(default or "")
    return raw(found[1].replace("''", "'")) if found else None
