"""Find the entries of a new file that other files declare already."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.declare.layout import sections_of
from reconciler.errors import Position
from reconciler.kinds import KINDS
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration


def declared_already(new: Declaration, there: Declaration) -> Iterator[tuple[str, Position]]:
    """Yield what `there` declares and `load` would refuse beside the new file, with its position.

    That is the definition of an object, under its new or old name, or a key of a table.
    """
    for ref, obj in {**new.objects, **new.absent}.items():
        for known in (ref, obj.old_ref):
            if known is not None and (known in there.objects or known in there.absent):
                yield from _in_both(new, there, ref, known)


def _in_both(
    new: Declaration, there: Declaration, ref: Ref, known: Ref
) -> Iterator[tuple[str, Position]]:
    sections = sections_of(KINDS, ref.kind)
    is_other = known != ref or ref in new.absent or known in there.absent
    if is_other or not sections:
        yield str(known), there.positions[known, ""]
        return
    for (r, key), at in there.positions.items():
        if r == known and key and key not in sections and (ref, key) in new.positions:
            yield f"{key} of {known}", at
