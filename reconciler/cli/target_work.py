"""The work of a command on one target, in this process or in a worker of a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from secrets import token_hex
from threading import Lock

from reconciler import pipeline, settings
from reconciler.apply.outcome import Outcome, SilentWatcher
from reconciler.apply.permissions import Permitting, hazard_refusals, needed_permissions
from reconciler.checks.access import url_for_checks
from reconciler.checks.attached import AttachedChecks
from reconciler.checks.model import Check
from reconciler.checks.result import Result
from reconciler.checks.run import run_checks
from reconciler.checks.session import SECONDS
from reconciler.cli.check_options import CheckOptions
from reconciler.cli.execution_options import ExecutionOptions
from reconciler.cli.job import read_declared
from reconciler.cli.options import DeclarationOptions, ReadingOptions
from reconciler.cli.permitting import read_allowed
from reconciler.cli.targets import NamedTarget
from reconciler.errors import (
    Busy,
    ConnectionFailed,
    Moved,
    NothingToUndo,
    PlanRefused,
    ReconcileError,
    UnknownRollout,
)
from reconciler.plan.plan import Plan
from reconciler.planning import Job
from reconciler.recall.ahead import Ahead
from reconciler.recall.observed import observe, plan_alone
from reconciler.report.rollout_progress import TargetWatcher, View
from reconciler.rollout.groups import key_of
from reconciler.rollout.result import DIFFERENT, DONE, ERROR, Command, TargetResult
from reconciler.rollout.roll import Attempt
from reconciler.server.address import database_of
from reconciler.settings import ResolvedTarget
from reconciler.shapes import Shapes


@dataclass(frozen=True)
class Work:
    """What a command does on each target, as its options say.

    id       tells the command from others of the process
    role     the role that will apply the plan, "" for that of the target
    rollout  the name of the roll-out, which journals record; "" of commands that change nothing
    undo     the name of the roll-out to undo
    files    a digest of the YAML files, which those of a worker must have
    """

    command: Command
    id: str
    declaration: DeclarationOptions
    execution: ExecutionOptions
    checks: CheckOptions
    role: str = ""
    rollout: str = ""
    undo: str = ""
    files: str = ""

    @classmethod
    def of(
        cls,
        command: Command,
        declaration: DeclarationOptions,
        execution: ExecutionOptions,
        checks: CheckOptions | None = None,
        *,
        role: str = "",
    ) -> Work:
        """Return the work of a command with these options."""
        checks = checks or CheckOptions(None, SECONDS)
        return cls(command, token_hex(8), declaration, execution, checks, role)


@dataclass(frozen=True)
class Order:
    """An attempt at the work on one target; None is a look that plans, and changes nothing.

    Only plans with the keys in `confirmed` are run; None is any plan.
    """

    work: Work
    attempt: Attempt | None = None
    confirmed: frozenset[str] | None = None


@dataclass(frozen=True)
class Prepared:
    """A plan for a target, and what it was made from."""

    plan: Plan
    job: Job
    target: ResolvedTarget


class Site:
    """What a process keeps of a command: the declaration, known shapes, and plans to be run."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.file = settings.read()
        self.scratch = work.declaration.scratch or self.file.scratch
        self.shapes = Shapes()
        self.declared = None if work.undo else read_declared(work.declaration, several=True)
        if self.declared is not None:
            self.declared.check()
        self.allowed = read_allowed(work.execution.allow, work.declaration.state)
        self.plans: dict[str, Prepared] = {}

    def prepare(self, named: NamedTarget) -> Prepared:
        """Plan for a target; raises ReconcileError."""
        work, execution = self.work, self.work.execution
        configured = ReadingOptions(named.flag).resolve(self.file)
        configured = configured.with_variables(work.declaration.values())
        target = execution.override(configured)
        permitting = Permitting(self.allowed, execution.place(target))
        if self.declared is None:
            plan, job = pipeline.plan_rollback(
                target.url,
                execution.place_to_read(configured),
                work.undo,
                self.scratch,
                target.lock_policy.session,
                permitting,
                self.shapes,
            )
            return Prepared(plan, replace(job, rollout=work.rollout), target)
        job = self.declared.job(target, to_apply=work.command == "apply")
        job = replace(job, role=work.role, rollout=work.rollout)
        if work.command == "verify":
            job = replace(job, questions=False, proof=False)
        else:
            job = replace(job, permitting=permitting)
        return Prepared(observe(job, Ahead(None), plan_alone).plan, job, target)

    def look(self, named: NamedTarget) -> TargetResult:
        """Plan, and keep the plan; of a plan that may not be run, say what would let it."""
        prepared = self.prepare(named)
        plan = prepared.plan
        if plan.in_sync:
            return TargetResult(named.name, "ok", ok=plan.unchanged, notes=plan.notes)
        found = TargetResult(
            named.name,
            "changed",
            exit=DIFFERENT,
            ok=plan.unchanged,
            changed=len(plan.changes),
            message="; ".join(a.message for a in plan.answers if a.refuses),
            plan=plan,
        )
        if self.work.command == "plan":
            return found
        if refusals := hazard_refusals(needed_permissions(plan)):
            return replace(found, status="failed", exit=ERROR, message="\n".join(refusals))
        self.plans[named.name] = prepared
        return found

    def verify(self, named: NamedTarget) -> TargetResult:
        """Run the declared checks, and look for differences in structure."""
        prepared = self.prepare(named)
        job, plan = prepared.job, prepared.plan
        terms = self.work.checks.terms(job.declaration)
        results = run_checks(job.target, job.declaration.checks, terms)
        problems = [f"{c.action} {c.kind} {c.identity}" for c in plan.changes]
        problems += _complaints(results)
        return TargetResult(
            named.name,
            "failed" if problems else "ok",
            exit=DIFFERENT if problems else DONE,
            ok=plan.unchanged + sum(r.passed for r in results),
            failed=len(plan.changes) + sum(not r.passed for r in results),
            message=problems[0] if problems else "",
            notes=tuple(problems[1:]),
        )

    def run(self, named: NamedTarget, order: Order, view: View | None) -> TargetResult:
        """Run the plan, and the checks after it; on a canary all declared checks."""
        attempt = order.attempt or Attempt()
        known = None if attempt.again else self.plans.pop(named.name, None)
        prepared = known or self.prepare(named)
        plan, job, target = prepared.plan, prepared.job, prepared.target
        if plan.steps and order.confirmed is not None and key_of(plan) not in order.confirmed:
            raise PlanRefused("its plan is now another than those confirmed: run the command again")
        terms = self.work.checks.terms(job.declaration)
        checks = AttachedChecks.of(plan.checks if plan.steps else (), target.url, terms)
        declared: Mapping[str, Check] = {}
        if attempt.canary:
            declared = job.declaration.checks
        if declared:  # before anything is changed
            terms = replace(terms, url=url_for_checks(target.url, terms.url, declared.values()))
        checks.assert_before()
        outcome = pipeline.apply_plan(
            plan,
            job,
            target.url,
            TargetWatcher(view, named.name) if view else SilentWatcher(),
            target.lock_policy,
            self.allowed,
            self.work.execution.place(target),
        )
        found = _of_outcome(named.name, outcome)
        if found.status == "failed":
            return found
        results = run_checks(target.url, declared, terms) if declared else checks.run("after")
        return _with_left(_with_checks(found, results), job)


