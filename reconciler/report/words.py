"""Pieces that several renderings share."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from reconciler.diff.diff import Action, Difference
from reconciler.plan.plan import Plan, Planned

SIGNS: dict[Action, str] = {"create": "+", "alter": "~", "drop": "-"}


def counted(changes: tuple[Planned, ...]) -> str:
    """`3 to create, 1 to drop`."""
    found = Counter(c.action for c in changes)
    return ", ".join(f"{found[a]} to {a}" for a in SIGNS if found[a]) or "nothing to do"


def value(of: Any) -> str:
    """A field's value in one line or, where it is long text, in several."""
    return of if isinstance(of, str) else json.dumps(of, ensure_ascii=False)


def difference(item: Difference, indent: str) -> list[str]:
    """A difference as lines: on one where both values are short, else one below the other."""
    live, wanted = value(item.live), value(item.wanted)
    if "\n" not in live + wanted and len(live) + len(wanted) < 90:
        return [f"{indent}{item.field}: {live} → {wanted}"]
    return [f"{indent}{item.field}:", *_block("-", live, indent), *_block("+", wanted, indent)]


def _block(sign: str, words: str, indent: str) -> list[str]:
    return [f"{indent}  {sign} {line}" for line in words.strip("\n").splitlines()]


def allow_flags(plan: Plan) -> str:
    """The flags that allow every hazard of the plan."""
    return " ".join(f"--allow {h}" for h in sorted(plan.hazards()))
