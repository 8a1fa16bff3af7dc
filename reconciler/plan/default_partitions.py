"""Ask for rows of default partitions that belong into a partition to be attached.

PostgreSQL refuses the partition then, and moves no row.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.diff.renames import Renaming
from reconciler.model.inheritance import parents_of
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Question, Statement
from reconciler.plan.locks import LockFinder
from reconciler.plan.operations import Operations
from reconciler.sql import name, text


def add_questions_of_default_partitions(
    operations: Operations, renamings: Sequence[Renaming], whole: State | None
) -> None:
    """Put a question on each statement that makes PostgreSQL read a default partition.

    `whole` is the state of the target: nobody need have declared the default partition.
    """
    finder = LockFinder(operations, whole, renamings)
    for operation, statements in operations.statements.items():
        if any(s.ties == "attach" for s in statements):
            ref = operation.ref
            operations.statements[operation] = [
                _asking(
                    s, [_question(operations, d, ref) for d in finder.read_by_attaching(s, ref)]
                )
                for s in statements
            ]


def _asking(statement: Statement, questions: Sequence[Question]) -> Statement:
    found = [q for q in (statement.question, *questions) if q is not None]
    if not questions:
        return statement
    first = found[0].model_copy(update={"more": (*found[0].more, *found[1:])})
    return statement.model_copy(update={"question": first})


def _question(operations: Operations, default: Ref, partition: Ref) -> Question:
    columns, bound = operations.context.bounds.get(partition, ((), ""))
    found = Question(
        relation=text(name(default.schema, default.name)),
        columns=columns,
        meaning=f"rows of {default.identity}, the default partition, lie inside the bound of "
        f"{partition.identity}",
    )
    if not bound:
        why = "the partition key has expressions, or the partitioned table is a partition"
        return found.model_copy(update={"unasked": why})
    parent = parents_of(operations.desired[partition])[-1].identity
    remedy = f"put them aside in another table, and insert them into {parent} after the run"
    asked = {"condition": bound, "built_in": columns, "remedy": remedy}
    return found.model_copy(update=asked)
