"""Read saved plans, and find out who vouches for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from reconciler import pipeline, settings
from reconciler.cli.execution_options import ExecutionOptions
from reconciler.cli.job import make_job
from reconciler.cli.options import DeclarationOptions
from reconciler.declare.files import FileRefused, files_in_folder
from reconciler.errors import PlanRefused, SettingsError
from reconciler.plan.plan import Plan
from reconciler.plan.saved import has_signature
from reconciler.settings import KEY, ResolvedTarget

MAX_SIZE = 64 << 20  # bytes of the file
MAX_LISTED = 5
_CLIPPED = 100  # characters of a key or a message
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def read_plan(file: Path) -> Plan:
    """Read a plan saved as JSON; raises SettingsError.

    The file must be a regular one of limited size, and is no more trusted than its digest shows.
    """
    try:
        content = files_in_folder(file).read(file, MAX_SIZE)
    except FileRefused as error:
        raise SettingsError(f"{file}: {error}") from None
    if _NUL.search(content):
        raise SettingsError(f"{file} holds a NUL character, which PostgreSQL takes nowhere")
    try:
        return Plan.model_validate_json(content)
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, mistake['loc']))[:_CLIPPED]}: {mistake['msg'][:_CLIPPED]}"
            if mistake["loc"]
            else mistake["msg"][:_CLIPPED]
            for mistake in error.errors(include_url=False, include_input=False)[:MAX_LISTED]
        )
        raise SettingsError(f"{file} is not a plan of this version: {mistakes}") from None


@dataclass(frozen=True)
class SavedPlan:
    """A plan from a file, the file, and the options of the command."""

    plan: Plan
    file: Path
    declaration: DeclarationOptions
    execution: ExecutionOptions

    def vouched(self, target: ResolvedTarget) -> tuple[Plan, str]:
        """Return the plan to run, and why nobody vouches for it, or "".

        Plans again with the declaration at hand, or from the journal for a rollback. Raises
        PlanRefused if that gives another plan, or if there is a key that did not sign the plan.
        """
        self._check_signature()
        declared = self.declaration.state or settings.read().state_folder()
        place = self.execution.place(target)
        if self.plan.rollback_of is not None and place is not None:
            pipeline.assert_same_rollback(
                self.plan, target.url, place, self._scratch, target.lock_policy.session
            )
        elif self.plan.rollback_of is None and declared.exists():
            job, _ = make_job(self.declaration, self.execution)
            return pipeline.planned_again(self.plan, job), ""
        elif settings.plan_key() is None:
            return self.plan, (
                f"nobody vouches for the changes in {self.file}: {declared} does not exist, so that"
                f" they cannot be planned again, and no {KEY} is set to check a signature"
            )
        return self.plan, ""

    @property
    def _scratch(self) -> str:
        return self.declaration.scratch or settings.read().scratch

    def _check_signature(self) -> None:
        key = settings.plan_key()
        if key is None or has_signature(self.plan, key):
            return
        problem = "another signature than" if self.plan.signature else "no signature of"
        raise PlanRefused(
            f"{self.file} has {problem} {KEY}: save the plan again with the same key set"
        )
