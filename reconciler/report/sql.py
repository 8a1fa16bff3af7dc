"""A script for psql with the plan's steps; unlike `apply`, psql does not retry for locks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from reconciler.apply import backfill
from reconciler.escape import Document, document, one_line
from reconciler.model.remote import placeholder
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.parameters import DEFAULTS, FIXED
from reconciler.sql import compose, literal, text

# Whatever ~/.psqlrc and the locale set, psql sends what `apply` would.
HEAD = r"""\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;"""
_IN_HEAD = (
    *("client_encoding", "standard_conforming_strings", "search_path", "check_function_bodies"),
    *("client_min_messages", "lock_timeout", "statement_timeout"),
)
PARAMETERS = "\n".join(  # as `apply` sets them, against those of the role and the database
    text(compose("SET {} = {};", name, literal(value)))
    for name, value in {**FIXED, **DEFAULTS}.items()
    if name not in _IN_HEAD
)
SEE_ALL_ROWS = "SET row_security = off;  -- better refused than a backfill that misses rows"


# Outside of quotes psql obeys `\`, replaces `:name` by a variable, and counts `begin` and `;`. The
# pattern reads quotes as psql does where no comment, `$` in a name or continued string stands
# before them; those are in _NOT_FOR_PSQL.
_WORD = r"[\w$\x80-\U0010ffff]"
_QUOTED = re.compile(
    rf"""(?<!{_WORD})e'(?:[^'\\]|\\.|'')*+'|(?<!e)'(?:[^']|'')*+'|"(?:[^"]|"")*+"|"""
    rf"""(?<!{_WORD})\$((?:[^\W\d]\w*)?)\$.*?\$\1\$""",
    re.IGNORECASE | re.DOTALL,
)
_QUOTE = "\0"  # in place of a quoted text
_NOT_FOR_PSQL = re.compile(
    r"""(?<!:):[\w'"{\0\x80-\U0010ffff]|[\\;'"$]|--|/\*|\bbegin\b|\0\s*\n\s*\0""", re.IGNORECASE
)


def plan(plan: Plan) -> Document:
    """Render a plan as a script with explicit transactions, stopping at the first error."""
    return document(_plan_lines(plan))


def _plan_lines(plan: Plan) -> Iterator[str]:
    summary = "nothing to do" if plan.in_sync else plan.step_count
    yield f"-- {plan.target}: {summary}"
    yield from (f"-- note: {note}" for note in plan.notes)
    if plan.in_sync:
        return
    yield from f"{HEAD}\n{PARAMETERS}".split("\n")
    if any(step.fill for step in plan.steps):
        yield SEE_ALL_ROWS
    for steps in plan.transactions():
        yield from _transaction_lines(steps)


def _transaction_lines(steps: Sequence[Step]) -> Iterator[str]:
    yield ""
    yield f"SET lock_timeout = {0 if any(step.long for step in steps) else repr('2s')};"
    yield f"SET statement_timeout = {repr('30s') if all(step.quick for step in steps) else 0};"
    if steps[0].transaction:
        yield "BEGIN;"
    path = ""
    for step in steps:
        if step.search_path != path:
            path = step.search_path
            yield _search_path_line(path)
        yield from _step_lines(step)
    if steps[0].transaction:
        yield "COMMIT;"
    if path:
        yield _search_path_line("")


def _search_path_line(path: str) -> str:
    return f"SET search_path = {path or repr('')};"


def _step_lines(step: Step) -> Iterator[str]:
    yield from (f"-- hazard {hazard.hazard}: {hazard.reason}" for hazard in step.hazards)
    if step.fill:
        yield from (f"-- note: {note}" for note in backfill.omissions(step.fill))
        yield from _command_lines(backfill.script(step.fill))
    elif step.environment:
        yield from _lines_with_value(step)
    else:
        yield from _command_lines(step.sql)


def _lines_with_value(step: Step) -> Iterator[str]:
    r"""Yield a command for \gexec with the value of an environment variable."""
    variable = step.environment
    before, _, after = step.sql.partition(placeholder(variable))
    yield rf"\getenv {variable} {variable}"
    command = f"{_string(before)} || quote_literal({placeholder(variable)}) || {_string(after)}"
    yield from rf"SELECT {command} \gexec".split("\n")


def _command_lines(command: str) -> Iterator[str]:
    r"""Yield a command for psql, in a string for \gexec if psql would change the command.

    psql reads nothing within the string, and the server reads its escapes as the characters.
    """
    if command == _escaped(command) and _is_read_unchanged(_QUOTED.sub(_QUOTE, command)):
        yield from f"{command};".split("\n")
        return
    yield from f"SELECT {_string(command)} \\gexec".split("\n")


def _string(command: str) -> str:
    quoted = command.replace("\\", r"\\").replace("'", "''")
    return f"E'{_escaped(quoted)}'"


def _is_read_unchanged(unquoted: str) -> bool:
    """Tell whether psql sends a command unchanged; psql waits for brackets to be closed."""
    depths = [*accumulate((c == "(") - (c == ")") for c in unquoted)]
    is_balanced = min(depths, default=0) >= 0 and depths[-1:] in ([], [0])
    return is_balanced and not _NOT_FOR_PSQL.search(unquoted)


def _escaped(command: str) -> str:
    return "\n".join(map(one_line, command.split("\n")))
