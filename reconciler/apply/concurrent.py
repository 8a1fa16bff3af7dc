"""Recognise that a run for another database has changed the same object of the cluster.

No lock keeps such runs apart: advisory locks are those of a database. PostgreSQL lets the first
one commit, and the second one fail. https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.errors import StatementFailed
from reconciler.introspect.global_objects import GLOBAL
from reconciler.plan.step import Step

CONTENDED = "another run changes the same object of the cluster"
_DUPLICATE, _UNDEFINED = "42710", "42704"
# A row that another session has just inserted; and "tuple concurrently updated", or deleted.
_CONTENDED = ("23505", "XX000")


def is_contended(group: Sequence[Step], failure: StatementFailed) -> bool:
    """Tell whether a step on an object of the cluster may succeed once another run is done."""
    return failure.sqlstate in _CONTENDED and all(s.kind in GLOBAL for s in group)


def done_by_another_run(group: Sequence[Step], failure: StatementFailed) -> bool:
    """Tell whether the object that a step creates is there, or the one that it drops is gone.

    Whether the object is as planned shows afterwards, as with every step.
    """
    if len(group) != 1 or group[0].kind not in GLOBAL:
        return False
    done = {"create": _DUPLICATE, "drop": _UNDEFINED}
    return failure.sqlstate == done.get(group[0].action)
