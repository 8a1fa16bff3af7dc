"""Read again where objects were dropped or replaced while they were read.

Functions such as pg_get_viewdef() show the present, not the snapshot of the transaction: for an
object that is gone they raise an error or return null.
https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CATALOG
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import TypeVar

from reconciler.errors import StatementFailed
from reconciler.server.locks import pauses

T = TypeVar("T")
ATTEMPTS = 6
# Of missing objects: internal error, undefined table, column, object, function and schema; and of
# what replay on a standby does to queries.
PASSING = {"XX000", "42P01", "42703", "42704", "42883", "3F000", "40001", "40P01"}


class ObjectsChanged(Exception):
    """Objects were dropped while they were read."""


def read_until_steady(read: Callable[[], T]) -> T:
    """Call `read`, and again after a pause if objects changed meanwhile; raises StatementFailed.

    `read` raises ObjectsChanged with the names of such objects.
    """
    reason = ""
    for pause in islice(pauses(), ATTEMPTS):
        if reason:
            time.sleep(pause)
        try:
            return read()
        except ObjectsChanged as e:
            reason = str(e)
        except StatementFailed as e:
            if e.sqlstate not in PASSING:
                raise
            reason = e.message
    raise StatementFailed(
        f"objects were dropped or replaced each of the {ATTEMPTS} times that they were read: "
        f"{reason}",
        hint="run again when nobody else changes the structure of the database",
    )
