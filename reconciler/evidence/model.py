"""Define the content of a report: a plan, measurements with sources, and commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from reconciler.errors import Severity
from reconciler.journal.history import Detail, Run, StepRecord
from reconciler.plan.plan import Plan, PlanFinding

Content = TypeVar("Content")


class _Document(BaseModel):
    """A document printed by reconcile; keys without a place in a report are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, defer_build=True)


class QueryFigures(_Document):
    """The figures of a query in a variant; times are milliseconds, `promised` and `saved` %."""

    scale: float
    variant: str
    query: str
    error: str | None = None
    median: float | None = None
    percentile_95: float | None = None
    saved: float | None = None
    promised: float | None = None
    promise: Literal["kept", "not kept", "not measured"] | None = None


class Benchmark(_Document):
    """The document of `bench`: `rows` counts the rows of tables for each scale."""

    version: Literal[1]
    server: str
    baseline: str
    declared: str
    rows: Mapping[str, Mapping[str, int]] = Field(default_factory=dict)
    measured: tuple[QueryFigures, ...]

    @property
    def promises(self) -> list[str]:
        """Whether each promise is kept, for each query and scale with a promise."""
        return [m.promise for m in self.measured if m.variant == self.declared and m.promise]


class Complaint(_Document):
    """A reason why a check did not pass."""

    status: Literal["passed", "failed", "vacuous"]
    complaint: str


class CheckResult(_Document):
    """The result of a check."""

    name: str
    status: Literal["passed", "failed", "vacuous"]
    findings: tuple[Complaint, ...] = ()
    seconds: float = 0.0


class Drifted(_Document):
    """An object with differences from the declaration."""

    action: str
    kind: str
    identity: str


class Verification(_Document):
    """The document of `verify`."""

    version: Literal[1]
    in_sync: bool
    drift: tuple[Drifted, ...]  # a plan and other documents lack it
    checks: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether the structure is as declared, and every check passed."""
        return self.in_sync and all(check.status == "passed" for check in self.checks)


class Fault(_Document):
    """A finding of `lint`; `reason` says why an accepted one is accepted."""

    rule: str
    severity: Severity
    object: str
    message: str
    fix: str = ""
    file: str | None = None
    line: int | None = None
    reason: str = ""


class Lint(_Document):
    """The document of `lint`."""

    version: Literal[1]
    findings: tuple[Fault, ...]
    accepted: tuple[Fault, ...]  # a plan and other documents lack it
    baseline: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Sourced(Generic[Content]):
    """A measurement, with the command, file or run as the source, and the time if known."""

    content: Content
    source: str
    at: datetime | None = None


@dataclass(frozen=True)
class Application:
    """A recorded run of the plan, and the rollback of the run, if any."""

    detail: Detail
    rollback: Run | None = None

    @property
    def run(self) -> Run:
        """The run in short."""
        return self.detail.run

    @property
    def steps(self) -> Mapping[str, StepRecord]:
        """The recorded steps, by id."""
        return {record.step_id: record for record in self.detail.steps}


@dataclass(frozen=True)
class Commands:
    """The options of a runbook's commands for the database and the files.

    target    a name from reconcile.yml; "" is a URL, which commands take from DATABASE_URL
    session   options that set parameters of PostgreSQL, as words
    state     options that name the declaration, as words
    bounds    options that bound what is compared, as words
    scratch   the option that names the scratch server, as words
    journal   options that name the journal, as words
    measured  options that name the measurements of the report, as words
    plan      the file of the plan; "" if the plan is not saved yet
    folder    the folder of report and runbook; "" if the runbook is a single document
    """

    target: str = ""
    session: Sequence[str] = ()
    state: Sequence[str] = ()
    bounds: Sequence[str] = ()
    scratch: Sequence[str] = ()
    journal: Sequence[str] = ()
    measured: Sequence[str] = ()
    plan: str = ""
    folder: str = ""

    @property
    def plan_file(self) -> str:
        """The file of the plan, also of one that is still to be saved."""
        return self.plan or "plan.json"

    def save(self) -> str:
        """Return the command for saving the plan."""
        words = [*self._declared, "--format", "json", "--out", self.plan_file]
        return self._line(["plan"], words)

    def apply(self, *options: str) -> str:
        """Return the command for applying the plan."""
        words = [*self._declared, *self.journal, *options]
        return self._line(["apply", self.plan_file], words)

    def verify(self) -> str:
        """Return the command for verifying the result."""
        return self._line(["verify"], self._declared)

    def history(self) -> str:
        """Return the command for showing the last run."""
        return self._line(["history"], [*self.journal, "--limit", "1"])

    def monitor(self, run: int | None) -> str:
        """Return the command for monitoring a run; None: the run in the variable RUN."""
        return self._line(["monitor"], [*self.state, *self.journal], _number(run))

    def rollback(self, run: int | None, *options: str) -> str:
        """Return the command for rolling a run back; None: the run in the variable RUN.

        Without a number, a command that is repeated would roll the rollback back.
        """
        words = [*self.scratch, *self.journal, *options]
        return self._line(["rollback"], words, _number(run))

    def tick(self) -> str:
        """Return the command for writing the runbook anew, with later measurements."""
        into = ["--out-dir", self.folder] if self.folder else ["--kind", "runbook"]
        named = [*self._declared, *self.journal, *self.measured]
        return self._line(["report", self.plan_file], [*named, "--measure", "verify", *into])

    @property
    def _declared(self) -> list[str]:
        """The options of a command for comparing the declaration with the database."""
        return [*self.state, *self.bounds, *self.scratch]

    def _line(self, command: Sequence[str], options: Sequence[str], run: str = "") -> str:
        target = quote(self.target) if self.target else '"$DATABASE_URL"'
        first = " ".join([*map(quote, command), *([run] if run else [])])
        words = map(quote, (*self.session, *options))
        return " ".join([f"reconcile {first} --target {target}", *words])


def _number(run: int | None) -> str:
    """Return the number of a run for sh, which stops where the variable RUN is not set."""
    return '"${RUN:?the number of the run}"' if run is None else str(run)


@dataclass(frozen=True)
class Evidence:
    """A plan with measurements; None for a missing measurement.

    `unapplied` says why there is no run.
    """

    plan: Sourced[Plan]
    run: Sourced[Application] | None = None
    benchmark: Sourced[Benchmark] | None = None
    verification: Sourced[Verification] | None = None
    lint: Sourced[Lint] | None = None
    commands: Commands = Commands()
    version: str = ""
    unapplied: str = "no run of this plan was found in the journal"

    @property
    def problems(self) -> Sourced[Lint] | None:
        """The document of `lint`, else the plan's findings on the changed objects."""
        plan = self.plan.content
        if self.lint is not None or not (plan.linted or plan.findings):  # no `linted` in old plans
            return self.lint
        found = Lint(version=1, findings=tuple(map(_fault, plan.findings)), accepted=())
        return Sourced(found, f"{self.plan.source}: the changed objects only")

    @property
    def verified_after(self) -> Sourced[Verification] | None:
        """The verification, if it was made after the run had ended."""
        found, run = self.verification, self.application
        if found is None or found.at is None or run is None or run.run.finished_at is None:
            return None
        return found if found.at >= run.run.finished_at else None

    @property
    def application(self) -> Application | None:
        """The recorded run of the plan."""
        return self.run.content if self.run else None


def _fault(finding: PlanFinding) -> Fault:
    at = finding.position
    return Fault(
        rule=finding.rule,
        severity=finding.severity,
        object=finding.object,
        message=finding.message,
        fix=finding.fix,
        file=at.file if at else None,
        line=at.line if at else None,
    )
