"""Options of commands that use the journal, or let hazards through."""

from __future__ import annotations

import click

from reconciler.journal.ownership import FLAG, VARIABLE
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.statement import HazardKind

HAZARDS = click.Choice([*(hazard.value for hazard in HazardKind), "all"])
HAZARD_NAMES = "\n\n\b\nHAZARD is one of\n" + "\n".join(f"  {h}" for h in HAZARDS.choices)


journal_option = click.option(
    "--journal",
    metavar="NAME",
    help=f"The schema that records the runs. Default: `journal` of reconcile.yml, else {JOURNAL}.",
)


journal_owner_option = click.option(
    FLAG,
    metavar="ROLE",
    envvar=VARIABLE,
    help="A role that may own the journal besides the current role, superusers and the database's"
    f" owner. Default: {VARIABLE}, else none.",
)
