"""Notices about objects left alone: `2 conversions are not managed: …`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from reconciler.counted import agreeing, counted
from reconciler.model.other_tools import other_tool
from reconciler.model.ref import Ref

MAX_NAMES = 5


def note(title: str, names: Collection[str], state: str) -> str:
    """Make a notice of a single line: objects of a kind, by singular title, are in a state."""
    verb = agreeing(len(names), "is", "are")
    return f"{counted(len(names), title)} {verb} {state}: {_listed(names)}"


def unfinished_notices(leftovers: Iterable[Ref]) -> list[str]:
    """Make a notice for each kind of leftovers without a declaration."""
    names: dict[str, list[str]] = {}
    for ref in leftovers:
        names.setdefault(ref.kind.replace("_", " "), []).append(ref.identity)
    state = "in no declaration, to be dropped by `--prune`"
    return [note(f"unfinished {kind}", names[kind], state) for kind in sorted(names)]


def building_notices(building: Mapping[Ref, int]) -> list[str]:
    """Make a notice for each index that another session builds."""
    return [
        f"{ref} is being built by pid {pid}: apply waits for the end"
        for ref, pid in sorted(building.items(), key=lambda b: b[0].order)
    ]


def other_tools_notices(refs: Iterable[Ref]) -> list[str]:
    """Make a notice for each other tool whose tables or schemas are left alone."""
    names: dict[str, set[str]] = {}
    for ref in refs:
        if ref.on is None and (tool := other_tool(ref)):
            names.setdefault(tool, set()).add(ref.identity)
    return [
        f"left alone, as {tool} records its migrations there: {_listed(names[tool])}"
        for tool in sorted(names)
    ]


def _listed(names: Collection[str]) -> str:
    rest = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(sorted(names)[:MAX_NAMES]) + rest
