"""Explain hazards and locks: docs/hazards.md, docs/locks.md and `reconcile explain` show this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.statement import HazardKind
from reconciler.server.locks import WEAKEST_FIRST, blocked_by

HAZARDS, LOCKS = "hazards", "locks"  # topics


@dataclass(frozen=True)
class Explained:
    """What a hazard means, when it comes up, and what to do."""

    means: str
    examples: str
    do: str


EXPLAINED: Mapping[HazardKind, Explained] = {
    HazardKind.DATA_LOSS: Explained(
        "values or rows that exist now are gone after the step, and no undo brings them back",
        "a column or a table is dropped; a type becomes narrower; `using` computes other values",
        """\
Copy what is still needed first. Look at the plan: `renamed_from` in the YAML keeps the values where
a drop and a create were meant as a rename. Then allow the hazard.""",
    ),
    HazardKind.TABLE_REWRITE: Explained(
        "PostgreSQL writes every row, or every entry of an index, once more, while nobody can read"
        " or write the table",
        "int becomes bigint; a table moves to another tablespace; a stored generated column is"
        " added",
        """\
On a column, `retype: online` changes the type in a shadow column by batches, and `keep_filled` with
`backfill` takes the place of a stored generated column. Otherwise choose a quiet hour: the plan
shows the size of the table. Twice its space is needed on the disk.""",
    ),
    HazardKind.BLOCKS_WRITES: Explained(
        "sessions that write wait, or fail, as long as the step runs or the state lasts",
        "an index that cannot be built concurrently; the values of a domain are checked for a new"
        " constraint; UPDATE and DELETE on a published table whose rows nothing identifies; a CHECK"
        " that proves the bound of a partition to be",
        """\
Read the reason: it names the table and who waits. Let the application write what the new state
demands before the plan runs, or choose a quiet hour.""",
    ),
    HazardKind.BLOCKS_READS: Explained(
        "sessions that read wait or fail: the object is locked, empty or away for a time, or what"
        " uses it under its old name fails",
        "an index without CONCURRENTLY; a materialized view is filled anew; a function still uses a"
        " table, column or value that is renamed or dropped",
        """\
Change functions and applications that use the old name first, or declare the functions' new bodies
in the same plan: they are replaced with the rename, and before what they no longer use is dropped.
Bodies are searched for words, so look whether a function means this object. For a table that is
large, choose a quiet hour, and a small --lock-timeout.""",
    ),
    HazardKind.LONG_SCAN: Explained(
        "all rows are read while a strong lock is held, because no way without it exists",
        "a partition is attached without a proven bound; a constraint cannot be validated later",
        """\
The reason shows the size. Where a CHECK can prove the same beforehand, declare it in a plan before
this one: it is validated without blocking anybody.""",
    ),
    HazardKind.WEAKENS_SECURITY: Explained(
        "somebody may read, write or run more afterwards than before",
        "a policy is for more roles or commands, or its condition is replaced by one that is not"
        " surely narrower; a restrictive policy is dropped; row level security is switched off; a"
        " function becomes SECURITY DEFINER; a privilege is granted to PUBLIC",
        """\
Have it reviewed by whoever answers for the data: a line in approvals.yml lets this one change
through, and no other. Declare `checks` with `access` that say who may see what, and
run `verify`.""",
    ),
    HazardKind.IRREVERSIBLE: Explained(
        "the step works, but no undo exists, or none that brings back all",
        "an extension is updated, and has no script that leads back; the value of an option before"
        " the change is hidden from the role; a child table leaves its last parent, whose columns"
        " become its own",
        """\
Note down what the state before was, as far as you can read it, and try the step on a copy of the
database. Then allow it.""",
    ),
    HazardKind.STOPS_REPLICATION: Explained(
        "a subscription stops with an error, and the publisher keeps WAL until it goes on",
        "a table is renamed, or loses its key, into which a subscription writes",
        """\
