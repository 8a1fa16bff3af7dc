"""Offer the stages as a Python API: `import reconciler` offers the names of this module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic, time
from typing import Literal

from reconciler import pipeline, settings
from reconciler.apply.backfill import Progress
from reconciler.apply.outcome import Outcome, StepOutcome
from reconciler.approvals import Allowed, read_approvals
from reconciler.checks.attached import AttachedChecks
from reconciler.checks.result import Result
from reconciler.checks.run import run_checks
from reconciler.checks.session import SECONDS, Terms
from reconciler.declare.load import load as load_files
from reconciler.drift.look import look
from reconciler.drift.result import TargetDrift
from reconciler.errors import RunFailed
from reconciler.journal.history import Detail, Run
from reconciler.journal.ownership import Place
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Declaration, Scope
from reconciler.model.variables import Values
from reconciler.pipeline import ExportStyle, Job
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.planning import scope_of
from reconciler.recall.ahead import Ahead
from reconciler.recall.observed import observe
from reconciler.report import text


def load(path: str | Path | None = None, variables: Values | None = None) -> Declaration:
    """Read a YAML file, or all of a folder; None is the folder that reconcile.yml names.

    `variables` are the values of the variables that the files list; None are those that
    reconcile.yml gives to all targets. Raises DeclarationError, whose `problems` hold every fault
    with file, line and column.

    >>> declaration = reconciler.load("desired_state")
    >>> sorted(map(str, declaration.objects))
    ['column public.notes.id', 'table public.notes']
    """
    file = settings.read()
    values = file.vars if variables is None else variables
    return load_files(file.state_folder() if path is None else Path(path), variables=values)


@dataclass(frozen=True)
class Event:
    """What happens during a run: `str(event)` is a line for people.

    kind      started, progress, waiting and ended are of a `step`; a notice is of the run
    message   why a step waits, the error of a failed step, or the notice
    status    how the step ended: done, failed or skipped
    seconds   how long the step took
    progress  how far a backfill or the build of an index is
    """

    kind: Literal["started", "progress", "waiting", "ended", "notice"]
    message: str = ""
    step: Step | None = None
    status: str = ""
    seconds: float = 0.0
    progress: Progress | None = None

    def __str__(self) -> str:
        step = self.step
        words = [f"{step.id} {step.action} {step.kind} {step.identity}"] if step else []
        if self.progress is not None:
            done = self.progress
            words.append(f"{done.done} of {done.total} {done.unit}")
        words.append(" ".join(filter(None, [self.status or self.kind, self.message])))
        return ": ".join(words)


class Database:
    """A database to bring to a declared state, or to compare with one.

    `target` is what `--target` takes: a URL, a keyword string, a name of reconcile.yml or
    "embedded"; None is what the command takes without the option. `scratch` is what `--scratch`
    takes, and `verify_target` the URL of the user that runs checks. `journal` is the schema in
    which runs are recorded, False for none.

    >>> database = reconciler.Database(url)
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        scratch: str = "",
        verify_target: str | None = None,
        journal: str | Literal[False] | None = None,
    ) -> None:
        file = settings.read()
        self._target = settings.resolve_target(file, target)
        if journal is not None:
            self._target = replace(self._target, journal=journal or None)
        self._scratch, self._schemas = scratch or file.scratch, file.schemas
        self._verify_target = verify_target

    def plan(
        self, declaration: Declaration, *, schemas: Collection[str] = (), prune: bool = False
    ) -> Plan:
        """Return the plan that leads to the declared state; nothing is changed.

        `schemas` and `prune` are what `--schema` and `--prune` are.

        >>> plan = database.plan(reconciler.load("desired_state"))
        >>> plan.in_sync
        False
        >>> [f"{c.action} {c.kind} {c.identity}" for c in plan.changes]
        ['create column public.notes.id', 'create table public.notes']
        >>> plan.hazards()
        {}
        >>> print(plan.steps[0].sql)
        CREATE TABLE public.notes (
            id bigint
        )
        """
        return pipeline.plan_changes(self._job(declaration, schemas, prune=prune))

    def apply(
        self,
        declared: Declaration | Plan,
        *,
        allow: Collection[str] = (),
        approvals: str | Path | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> Outcome:
        """Run the plan of a declaration, or a plan as it is; return the outcome.

        `allow` lists the hazards that may run, or "all"; `approvals` is the folder of the state
        beside which approvals.yml stands. `on_event` is called from several threads, and what it
        raises is ignored. Of a declaration, the database is compared once more at the end.

        Raises PlanRefused before the first step: for a hazard, a check, rows in the way of a
        step, or where the database has changed since the plan was made. Raises RunFailed if a step
        fails, a difference is left, or a check after the run does not pass.

        >>> outcome = database.apply(plan, on_event=lambda event: print(event.kind))
        started
        ended
        >>> outcome.changed, outcome.failed
        (2, 0)
        >>> database.apply(reconciler.load("desired_state")).changed   # nothing is left to do
        0
        """
        job = self._job(declared, to_apply=True) if isinstance(declared, Declaration) else None
        plan = pipeline.plan_changes(job) if job else declared
        assert isinstance(plan, Plan)
        given = read_approvals(state=Path(approvals)) if approvals else ()
        allowed = Allowed([allow] if isinstance(allow, str) else allow, given)
        return self._run(plan, job, allowed, on_event)

    def _run(
        self,
        plan: Plan,
        job: Job | None,
        allowed: Allowed,
        on_event: Callable[[Event], object] | None,
    ) -> Outcome:
        checks = AttachedChecks.of(
            plan.checks if plan.steps else (), self._target.url, self._terms(job)
        )
        checks.assert_before()
        outcome = pipeline.apply_plan(
            plan,
            job,
            self._target.url,
            _Events(on_event or _ignore),
            self._target.lock_policy,
            allowed,
            self._journal,
        )
        results: list[Result] = []
        if not (outcome.failed or outcome.skipped or outcome.left or outcome.unseen):
            results = checks.run("after")
            if all(result.passed for result in results):
                return outcome
        complaints = [text.recap(outcome).rstrip("\n"), *(_complaint(r) for r in results)]
        raise RunFailed("\n".join(filter(None, complaints)), outcome=outcome, checks=results)

    def drift(self, declaration: Declaration) -> TargetDrift:
        """Return the differences from the declared state, and which side has moved since.

        >>> database.drift(reconciler.load("desired_state")).in_sync
        True
        """
        began, at = monotonic(), time()
        job = replace(self._job(declaration), questions=False, proof=False)
        examine = partial(look, declaration=declaration, journal=self._journal)
        seen = observe(job, Ahead(None), examine)
        return TargetDrift(
            seen.plan.target,
            seen.plan.target,
            seen.plan.in_sync,
            seen.plan.unchanged,
            (*seen.plan.notes, *seen.found.notes),
            seen.found.objects,
            at=at,
            seconds=monotonic() - began,
        )

    def verify(self, declaration: Declaration) -> list[Result]:
        """Run the declared checks and return their results; a check's writes are rolled back.

        >>> [(result.name, result.passed) for result in database.verify(declaration)]
        []
        """
        job = self._job(declaration)
        return run_checks(self._target.url, declaration.checks, self._terms(job))

    def export(
        self, folder: str | Path, *, schemas: Collection[str] = ("*",), tidy: bool = False
    ) -> list[Path]:
        """Write the objects of the schemas as YAML files, and return the files.

        `tidy` is what `--tidy` is.

        >>> [file.name for file in database.export("exported", schemas=["public"])]
        ['tables.yml']
        """
        bounds = frozenset(schemas)
        scope = Scope(bounds, everything="*" in bounds)
        session = self._target.lock_policy.session
        style = ExportStyle(tidy=tidy, scratch=self._scratch)
        files, _ = pipeline.export_state(self._target.url, scope, Path(folder), session, style)
        return files

    def history(self, limit: int = 20) -> list[Run]:
        """Return the recorded runs, the latest first, at most `limit`.

        >>> [(run.id, run.status, run.changes) for run in database.history()]
        [(1, 'done', {'create': 2})]
        """
        return pipeline.read_history(self._target.url, self._recorded, limit, self._session)

    def run(self, number: int) -> Detail:
        """Return a recorded run with its changes and steps; raises PlanRefused for an unknown one.

        >>> [(step.step_id, step.status) for step in database.run(1).steps]
        [('1', 'done')]
        """
        return pipeline.read_run(self._target.url, self._recorded, number, self._session)

    def rollback(
        self,
        run: int | None = None,
        *,
        allow: Collection[str] = (),
        on_event: Callable[[Event], object] | None = None,
    ) -> Outcome:
        """Restore the objects changed by a run, by default the last that changed something.

        `allow` and `on_event` are those of `apply`, and so are the errors. PlanRefused is raised,
        too, if there is no such run, or if its objects have been changed since.

        >>> database.rollback(allow=["data-loss"]).changed
        2
        """
        plan, job = pipeline.plan_rollback(
            self._target.url, self._recorded, run, self._scratch, self._session
        )
        return self._run(plan, job, Allowed([allow] if isinstance(allow, str) else allow), on_event)

    @property
    def _session(self) -> Mapping[str, str]:
        return self._target.lock_policy.session

    @property
    def _recorded(self) -> Place:
        """The journal of earlier runs, also where none is kept now."""
        return Place(self._target.journal or JOURNAL, run_target=self._target.run_target)

    @property
    def _journal(self) -> Place | None:
        target = self._target
        return Place(target.journal, run_target=target.run_target) if target.journal else None

    def _job(
        self,
        declaration: Declaration,
        schemas: Iterable[str] = (),
        *,
        prune: bool = False,
        to_apply: bool = False,
    ) -> Job:
        return Job(
            self._target.url,
            declaration,
            scope_of(declaration, schemas or self._schemas, prune=prune),
            self._scratch,
            session=self._target.lock_policy.session,
            to_apply=to_apply,
            journal=self._target.journal or JOURNAL,
        )

    def _terms(self, job: Job | None) -> Terms:
        declared = job.declaration.signatures if job else ()
        return Terms(self._verify_target, declared, SECONDS)


def _complaint(result: Result) -> str:
    return "" if result.passed else f"{result.status}: check {result.name}: {result.complaint}"


def _ignore(event: Event) -> None:
    """Drop an event that nobody wants."""
    del event


@dataclass(frozen=True)
class _Events:
    """A watcher of a run that makes an event of each call."""

    tell: Callable[[Event], object]

    def started(self, step: Step) -> None:
        self.tell(Event("started", step=step))

    def progress(self, step: Step, progress: Progress) -> None:
        self.tell(Event("progress", step=step, progress=progress))

    def waiting(self, step: Step, why: str) -> None:
        self.tell(Event("waiting", why, step))

    def ended(self, outcome: StepOutcome) -> None:
        ended = Event("ended", outcome.error, outcome.step, outcome.status, outcome.seconds)
        self.tell(ended)

    def notice(self, message: str) -> None:
        self.tell(Event("notice", message))
