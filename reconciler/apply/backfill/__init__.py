"""Backfill a column: set null values in batches of short transactions, along a key of the table."""

from reconciler.apply.backfill.fill import fill, refusals
from reconciler.apply.backfill.progress import Progress
from reconciler.apply.backfill.script import omissions, script

__all__ = ["Progress", "fill", "omissions", "refusals", "script"]
