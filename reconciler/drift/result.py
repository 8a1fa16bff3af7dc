"""The result of a look at targets: the differences of each, or why the look failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from reconciler.diff.diff import Action
from reconciler.plan.plan import FilePosition

DriftClass = Literal[
    "drifted", "both", "missing", "unmanaged", "unfinished", "different", "pending"
]
CLASSES: Sequence[DriftClass] = get_args(DriftClass)  # in the order of reports
MEANINGS: Mapping[DriftClass, str] = {
    "drifted": "the database was changed since the last run",
    "both": "the database and the files were changed since the last run",
    "missing": "it is declared, and the database lacks it",
    "unmanaged": "it is not declared where the declaration is complete",
    "unfinished": "a run, or a build by hand, stopped before its end",
    "different": "no recorded run tells which side was changed",
    "pending": "the files were changed, and not applied yet",
}
Status = Literal["ok", "different", "error"]
STATUSES: Sequence[Status] = get_args(Status)


@dataclass(frozen=True)
class FieldDrift:
    """A differing field; `applied` is the value after the last run, if `recorded`."""

    field: str
    live: Any
    wanted: Any
    applied: Any = None
    recorded: bool = False


@dataclass(frozen=True)
class LastRun:
    """The last run that touched an object; `status` as in `history`."""

    id: int
    at: datetime
    status: str


@dataclass(frozen=True)
class Trace:
    """The last change of an object's catalog row.

    The transaction, how many began since, and the time of its commit, if the server tracks that.
    """

    transaction: int
    age: int
    committed_at: datetime | None = None


@dataclass(frozen=True)
class ObjectDrift:
    """An object that differs from the declaration; `owner` may alter it, or alter its table."""

    kind: str
    identity: str
    action: Action
    drift_class: DriftClass
    security: bool = False
    fields: Sequence[FieldDrift] = ()
    position: FilePosition | None = None
    last_run: LastRun | None = None
    trace: Trace | None = None
    owner: str | None = None

    @property
    def title(self) -> str:
        """The kind and the identity."""
        return f"{self.kind} {self.identity}"


@dataclass(frozen=True)
class TargetDrift:
    """The differences of a target; `error` is the reason for a missing answer.

    `name` is that of reconcile.yml, or the target without its password. `at` is the time of the
    look, in seconds since 1970, and `seconds` how long it took.
    """

    name: str
    target: str = ""
    in_sync: bool = False
    unchanged: int = 0
    notes: Sequence[str] = ()
    objects: Sequence[ObjectDrift] = ()
    error: str = ""
    at: float = 0.0
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """Whether the target is as declared, differs, or gave no answer."""
        if self.error:
            return "error"
        return "ok" if self.in_sync else "different"

    @property
    def counts(self) -> dict[DriftClass, int]:
        """The number of objects by class, in the order of reports."""
        found = Counter(o.drift_class for o in self.objects)
        return {c: found[c] for c in CLASSES if found[c]}

    @property
    def security_count(self) -> int:
        """The number of differences in access rights."""
        return sum(o.security for o in self.objects)


@dataclass(frozen=True)
class DriftReport:
    """The looks at one target, or at `several`."""

    targets: Sequence[TargetDrift]
    several: bool = False

    @property
    def status(self) -> Status:
        """The worst of all targets."""
        found = {t.status for t in self.targets}
        worst: Status = "ok"
        for status in STATUSES:
            worst = status if status in found else worst
        return worst
