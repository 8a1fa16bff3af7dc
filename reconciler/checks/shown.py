"""Cut complaints to a length that people read."""

from __future__ import annotations

from reconciler.checks.model import Assertion

MAX_SHOWN = 300  # characters of a value, or of a line of a complaint
MAX_LINES = 20  # of a complaint


def shown(complaint: str, assertion: Assertion) -> str:
    """Return a complaint with the query, without the text of another file."""
    if assertion.access is not None:
        return limited(complaint)
    if not assertion.from_file:
        complaint = f"{complaint}\n{assertion.query.strip()}"
    elif assertion.position is not None:
        complaint = f"{complaint}\nin {assertion.position}"
    return limited(complaint)


def limited(text: str) -> str:
    """Cut long lines, and lines beyond a number."""
    lines = text.splitlines()
    more = [f"… {len(lines) - MAX_LINES} more lines"] if len(lines) > MAX_LINES else []
    return "\n".join([*map(clipped, lines[:MAX_LINES]), *more])


def clipped(line: str) -> str:
    """Cut a line."""
    return line if len(line) <= MAX_SHOWN else line[:MAX_SHOWN] + "…"
