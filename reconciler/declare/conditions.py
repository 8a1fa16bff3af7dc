"""Fold long conditions at AND and OR, where a person would begin a line."""

from __future__ import annotations

import re
from itertools import pairwise

from reconciler.declare.dump import Folded

MAX_WIDTH = 80  # characters of a condition on a line
_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<bracket>[()])| (?:AND|OR)(?= )"""
)


def folded_condition(sql: str) -> Folded | None:
    """Return SQL on several lines, read as the same; None where it is short or has no AND and OR.

    A line begins at each AND and OR of the outermost brackets that hold any.
    """
    if len(sql) <= MAX_WIDTH or "\n" in sql:
        return None
    starts = _outermost(sql)
    lines = [sql[a:b].removeprefix(" ") for a, b in pairwise([0, *starts, len(sql)])]
    is_exact = sql == " ".join(lines) and all(line and line == line.strip() for line in lines)
    return Folded("\n".join(lines)) if starts and is_exact else None


def _outermost(sql: str) -> list[int]:
    """Return where the spaces before AND and OR stand, of those in the outermost brackets."""
    found, depth = dict[int, list[int]](), 0
    for token in _TOKEN.finditer(sql):
        if token["bracket"]:
            depth += 1 if token["bracket"] == "(" else -1
        elif not token["text"]:
            found.setdefault(depth, []).append(token.start())
    return found[min(found)] if found else []
