"""How people are told of what is left as it is: `2 conversions are not managed: …`."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciler.model.ref import Ref

SHOWN = 5


def note(sort: str, names: Collection[str], what: str) -> str:
    """One line for all things of a sort."""
    listed = ", ".join(sorted(names)[:SHOWN]) + (
        f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    )
    return (
        f"1 {sort} is {what}: {listed}"
        if len(names) == 1
        else f"{len(names)} {_several(sort)} are {what}: {listed}"
    )


def unfinished_notices(left: Iterable[Ref]) -> list[str]:
    """A line for each kind of what interrupted work has left and nothing takes up."""
    found: dict[str, list[str]] = {}
    for ref in left:
        found.setdefault(ref.kind.replace("_", " "), []).append(ref.identity)
    return [
        note(f"half-made {sort}", names, "in no declaration, to be dropped by `--prune`")
        for sort, names in sorted(found.items())
    ]


def _several(sort: str) -> str:
    if sort.endswith("y"):
        return sort[:-1] + "ies"
    return sort + ("es" if sort.endswith(("s", "x")) else "s")
