"""Refuse impossible renamings: out of another table or schema, and exchanged names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.errors import Position, Problem
from reconciler.model.names import quoted, split_qualified
from reconciler.model.object import Object
from reconciler.model.ref import Ref

Written = Mapping[Ref, tuple[Position, str]]  # position and text of each `renamed_from`


def impossible_renames(objects: Mapping[Ref, Object], written: Written) -> Iterator[Problem]:
    """Report each `renamed_from` with a needless schema, the own name or an exchanged one."""
    old_refs = {r: o.old_ref for r, o in objects.items() if o.old_ref is not None}
    for ref, (position, text) in written.items():
        parts = split_qualified(text.strip())
        if parts is not None and parts[0] and (ref.on is not None or not ref.schema):
            yield _qualified(ref, parts, text, position)
        elif old_refs.get(ref) == ref:
            message = f"{ref}: renamed_from {text} is its own name"
            hint = "give the name that it had before, or leave renamed_from out"
            yield Problem(message, position, hint, "invalid-rename")
        elif ref in old_refs and _is_exchanged(ref, old_refs):
            yield _exchanged(ref, old_refs[ref], position)


def _qualified(ref: Ref, parts: tuple[str, str], text: str, position: Position) -> Problem:
    message = f"{ref}: renamed_from is an old name in the same place, without a schema or a table"
    hint = f"write {parts[1]}; a name that holds a dot: '{quoted(text)}'"
    return Problem(message, position, hint, "invalid-rename")


def _is_exchanged(ref: Ref, old_refs: Mapping[Ref, Ref]) -> bool:
    """Tell whether the old names lead back to the object."""
    seen, old = {ref}, old_refs[ref]
    while old in old_refs and old not in seen:
        seen.add(old)
        old = old_refs[old]
    return old == ref


def _exchanged(ref: Ref, old: Ref, position: Position) -> Problem:
    other = old.name if old.schema == ref.schema else f"{old.schema}.{old.name}"
    message = f"{ref}: renamed_from {other}, while that name is declared to be another's old one"
    hint = (
        "both names are there before and after, so nobody could tell whether it is done: rename "
        f"one to a third name and apply; then give {other} that third name as renamed_from, and "
        "apply again"
    )
    return Problem(message, position, hint, "invalid-rename")
