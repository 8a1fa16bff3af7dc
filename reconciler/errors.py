"""Define every error raised by `reconcile` on purpose.

    ReconcileError              exit status 1; the text is complete for a reader without a traceback
    ├── DeclarationError        the YAML is wrong: every problem with file, line and column
    │   └── FragmentError       SQL in the YAML is more than its key takes: one expression, one type
    ├── SettingsError           a flag, `reconcile.yml` or an environment variable is wrong
    ├── ExportError             the files of an export are not read back as they were written
    ├── ConnectionFailed        the server cannot be reached, or refuses us
    ├── Unsupported             the server's version lacks a declared feature
    ├── ScratchError            no scratch server is available, or it refuses an object
    ├── TamperedWith            code on scratch changed other objects than the declared
    ├── PlanError               the changes have no possible order
    ├── ProofError              run on a scratch server, the plan missed the desired state
    ├── PlanRefused             a plan must not run: edited, for another target, with hazards
    │   ├── Moved               the target has changed since the plan was made
    │   └── NothingToUndo       the journal records no run of a roll-out
    ├── RunFailed               `Database.apply` did not reach the declared state
    ├── Busy                    another session applies a plan to the database
    ├── Interrupted             Ctrl-C, SIGTERM, SIGHUP or SIGQUIT during a run
    ├── OutputFailed            stdout cannot be written to
    └── StatementFailed         PostgreSQL refused a statement (`sqlstate`, `detail`, `hint`)

Driver errors are translated in `connection` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from reconciler.escape import one_line

Severity = Literal["error", "warning", "note"]
MAX_PROBLEMS = 20  # shown of a declaration or of settings
MAX_FOUND = 500  # then reading ends
MAX_MESSAGE = 200  # characters of a line
MAX_HINT = 800  # characters: lists of accepted keys are long


class Position(NamedTuple):
    """A position in a YAML or settings file; `line` and `column` count from 1."""

    file: Path
    line: int
    column: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def excerpt(self) -> tuple[str, int]:
        """Return the part of the line around the position, and the index of the position there."""
        start = max(0, self.column - 1 - MAX_MESSAGE // 2) if len(self.text) > MAX_MESSAGE else 0
        before, end = "…" if start else "", start + MAX_MESSAGE
        after = "…" if len(self.text) > end else ""
        return before + self.text[start:end] + after, len(before) + self.column - 1 - start


@dataclass(frozen=True)
class Problem:
    """A problem of a declaration: a message, the position in a file, and a hint.

    `rule` is a stable name in kebab-case, by which reports and editors group problems.
    """

    message: str
    position: Position | None = None
    hint: str = ""
    rule: str = "invalid-declaration"
    severity: Severity = "error"

    def __str__(self) -> str:
        message = _clipped(self.message, MAX_MESSAGE)
        lines = [f"{self.position}: {message}" if self.position else message]
        if self.position and self.position.text:
            shown, column = self.position.excerpt()
            lines += [f"    {shown}", "    " + " " * len(one_line(shown[:column])) + "^"]
        if self.hint:
            lines.append(f"    {_clipped(self.hint, MAX_HINT)}")
        return "\n".join(map(one_line, lines))


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


class TooManyProblems(Exception):
    """More problems were found than anybody reads."""


class Findings(list[Problem]):
    """Problems; raises TooManyProblems at the limit, which bounds time and memory."""

    def append(self, problem: Problem, /) -> None:
        if len(self) == MAX_FOUND:
            raise TooManyProblems
        super().append(problem)

    def extend(self, problems: Iterable[Problem], /) -> None:
        for problem in problems:
            self.append(problem)

    def __iadd__(self, problems: Iterable[Problem], /) -> Self:
        self.extend(problems)
        return self


def summarized(problems: Sequence[Problem]) -> str:
    """Describe the first problems, and count the others."""
    shown = [str(p) for p in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        at_least = "at least " if len(problems) >= MAX_FOUND else ""
        shown.append(f"… and {at_least}{len(problems) - MAX_PROBLEMS:,} more")
    return "\n".join(shown)


class ReconcileError(Exception):
    """The base class of every error raised by `reconcile` on purpose.

    `rule` is a stable name in kebab-case, unique to the class. `objects` are the objects
    concerned, such as `table public.t`. `position` is the declaration of the first declared object
    of `objects`, None if no object is declared.
    """

    rule: ClassVar[str] = "failure"
    severity: ClassVar[Severity] = "error"

    def __init__(self, message: str = "", *, objects: Iterable[str] = ()) -> None:
        self.objects = tuple(objects)
        self.position: Position | None = None
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let other processes restore the error, which exceptions do by calling the class anew."""
        return _restored, (type(self), self.args, self.__dict__)

    def described(self) -> str:
        """Return the message with the position of a declared object, and its line, if known."""
        if self.position is None:
            return str(self)
        lines = [f"{one_line(str(self.position))}: {self}"]
        if self.position.text:
            shown, column = self.position.excerpt()
            lines += [f"  {one_line(shown)}", "  " + " " * len(one_line(shown[:column])) + "^"]
        return "\n".join(lines)


