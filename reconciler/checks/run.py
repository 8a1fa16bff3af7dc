"""Run declared checks, each on a connection of its own, and roll back whatever they do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.checks.access import url_for_checks
from reconciler.checks.assertions import findings
from reconciler.checks.model import Check
from reconciler.checks.result import Finding, Result
from reconciler.checks.session import CheckSession, Terms
from reconciler.server.connection import connect_to_read
from reconciler.server.deadline import Guarded


def run_checks(
    target: str, checks: Mapping[str, Check], terms: Terms | None = None
) -> list[Result]:
    """Run every check on the target; raises SettingsError if no user is fit to run them."""
    if not checks:
        return []
    terms = terms or Terms()
    terms = replace(terms, url=url_for_checks(target, terms.url, checks.values()))
    return [_result(check, terms) for check in checks.values()]


def _result(check: Check, terms: Terms) -> Result:
    started = time.monotonic()
    run = _Run(check, terms, started + terms.seconds)
    try:
        Guarded(run.collect).within(terms.seconds)
    except TimeoutError:
        late = Finding("failed", f"was ended: no result in {terms.seconds:g} seconds")
        found = (*(f for at, f in list(run.found) if at < run.deadline), late)
    else:
        found = tuple(f for _, f in run.found)
    return Result(check.name, found, time.monotonic() - started)


@dataclass(frozen=True)
class _Run:
    """The findings about a check, each with the time of the finding."""

    check: Check
    terms: Terms
    deadline: float
    found: list[tuple[float, Finding]] = field(default_factory=list[tuple[float, Finding]])

    def collect(self, guarded: Guarded[None]) -> None:
        """Run all assertions, after a broken connection on a new connection.

        Raises TimeoutError if there is no time left for the next one.
        """
        left = deque(self.check.assertions)
        while left:
            with connect_to_read(self.terms.url or "") as connection:
                guarded.connection, connection.read_only = connection, False
                session = CheckSession(connection, self.check.search_path, self.terms)
                while left and not connection.closed:
                    for finding in findings(session, left.popleft()):
                        self.found.append((time.monotonic(), finding))
                    if left and time.monotonic() >= self.deadline:
                        raise TimeoutError
