"""Define a rule and a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.errors import Position, Severity
from reconciler.model.ref import Ref

if TYPE_CHECKING:
    from reconciler.lint.database import Database

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A fault that a rule found.

    ref       the object, None if no kind of ours is concerned
    identity  kind and name of the object, for people and for the baseline
    key       the YAML key at fault, "" for the whole object
    fix      SQL, or lines of YAML, that end the fault
    """

    rule: str
    severity: Severity
    ref: Ref | None
    identity: str
    message: str
    fix: str
    key: str = ""
    position: Position | None = None


@dataclass(frozen=True)
class Found:
    """A fault before the rule's name and severity are added; `address` is pg_depend's."""

    address: tuple[str, int, int]  # catalog, oid, number of the column
    message: str
    fix: str
    key: str = ""


Look = Callable[["Database"], Iterator[Found]]


@dataclass(frozen=True)
class Rule:
    """A rule: a stable name, a severity, a summary, the reason, and the search.

    `covers` names the rule of Supabase's splinter that sees the same condition. A rule that
    `is_measured` asks for statistics, sizes or numbers used, which only a live database has; one
    that `is_about_all` compares an object with all others, or asks which others there are.
    """

    name: str
    severity: Severity
    summary: str
    why: str
    look: Look = field(repr=False)
    covers: str = ""
    is_measured: bool = False
    is_about_all: bool = False


def rule(
    name: str,
    severity: Severity,
    why: str,
    covers: str = "",
    *,
    is_measured: bool = False,
    is_about_all: bool = False,
) -> Callable[[Look], Rule]:
    """Return a decorator to turn a function over a database into a rule.

    The function's docstring says what the function finds: "Find a policy for every role."
    """

    def make(look: Look) -> Rule:
        summary = (look.__doc__ or "").removeprefix("Find ").removesuffix(".")
        reason = " ".join(why.split())
        return Rule(name, severity, summary, reason, look, covers, is_measured, is_about_all)

    return make
