"""The results of a command over several targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from reconciler.plan.plan import Plan

Status = Literal["ok", "changed", "failed", "unreachable", "busy", "skipped"]
STATUSES: Sequence[Status] = get_args(Status)
MEANINGS: Mapping[Status, str] = {
    "ok": "as declared",
    "changed": "changed to the declared state; of `plan`: to be changed",
    "failed": "a step, a check or the plan failed; the message says which",
    "unreachable": "the server could not be reached",
    "busy": "another run is at work on the database",
    "skipped": "not begun",
}
Command = Literal["plan", "apply", "verify", "rollback"]
DONE, ERROR, DIFFERENT = 0, 1, 2  # exit statuses
WORST_FIRST = (ERROR, DIFFERENT, DONE)


@dataclass(frozen=True)
class TargetResult:
    """The result of a target.

    name     that of reconcile.yml, or the target without its password
    exit     the exit status that a command for this target alone would have
    ok, changed, failed, skipped
             numbers of objects, as in the recap of `apply`
    run      the number of the run in the journal of the target
    left     how many runs of a roll-out are left to undo
    unknown  whether the journal does not know the roll-out to undo
    message  why the status is what it is; notes tell more
    plan     the plan, of `plan` and of what is to be confirmed
    database the server and the database, of which one target at a time is changed
    retry    whether another attempt, at the end, may have another result
    at       when the work on the target began, in seconds since 1970; `seconds` how long it took
    """

    name: str
    status: Status
    exit: int = DONE
    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0
    run: int | None = None
    message: str = ""
    notes: Sequence[str] = ()
    plan: Plan | None = None
    left: int = 0
    unknown: bool = False
    database: str = ""
    retry: bool = False
    at: float = 0.0
    seconds: float = 0.0

    @property
    def objects(self) -> Mapping[str, int]:
        """The numbers of objects by result."""
        return {
            "ok": self.ok,
            "changed": self.changed,
            "failed": self.failed,
            "skipped": self.skipped,
        }


def not_begun(name: str, reason: str) -> TargetResult:
    """Return the result of a target without a begun run."""
    return TargetResult(name, "skipped", exit=DIFFERENT, message=reason)


@dataclass(frozen=True)
class RolloutReport:
    """The results of all targets, in order.

    rollout  the name of the roll-out in the journals, "" of commands that change nothing
    ended    why the roll-out ended before its last target, or ""
    advice   what to do now, a command to a line
    """

    command: Command
    results: Sequence[TargetResult]
    rollout: str = ""
    ended: str = ""
    advice: Sequence[str] = field(default=())

    @property
    def counts(self) -> Mapping[Status, int]:
        """The number of targets by status, each in the order of recaps."""
        found = Counter(result.status for result in self.results)
        return {status: found[status] for status in STATUSES}

    @property
    def exit(self) -> int:
        """The exit status: the worst of all."""
        found = {result.exit for result in self.results}
        return next((status for status in WORST_FIRST if status in found), DONE)
