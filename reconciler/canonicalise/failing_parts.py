"""Find the declared parts of a new object, such as columns, that make CREATE fail."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from reconciler.errors import StatementFailed
from reconciler.model.object import InlinePart
from reconciler.model.ref import Ref

Failures = dict[Ref, StatementFailed]
Parts = Sequence[InlinePart]


@dataclass(frozen=True)
class PartsOnTrial:
    """Attempts to create an object with some of its parts.

    `declared` are the refs of the parts that may be at fault, `error_with` returns the error of an
    attempt.
    """

    declared: Container[Ref]
    error_with: Callable[[Parts], StatementFailed | None]

    def failing(self, parts: Parts, error: StatementFailed) -> Failures:
        """Return the declared parts that make CREATE fail with an error; empty if none is known.

        A part is at fault if the object has the same error with this part alone, or beside parts
        that are accepted, and another one or none without any part. The rest is tried again
        without the faulty parts.
        """
        alone = {p.ref: self.error_with([p]) for p in parts if p.ref in self.declared}
        bare = self.error_with([])
        found = Failures()
        while True:
            same = {
                r: e
                for r, e in alone.items()
                if e is not None and e.message == error.message and r not in found
            } or self._failing_beside(parts, error)
            if not same or (bare is not None and bare.message == error.message):
                return found
            found |= same
            parts = [p for p in parts if p.ref not in found]
            next_error = self.error_with(parts)
            if next_error is None:
                return found
            error = next_error

    def _failing_beside(self, parts: Parts, error: StatementFailed) -> Failures:
        """Return the declared parts that are refused with the error beside accepted parts."""
        accepted = [p for p in parts if p.ref not in self.declared]
        waiting, found, more = [p for p in parts if p.ref in self.declared], Failures(), True
        while more:
            refused = Failures()
            for part in waiting:
                if failure := self.error_with([*accepted, part]):
                    refused[part.ref] = failure
            found |= {r: e for r, e in refused.items() if e.message == error.message}
            fitting = [p for p in waiting if p.ref not in refused]
            waiting, more = [p for p in waiting if p.ref in refused.keys() - found], bool(fitting)
            accepted += fitting
        return found
