"""Every error that `reconcile` raises on purpose.

    ReconcileError              exit status 1; its text is all that a person needs
    ├── DeclarationError        the YAML is wrong: every problem with file, line and column
    ├── SettingsError           a flag, `reconcile.yml` or an environment variable is wrong
    ├── ConnectionFailed        the server cannot be reached, or refuses us
    ├── Unsupported             the server's version lacks what the declaration asks for
    ├── ScratchError            no scratch server can be had, or it cannot hold the objects
    ├── PlanError               the changes cannot be put into an order that works
    ├── ProofError              the plan was run on scratch and did not lead to the desired state
    ├── PlanRefused             a plan must not run: edited, stale, made for another target, hazards not allowed
    ├── Busy                    another applier holds this database
    ├── Interrupted             Ctrl-C, or SIGTERM, during a run
    └── StatementFailed         PostgreSQL refused a statement (`sqlstate`, `detail`, `hint`)

Driver errors are translated in `connection` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Position:
    """A place in a file that a person wrote; `line` and `column` count from 1."""

    file: Path
    line: int
    column: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it is, and what would do."""

    message: str
    position: Position | None = None
    hint: str = ""

    def __str__(self) -> str:
        head = f"{self.position}: {self.message}" if self.position else self.message
        lines = [head]
        if self.position and self.position.text:
            lines += [f"    {self.position.text}", "    " + " " * (self.position.column - 1) + "^"]
        if self.hint:
            lines.append(f"    {self.hint}")
        return "\n".join(lines)


class ReconcileError(Exception):
    """The root of what `reconcile` raises on purpose."""


class DeclarationError(ReconcileError):
    """The declared state is wrong; `problems` holds every finding, not just the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class SettingsError(ReconcileError):
    """A flag, a setting or an environment variable is wrong."""


class ConnectionFailed(ReconcileError):
    """The server cannot be reached, or refuses the connection."""


class Unsupported(ReconcileError):
    """The server's version lacks something that the declaration asks for."""


class ScratchError(ReconcileError):
    """No scratch server can be had, or it cannot hold what must be built on it."""


class PlanError(ReconcileError):
    """The changes cannot be put into an order that works."""


class ProofError(ReconcileError):
    """The plan was run on scratch and did not lead where it should."""


class PlanRefused(ReconcileError):
    """The plan must not run."""


class Busy(ReconcileError):
    """Another applier is at work on this database."""


class Interrupted(ReconcileError):
    """Somebody stopped the run; what was done stays done."""


class StatementFailed(ReconcileError):
    """PostgreSQL refused a statement.

    `sqlstate` is the five-character code of
    https://www.postgresql.org/docs/current/errcodes-appendix.html, or "" where the connection broke.
    """

    def __init__(
        self, message: str, *, sqlstate: str = "", detail: str = "", hint: str = "", sql: str = ""
    ) -> None:
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