def _restored(
    kind: type[ReconcileError], arguments: tuple[Any, ...], attributes: dict[str, Any]
) -> ReconcileError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class DeclarationError(ReconcileError):
    """The declared state is wrong; `problems` holds every finding, not just the first.

    `rest` is the Declaration of what could be read, if the faults were found while reading files.
    """

    rule = "invalid-declaration"

    def __init__(self, problems: Sequence[Problem], rest: Any = None) -> None:
        self.problems, self.rest = tuple(problems), rest
        super().__init__(summarized(self.problems))
        self.position = next((p.position for p in self.problems if p.position), None)

    def described(self) -> str:
        """Return the message, in which every problem has a position."""
        return str(self)


class FragmentError(DeclarationError):
    """SQL of the declaration leaves the clause in which it is to stand."""

    rule = "sql-fragment"


class SettingsError(ReconcileError):
    """A flag, a setting or an environment variable is wrong."""

    rule = "invalid-setting"


class ExportError(ReconcileError):
    """An export is not read back as it was written."""

    rule = "export-not-read-back"


class ConnectionFailed(ReconcileError):
    """The server cannot be reached, or refuses the connection."""

    rule = "connection-failed"


class Unsupported(ReconcileError):
    """The server's version lacks a declared feature."""

    rule = "unsupported-version"


class ScratchError(ReconcileError):
    """No scratch server is available, or an object cannot be created on the scratch server."""

    rule = "no-scratch-server"


class TamperedWith(ReconcileError):
    """Code run on scratch changed objects: no state read from the server can be trusted."""

    rule = "tampered-with"

    def __init__(self, findings: Iterable[str], *, objects: Iterable[str] = ()) -> None:
        found = "\n".join(f"  {one_line(f)}" for f in findings)
        super().__init__(
            "code that ran while the state was built on scratch changed what it was not declared "
            f"to change:\n{found}\nNothing was planned. Look for a function, generated column, "
            "partition bound, domain or index that runs SQL.",
            objects=objects,
        )


class PlanError(ReconcileError):
    """The changes have no possible order."""

    rule = "no-order"


class ProofError(ReconcileError):
    """Run on a scratch server, the plan did not lead to the desired state."""

    rule = "not-proven"


class PlanRefused(ReconcileError):
    """The plan must not run."""

    rule = "plan-refused"


class DoubtfulRun(PlanRefused):
    """A run may be another target's: only its number can name it."""

    rule = "run-of-another-target"


class NothingToUndo(PlanRefused):
    """The journal records no run of a roll-out that could be undone."""

    rule = "nothing-to-undo"


class UnknownRollout(NothingToUndo):
    """The journal has no run at all of a roll-out of that name."""

    rule = "unknown-rollout"


class Moved(PlanRefused):
    """The target has changed since the plan was made: another plan may do."""

    rule = "target-moved"


class RunFailed(ReconcileError):
    """A run did not reach the declared state; finished steps stay.

    `outcome` is the Outcome of the run, and `checks` are the results of the checks after it.
    """

    rule = "run-failed"

    def __init__(self, message: str, *, outcome: Any, checks: Sequence[Any] = ()) -> None:
        self.outcome, self.checks = outcome, tuple(checks)
        super().__init__(message)


class Busy(ReconcileError):
    """Another session applies a plan to the database."""

    rule = "busy"


class Interrupted(ReconcileError):
    """A signal stopped the run; committed steps stay committed."""

    rule = "interrupted"


class WebhookFailed(ReconcileError):
    """A webhook was not told."""

    rule = "webhook-failed"


class OutputFailed(ReconcileError):
    """A document cannot be written to stdout."""

    rule = "output-failed"


class StatementFailed(ReconcileError):
    """PostgreSQL refused a statement.

    `sqlstate` is the five-character code of
    https://www.postgresql.org/docs/current/errcodes-appendix.html, or "" if the connection broke.
    `constraint` is the name of the constraint that refused a row.
    """

    rule = "statement-failed"

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str = "",
        detail: str = "",
        hint: str = "",
        sql: str = "",
        constraint: str = "",
    ) -> None:
        self.constraint = constraint
        self.message, self.sqlstate, self.detail, self.hint, self.sql = (
            message,
            sqlstate,
            detail,
            hint,
            sql,
        )
        lines = [
            message,
            *(f"{word}: {text}" for word, text in (("detail", detail), ("hint", hint)) if text),
        ]
        super().__init__("\n".join(lines))
