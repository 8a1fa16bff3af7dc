"""Ask the sources of targets once in a command, and remember the answer or the failure.

A command reads reconcile.yml more than once, also in threads: all see the same inventory.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING

from reconciler.errors import ReconcileError

if TYPE_CHECKING:  # slow to import
    from reconciler.inventory.inventory import Entry

    Answer = Sequence[tuple[str, Entry]]


@dataclass
class _Answers:
    """The answers to a command, by question."""

    command: str = ""
    known: dict[Hashable, Answer | ReconcileError] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def of(self, question: Hashable, ask: Callable[[], Answer]) -> Answer:
        """Return the answer to a question, asked once; raises ReconcileError."""
        with self.lock:
            if question not in self.known:
                try:
                    self.known[question] = ask()
                except ReconcileError as error:
                    self.known[question] = error
            answer = self.known[question]
        if isinstance(answer, ReconcileError):
            raise answer
        return answer


_AT_WORK = [_Answers()]  # of the command at work; without a name, nothing is remembered


def keep_for(command: str) -> None:
    """Remember answers for a command; those to another command are forgotten."""
    if _AT_WORK[0].command != command:
        _AT_WORK[0] = _Answers(command)


@contextmanager
def one_command() -> Generator[None]:
    """Remember answers while a command is at work."""
    before = _AT_WORK[0]
    keep_for(token_hex(8))
    try:
        yield
    finally:
        _AT_WORK[0] = before


def asked_once(question: Hashable, ask: Callable[[], Answer]) -> Answer:
    """Return the answer to a question, asked once in a command; raises ReconcileError."""
    answers = _AT_WORK[0]
    return answers.of(question, ask) if answers.command else ask()
