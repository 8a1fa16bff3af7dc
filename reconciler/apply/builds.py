"""Wait for indexes that other sessions build."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.errors import Busy, StatementFailed
from reconciler.model.catalog_sql import index_builder
from reconciler.server.connection import Connection, rows
from reconciler.server.locks import LockPolicy, named, pauses, sessions

_STATE = f"""
    SELECT i.indisvalid AND i.indisready AS valid,
           {index_builder("i.indexrelid", "i.indrelid")} AS builder
    FROM pg_index AS i WHERE i.indexrelid = to_regclass(%(index)s)"""


@dataclass(frozen=True)
class IndexState:
    """Whether an index is valid, and the pid of another session that builds it."""

    valid: bool
    builder: int | None


def index_state(connection: Connection, index: str) -> IndexState | None:
    """Return the state of an index, given as SQL; None if it does not exist."""
    found = rows(connection, _STATE, {"index": index})
    if not found:
        return None
    return IndexState(found[0]["valid"], None if found[0]["valid"] else found[0]["builder"])


def wait_for_builds(
    connection: Connection,
    indexes: Sequence[str],
    policy: LockPolicy,
    notice: Callable[[str], None],
) -> None:
    """Wait until no other session builds one of the indexes; raises Busy after the total time."""
    deadline = time.monotonic() + policy.total
    for index in indexes:
        reported: int | None = None
        for pause in pauses():
            state = index_state(connection, index)
            if state is None or state.builder is None:
                break
            by = named(sessions(connection, [state.builder]))
            if time.monotonic() + pause > deadline:
                raise Busy(
                    f"after {policy.total:g} s, {index} is still being built by {by}: run again "
                    "when that is done, or wait longer by --retry-for"
                )
            if reported != state.builder:
                reported = state.builder
                notice(f"waits for {index}, which is being built by {by}")
            time.sleep(pause)


def assert_left_over(
    connection: Connection, index: str, policy: LockPolicy, notice: Callable[[str], None]
) -> None:
    """Raise StatementFailed if an index that is to be dropped as invalid is valid by now.

    A session that builds it is waited for.
    """
    try:
        wait_for_builds(connection, [index], policy, notice)
    except Busy as e:
        raise StatementFailed(str(e)) from e
    state = index_state(connection, index)
    if state is not None and state.valid:
        raise StatementFailed(
            f"{index} was invalid when the plan was made, and is valid now: somebody else has "
            "completed it",
            hint="plan again: it may be what is declared",
        )