def _of_outcome(name: str, outcome: Outcome) -> TargetResult:
    problems = [
        f"step {s.step.id}, {s.step.action} {s.step.kind} {s.step.identity}: {s.error}"
        for s in outcome.steps
        if s.status == "failed"
    ]
    problems += [f"still different: {left}" for left in outcome.left]
    if outcome.unseen:
        problems.append(f"whether anything still differs is not known: {outcome.unseen}")
    is_failed = bool(problems or outcome.skipped)
    return TargetResult(
        name,
        "failed" if is_failed else "changed" if outcome.changed else "ok",
        exit=ERROR if is_failed else DONE,
        ok=outcome.ok,
        changed=outcome.changed,
        failed=outcome.failed,
        skipped=outcome.skipped,
        run=outcome.run,
        message=problems[0] if problems else "",
        notes=(*problems[1:], *outcome.notes),
    )


def _with_left(found: TargetResult, job: Job) -> TargetResult:
    """Add what is left to undo of a roll-out that went on: each run is undone by itself."""
    if not (left := job.left_of_rollout):
        return found
    note = f"run {', '.join(map(str, left))} of this roll-out is left to undo"
    exit_status = found.exit or DIFFERENT
    return replace(found, exit=exit_status, left=len(left), notes=(note, *found.notes))


def _with_checks(found: TargetResult, results: list[Result]) -> TargetResult:
    if not (complaints := _complaints(results)):
        return found
    first, *more = complaints
    return replace(
        found, status="failed", exit=DIFFERENT, message=first, notes=(*more, *found.notes)
    )


def _complaints(results: list[Result]) -> list[str]:
    return [f"check {r.name} ({r.status}): {r.complaint}" for r in results if not r.passed]


_SITES: dict[str, Site] = {}  # of the command at work
_SITES_LOCK = Lock()


def _site_of(work: Work) -> Site:
    """Return what this process keeps of a command, made at its first target."""
    with _SITES_LOCK:
        if work.id not in _SITES:
            _SITES.clear()
            _SITES[work.id] = Site(work)
        return _SITES[work.id]


def work_on(order: Order, named: NamedTarget, view: View | None = None) -> TargetResult:
    """Carry out an order on a target; an error is a result.

    A target that could not be reached, locked or found as it was is worth another attempt.
    """
    start, at = time.monotonic(), time.time()
    if view is not None:
        view.started(named.name)
    result = _guarded(named.name, lambda: _carried_out(order, named, view))
    database = _database_of(order.work, named)
    return replace(result, database=database, at=at, seconds=time.monotonic() - start)


def _database_of(work: Work, named: NamedTarget) -> str:
    """Return which database the target is; "" if that cannot be told."""
    with suppress(ReconcileError, OSError):
        return database_of(ReadingOptions(named.flag).resolve(_site_of(work).file).url)
    return ""


def _carried_out(order: Order, named: NamedTarget, view: View | None) -> TargetResult:
    site = _site_of(order.work)
    if order.attempt is not None:
        return site.run(named, order, view)
    return site.verify(named) if order.work.command == "verify" else site.look(named)


def _guarded(name: str, carry_out: Callable[[], TargetResult]) -> TargetResult:
    try:
        return carry_out()
    except NothingToUndo as error:
        is_unknown = isinstance(error, UnknownRollout)
        return TargetResult(name, "ok", message=str(error), unknown=is_unknown)
    except (ConnectionFailed, OSError) as error:
        return TargetResult(name, "unreachable", exit=ERROR, message=str(error), retry=True)
    except Busy as error:
        return TargetResult(name, "busy", exit=ERROR, message=str(error), retry=True)
    except ReconcileError as error:
        moved = isinstance(error, Moved)
        notes = tuple(getattr(error, "__notes__", ()))
        message = error.described()
        return TargetResult(name, "failed", ERROR, message=message, notes=notes, retry=moved)
