"""Every name that reconcile may leave in a database, with its meaning."""

from __future__ import annotations

JOURNAL = "reconcile"  # the schema that holds our record of runs, where nobody names another: no kind sees it


MARK = "the runs of reconcile: a journal"  # the comment on its table `run`, by which it is known under any name


UNFILLED = "reconcile is about to fill this. "  # begins the comment of a new column until all rows have their value


FILL_TRIGGER_PREFIX = "reconcile_fill_"  # how names begin of triggers, and their functions, that keep a column filled: each is part of its column


SHADOW_PREFIX = "reconcile_retype_"  # how names begin of columns that are about to take another's place, and of the functions that fill them


LAST = "~"  # begins the names of these functions' triggers, so that they fire when all others have


# The prefix of an index under its temporary name, followed by 12 hexadecimal digits of a hash of the object's name, and
# by `_old` for the index to be dropped; and the regular expression of such a name.
BUILD_PREFIX = "reconcile_"
BUILD_NAME = f"^{BUILD_PREFIX}[0-9a-f]{{12}}(_old)?$"


# The prefix of a check constraint that proves NOT NULL while the column is set NOT NULL (14 to 17).
NOT_NULL_CHECK = "reconcile_not_null_"


# Begins the comment of a constraint that was valid, until the constraint is validated again.
UNVALIDATED = "reconcile is about to validate this again. "


def keeps_filled(trigger: str, function: str) -> str:
    """SQL that is true of a trigger of ours that keeps a column filled; both are rows of their catalogs."""
    like = FILL_TRIGGER_PREFIX.replace("_", r"\_") + "%"
    return f"({trigger}.tgname LIKE '{like}' AND {function}.proname LIKE '{like}')"


def keeps_in_step(trigger: str, function: str) -> str:
    """SQL that is true of a trigger of ours that keeps a column's twin in step; both are rows of their catalogs."""
    return f"({trigger}.tgname = '{LAST}' || {function}.proname AND {is_shadow_column(function + '.proname')})"


def is_shadow_column(column: str) -> str:
    """SQL that is true of a name which begins like a twin's."""
    return f"starts_with({column}::text, '{SHADOW_PREFIX}')"