Make the change on publisher and subscriber at the same time, with the subscription disabled; then
look at pg_stat_subscription and at the disk of the publisher.""",
    ),
}
_HAZARDS_HEAD = """\
# Hazards

A hazard is what a step does to data, to other sessions or to security when it *succeeds*. `plan`
shows each with its reason, and `apply` refuses a plan with hazards that nothing lets through:

    reconcile apply --allow data-loss     # lets all hazards of the kind through, in this run
    reconcile plan                        # shows the line of approvals.yml that lets one through

`approvals.yml` ([Approvals](approvals.md)) lets single ones through, after a review. A plan without
hazards may still fail, for example on a row that a new constraint refuses; then nothing is lost,
and the next run goes on.
"""
_LOCKS_HEAD = """\
# Locks

`plan` shows for each step the lock that it takes, and on which table. What the application feels
depends on the mode:

| mode | what waits meanwhile | steps that take it |
|---|---|---|
"""
_TAKEN_BY = {
    "ACCESS SHARE": "reading rows: checks, questions about rows",
    "ROW SHARE": "the referenced table while a foreign key is validated",
    "ROW EXCLUSIVE": "batches of a backfill",
    "SHARE UPDATE EXCLUSIVE": "CREATE INDEX CONCURRENTLY, VALIDATE CONSTRAINT, statistics,"
    " storage parameters, comments; the parent when a partition is attached",
    "SHARE": "CREATE INDEX on a table that the plan itself creates; a new constraint of a domain,"
    " on every table with columns of the domain, which is read",
    "SHARE ROW EXCLUSIVE": "triggers; a foreign key, NOT VALID, on both tables",
    "EXCLUSIVE": "REFRESH MATERIALIZED VIEW CONCURRENTLY",
    "ACCESS EXCLUSIVE": "most forms of ALTER TABLE, policies, DROP; held for milliseconds where"
    " no hazard says otherwise",
}
_LOCKS_END = """
A short lock can do harm too: while it is requested and not granted, all that comes later queues up
behind the request. Therefore a step

- looks first whether an old transaction holds the table, names the session and waits without a
  request;
- requests the lock for a quarter of a second at first, and for `--lock-timeout` (2 s) at most;
- then withdraws the request, lets the others pass, and tries again for `--retry-for` (600 s);
- holds a strong lock only for statements that read no rows, under `--statement-timeout` (30 s).

What must scan rows does so under SHARE UPDATE EXCLUSIVE, in a transaction of its own. Where that is
impossible, the plan has a hazard: `reconcile explain hazards`.

Transactions of a plan that only create objects, and lock nothing that was there before, run as one
transaction of up to 200 steps, sent at once: no other session waits, as none knows the objects yet.
If a step fails, all of them are rolled back, and the transactions run one by one, as the plan lists
them.
"""


def topics() -> Mapping[str, str]:
    """Return the explanation of each topic: all hazards, each hazard, and locks."""
    each = {kind.value: _hazard(kind, "# ") for kind in HazardKind}
    return {HAZARDS: hazards(), **each, LOCKS: locks()}


def hazards() -> str:
    """Return docs/hazards.md."""
    return "\n".join([_HAZARDS_HEAD, *(_hazard(kind, "## ") for kind in HazardKind)])


def locks() -> str:
    """Return docs/locks.md."""
    rows = (
        f"| {mode} | {blocked_by(mode) or 'no statement that reads or writes'} | {taken} |\n"
        for mode in WEAKEST_FIRST
        for taken in [_TAKEN_BY[mode]]
    )
    return _LOCKS_HEAD + "".join(rows) + _LOCKS_END


def _hazard(kind: HazardKind, heading: str) -> str:
    explained = EXPLAINED[kind]
    return (
        f"{heading}{kind.value}\n\n{_sentence(explained.means)}\n\n"
        f"For example: {explained.examples}.\n\n{explained.do}\n"
    )


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
