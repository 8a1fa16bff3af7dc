"""Quote foreign text in Markdown as code, which GitHub does not interpret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.escape import MAX_LINE, clipped, one_line


@dataclass(frozen=True)
class Block:
    """Lines to be cut at need, between opening and closing lines."""

    lines: tuple[str, ...]
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()


def fold(summary: str, language: str, lines: Iterable[str]) -> Block:
    """Return a fold with a block of code."""
    block = code_block(language, lines)
    head = ("", f"<details><summary>{summary}</summary>", "", *block.head)
    return Block(block.lines, head, (*block.tail, "</details>"))


def code_block(language: str, lines: Iterable[str]) -> Block:
    """Return a block of code, with a fence longer than any inside."""
    shown = tuple(clipped(one_line(line), MAX_LINE) for line in lines)
    fence = "`" * max([3, *(_longest_run(line) + 1 for line in shown)])
    return Block(shown, (f"{fence}{language}",), (fence,))


def code(text: str) -> str:
    """Quote text as inline code, within a fence longer than any run of backticks in the text."""
    shown = clipped(one_line(text), MAX_LINE)
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.strip(" ") != shown or "`" in shown or not shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str) -> str:
    """Quote text as inline code in a table, where a | ends a cell even within code."""
    return code(text.replace("\\|", r"\x5c|")).replace("|", r"\|")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def table_row(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"
