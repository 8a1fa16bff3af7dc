"""Find out what lets the hazards of a plan through, by the journal of the target."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from reconciler.approvals import Allowed, Judged, Named, judge
from reconciler.errors import PlanRefused, StatementFailed
from reconciler.journal.approved import uses_of_approvals
from reconciler.journal.ownership import Place
from reconciler.plan.permission import FILE, permissions_needed
from reconciler.plan.plan import Permission, Plan
from reconciler.server.connection import Connection

UNREADABLE = f"{FILE} lets nothing through: the journal that counts its entries cannot be read: "


@dataclass(frozen=True)
class Permitting:
    """What lets hazards through, and the place of the journal, None for no journal."""

    allowed: Allowed
    journal: Place | None

    @classmethod
    def of(cls, allow: Allowed | Collection[str], journal: Place | None) -> Permitting:
        """Take kinds of hazards, or "all", for what lets hazards through."""
        return cls(allow if isinstance(allow, Allowed) else Allowed(allow), journal)

    @property
    def asks_journal(self) -> bool:
        """Whether the journal decides about entries."""
        return bool(self.allowed.approvals) and self.journal is not None

    def judge(self, plan: Plan, connection: Connection | None) -> Judged:
        """Return what lets the hazards of a plan through; without a connection, only flags do.

        Raises PlanRefused if the journal cannot be read or trusted, and entries depend on it.
        """
        if self.journal is None:
            return judge(plan, self.allowed, None)
        if connection is None or not self.allowed.approvals:
            return judge(plan, Allowed(self.allowed.flags), {})
        return judge(plan, self.allowed, _uses(connection, self.journal))

    def shown(self, plan: Plan, connection: Connection | None) -> Plan:
        """Return the plan with its permissions, and with notes of entries that give none."""
        try:
            judged = self.judge(plan, connection)
        except PlanRefused as error:
            judged = judge(plan, Allowed(self.allowed.flags), {})
            judged = Judged(judged.permissions, str(error).split("\n"))
        update = {"permissions": tuple(judged.permissions), "notes": (*plan.notes, *judged.notes)}
        shown = plan.model_copy(update=update)
        return shown.sealed() if judged.notes else shown  # the digest leaves permissions out


def _uses(connection: Connection, journal: Place) -> dict[Named, int]:
    try:
        return uses_of_approvals(connection, journal)
    except StatementFailed as error:
        raise PlanRefused(UNREADABLE + error.message) from None


def hazard_refusals(permissions: Sequence[Permission], notes: Sequence[str] = ()) -> list[str]:
    """Return a message for each kind of hazard that nothing lets through, with what would."""
    by_hazard: dict[str, list[Permission]] = {}
    for permission in permissions:
        if not permission.given_by:
            by_hazard.setdefault(permission.hazard, []).append(permission)
    messages: list[str] = []
    for hazard, refused in sorted(by_hazard.items()):
        reasons = "; ".join(dict.fromkeys(r for p in refused for r in p.reasons))
        messages.append(f"{hazard}: {reasons}; if you mean it: --allow {hazard}")
        messages += [f"or add to {FILE}, with a reason:", *(p.line for p in refused)]
    return [*messages, *(notes if messages else ())]


def needed_permissions(plan: Plan) -> Sequence[Permission]:
    """Return the permissions of a plan, none of them given where nothing was asked yet."""
    return plan.permissions or permissions_needed(plan)
