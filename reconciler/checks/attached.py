"""Keep checks in a plan as data, and run them before and after the steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from reconciler.checks.access import url_for_checks
from reconciler.checks.model import Check, Moment
from reconciler.checks.result import Result
from reconciler.checks.run import run_checks
from reconciler.checks.session import Terms
from reconciler.errors import PlanRefused


def as_data(checks: Iterable[Check]) -> tuple[dict[str, Any], ...]:
    """Return the checks with a moment of `apply`, as JSON data."""
    return tuple(
        check.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for check in checks
        if check.apply
    )


def names(checks: Iterable[Mapping[str, Any]], moment: Moment) -> list[str]:
    """List the names of a plan's checks for a moment."""
    return [str(check["name"]) for check in checks if moment in check["apply"]]


@dataclass(frozen=True)
class AttachedChecks:
    """The checks of a plan, and how they are run on the target."""

    checks: Sequence[Check]
    target: str
    terms: Terms

    @staticmethod
    def of(checks: Iterable[Mapping[str, Any]], target: str, terms: Terms) -> AttachedChecks:
        """Read the checks of a plan; raises PlanRefused, and SettingsError if no user is fit."""
        try:
            read = [Check.model_validate(check) for check in checks]
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise PlanRefused(f"the checks of the plan cannot be read: {first}") from None
        if read:
            terms = replace(terms, url=url_for_checks(target, terms.url, read))
        return AttachedChecks(read, target, terms)

    def run(self, moment: Moment) -> list[Result]:
        """Run the checks of a moment."""
        chosen = {check.name: check for check in self.checks if moment in check.apply}
        return run_checks(self.target, chosen, self.terms)

    def assert_before(self) -> None:
        """Run the checks that must pass before the first step; raises PlanRefused."""
        refused = [result for result in self.run("before") if not result.passed]
        if refused:
            reasons = [f"{r.name} ({r.status}):\n{r.complaint}" for r in refused]
            raise PlanRefused(
                "\n".join(["checks that must pass before the first step did not:", *reasons])
            )
