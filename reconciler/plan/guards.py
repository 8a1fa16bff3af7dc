"""Compare what guards rows before and after, where a plan drops and creates it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.markers import GuardsRows
from reconciler.model.statement import Hazard, HazardKind
from reconciler.plan.operations import Operation, Operations


def compare_guards(operations: Operations) -> None:
    """Put in place of the hazards of a DROP and a CREATE those of what has changed by both.

    Everything that guards the rows of a table changes in one transaction, so nobody sees rows
    between the two. Where a guard under another name lets no more through, nothing is weakened.
    Casts do not count where another object is the reason, such as a column with a new type.
    """
    for old, new in _replaced(operations):
        weaknesses = new.weaknesses(old)
        if operations.recreation.recreated.get(new.ref, new.ref) != new.ref:
            weaknesses = new.without_casts().weaknesses(old.without_casts()) and weaknesses
        if old.ref == new.ref or not weaknesses:
            _replace_hazards(operations, Operation.drop(old.ref), ())
            _replace_hazards(operations, Operation.create(new.ref), weaknesses)


def _replaced(operations: Operations) -> Iterator[tuple[GuardsRows, GuardsRows]]:
    """Yield each dropped guard with the created ones of its name, or of new names on its table."""
    live, desired = operations.live, operations.desired
    dropped = [o for r in operations.dropped if isinstance(o := live.get(r), GuardsRows)]
    created = [o for r in operations.created if isinstance(o := desired.get(r), GuardsRows)]
    for old in dropped:
        for new in created:
            renamed = old.ref not in desired and new.ref not in live and old.ref.on == new.ref.on
            if old.ref == new.ref or renamed:
                yield old, new


def _replace_hazards(
    operations: Operations, operation: Operation, weaknesses: tuple[Hazard, ...]
) -> None:
    statements = operations.statements.get(operation, [])
    for number, statement in enumerate(statements):
        kept = (h for h in statement.hazards if h.hazard is not HazardKind.WEAKENS_SECURITY)
        hazards = (*kept, *(weaknesses if number == 0 else ()))
        statements[number] = statement.model_copy(update={"hazards": hazards})
