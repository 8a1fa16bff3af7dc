"""List every name used by reconcile to mark database objects, with the meaning.

A DBA can look up any of the names here. The values must never change: later versions recognise
unfinished work of earlier versions by name.

The next plan finds leftovers of an interrupted run, and finishes or drops each leftover.
Names that a session uses in pg_temp, or on the embedded server, are not listed.
"""

from __future__ import annotations

from reconciler.server import names

# -- sessions: pg_stat_activity and pg_locks -------------------------------------------------------

# application_name of the session that plans or applies, unless the connection string gives another.
APPLICATION = names.APPLICATION  # "reconcile"

# application_name of the session that watches what an applying session waits for.
MONITOR_APPLICATION = "reconcile monitor"

# application_name of sessions on the server that holds the scratch database.
SCRATCH_APPLICATION = names.SCRATCH_APPLICATION  # "reconcile scratch"

# Advisory lock (classid, objid; "reco", "ncil") that the only applying session of a database holds.
APPLIER_LOCK = (0x7265636F, 0x6E63696C)

# Prefix of a setting, local to one transaction, that carries the position of a sequence from an
# identity column to the column that replaces it, or the rows of a backfill's statement.
SETTING_PREFIX = "reconcile."

# -- databases -------------------------------------------------------------------------------------

# Prefix of a temporary database in which plans are proven, followed by 12 hexadecimal digits. It is
# dropped at the end; one that a killed process has left can be dropped by hand.
SCRATCH_DATABASE_PREFIX = names.SCRATCH_DATABASE_PREFIX  # "reconcile_scratch_"

# -- the journal -----------------------------------------------------------------------------------

# Schema of the journal, unless `journal` names another. Its tables are `run`, `step`, `touched`
# and `baseline` (reconciler/journal/tables.py), and `backfill`. No kind sees the schema.
JOURNAL = "reconcile"


def schema_user(schema: str) -> str:
    """Return who uses a schema that no declaration may fill, or ""."""
    if schema.startswith("pg_") or schema == "information_schema":
        return "PostgreSQL"
    return "the journal" if schema == JOURNAL else ""


# Comment on the table `run`, by which a journal is recognised in a schema of any name.
JOURNAL_COMMENT = "the runs of reconcile: a journal"

# Table of the journal's schema with the position of every unfinished backfill.
BACKFILL_TABLE = "backfill"

# -- comments --------------------------------------------------------------------------------------

# Begins the comment of a new column until its backfill is finished.
UNFILLED_COMMENT = "reconcile is about to fill this. "

# Begins the comment of a constraint that was valid, until the constraint is validated again.
UNVALIDATED_COMMENT = "reconcile is about to validate this again. "

# -- temporary objects, gone when the plan is done -------------------------------------------------

# Prefix of an index or constraint under its temporary name, followed by 12 hexadecimal digits of a
# hash of the object's name, and by `_old` for one to be dropped; and a regular expression for both.
BUILD_PREFIX = "reconcile_"
BUILD_NAME = f"^{BUILD_PREFIX}[0-9a-f]{{12}}(_old)?$"

# Prefix of a function and a materialized view in the schema of a table, followed by 12 random
# hexadecimal digits: a backfill runs as the owner of the table by them. No other transaction sees
# either.
AS_OWNER_PREFIX = "reconcile_as_owner_"

# Prefix of a data type or function, until its replacement in the same transaction is complete, and
# of a table, and its indexes, that a rollback drops for the one of which it has taken the name.
OLD_PREFIX = "reconcile_old_"

# Prefix of a check constraint that proves NOT NULL while the column is set NOT NULL (14 to 17).
NOT_NULL_CHECK_PREFIX = "reconcile_not_null_"

# Prefix of a check constraint that proves the bound of a table until the table is a partition,
# followed by 12 hexadecimal digits of a hash of the table's name.
BOUND_CHECK_PREFIX = "reconcile_bound_"

# Prefix of a shadow column, which is filled with the values of a column in another data type and
# then takes its place; and of the trigger function that keeps the shadow column up to date.
SHADOW_PREFIX = "reconcile_retype_"

# Prefix of that function's trigger, before the function's name: BEFORE triggers fire in the order
# of their names, and this one must see the changes of all others.
SHADOW_TRIGGER_PREFIX = "~"

# -- permanent objects, parts of a column ----------------------------------------------------------

# Prefix of a trigger, and of its function, that fills a column where applications leave it null,
# for as long as the declaration says so.
FILL_TRIGGER_PREFIX = "reconcile_fill_"

# Prefix of such a trigger, before the function's prefix, if it sets the column in every row:
# it must see the changes of all other triggers.
LAST_TRIGGER_PREFIX = "~"


def is_fill_trigger(trigger: str, function: str) -> str:
    """Return SQL true of fill triggers, over rows of pg_trigger and pg_proc."""
    like = FILL_TRIGGER_PREFIX.replace("_", r"\_") + "%"
    named = f"ltrim({trigger}.tgname::text, '{LAST_TRIGGER_PREFIX}')"
    return f"({named} LIKE '{like}' AND {function}.proname LIKE '{like}')"


def is_shadow_trigger(trigger: str, function: str) -> str:
    """Return SQL true of triggers of shadow columns, over rows of pg_trigger and pg_proc."""
    return (
        f"({trigger}.tgname = '{SHADOW_TRIGGER_PREFIX}' || {function}.proname "
        f"AND {is_shadow_column(function + '.proname')})"
    )


def is_shadow_column(column: str) -> str:
    """Return SQL true of names with the prefix of shadow columns."""
    return f"starts_with({column}::text, '{SHADOW_PREFIX}')"
