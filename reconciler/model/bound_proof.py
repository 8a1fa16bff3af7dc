"""Prove the bound of a partition by a CHECK, so that ATTACH PARTITION reads no rows under lock.

https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-ATTACH-PARTITION
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from reconciler.model.context import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import BOUND_CHECK_PREFIX
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.model.table_like import InheritableTable
from reconciler.sql import compose, name, raw, text


@dataclass(frozen=True)
class BoundProof:
    """The statements before a table is attached, ATTACH itself, and the one afterwards."""

    before: Sequence[Statement]
    attach: Sequence[Statement]
    after: Statement


def bound_check(table: Ref) -> str:
    """Return the name of the CHECK that proves the bound of a partition."""
    return BOUND_CHECK_PREFIX + sha256(str(table).encode()).hexdigest()[:12]


def prove_bound(
    table: InheritableTable,
    now: Ref,
    statements: Sequence[Statement],
    context: PlanningContext,
    built: Sequence[Ref] = (),
) -> BoundProof | None:
    """Add a CHECK of the bound to the table, under its name `now`; None where a scan is as good.

    `statements` alter the table into the partition, and build the indexes `built` of its parent.
    """
    scan = table.attach_hazards(context)
    may_prove = table.may_prove_bound(context) and table.ref in context.bounds
    if not may_prove or context.size(table.ref).quickly_read:
        return None
    columns, bound = context.bounds[table.ref]
    check, live_name = bound_check(table.ref), name(now.schema, now.name)
    drop = compose("DROP CONSTRAINT IF EXISTS {}", check)
    add = compose("ADD CONSTRAINT {} CHECK ({}) NOT VALID", check, raw(bound))
    question = next((s.question for s in statements if s.hazards == scan), None)
    reason = (
        f"{now.identity} refuses rows outside the bound of {table.ref.identity} "
        f"({', '.join(columns)}) until it is attached; `attach_under_lock` reads it instead"
    )
    prepare = Statement(
        sql=text(compose("ALTER TABLE {} {}, {}", live_name, drop, add)),
        lock="ACCESS EXCLUSIVE",
        relation=now.identity,
        own_transaction=True,
        hazards=(Hazard(hazard=HazardKind.BLOCKS_WRITES, reason=reason),),
        undo=(text(compose("ALTER TABLE {} {}", live_name, drop)),),
        temporary=True,
    )
    validate = Statement(
        sql=text(compose("ALTER TABLE {} VALIDATE CONSTRAINT {}", live_name, check)),
        lock="SHARE UPDATE EXCLUSIVE",
        relation=now.identity,
        own_transaction=True,
        long=True,
        undo=(),
        question=question,
    )
    proven = {"hazards": tuple(_blocked(table, i, context) for i in built), "question": None}
    attach = [s.model_copy(update=proven) if s.hazards == scan else s for s in statements]
    after = compose("ALTER TABLE {} DROP CONSTRAINT {}", table.sql_name(), check)
    return BoundProof(
        (prepare, validate),
        attach,
        Statement(sql=text(after), lock="ACCESS EXCLUSIVE", relation=table.ref.identity, undo=()),
    )


def _blocked(table: InheritableTable, index: Ref, context: PlanningContext) -> Hazard:
    """Return the hazard of an index that ATTACH PARTITION builds."""
    reason = (
        f"nobody can read or write {table.ref.identity} ({context.size(table.ref).description}) "
        f"while {index} is built: create it on the table before"
    )
    return Hazard(hazard=HazardKind.BLOCKS_READS, reason=reason)
