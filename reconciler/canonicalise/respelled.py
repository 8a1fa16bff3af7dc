"""Lay a declaration over the live state again, once PostgreSQL has spelled its names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.canonicalise.canonical import Inputs
from reconciler.canonicalise.overlay import Desired, laid_over, overlay
from reconciler.introspect.introspect import Snapshot
from reconciler.model.ref import Ref


def overlay_again(
    before: Desired, inputs: Inputs, spelled: Mapping[Ref, Ref], *, only_spelled: bool
) -> Desired:
    """Return the desired state under further names.

    `spelled` maps refs of the files to those with PostgreSQL's spelling of types. With
    `only_spelled`, nothing but the objects of these names has changed since `before`.
    """
    if only_spelled and _are_new(before, inputs.live, spelled):
        return _respelled(before, inputs, spelled)
    further = {**before.spelled, **spelled}
    return overlay(inputs.live, inputs.declaration, inputs.scope, further, before.renamed)


def _are_new(before: Desired, live: Snapshot, spelled: Mapping[Ref, Ref]) -> bool:
    """Tell whether nothing else has one of the names, so that they change no other object."""
    new = {ref for origin, ref in spelled.items() if origin != ref}
    taken = before.source.keys() | before.objects.keys() | live.state.objects.keys()
    return len({*spelled.values()}) == len(spelled) and not new & taken


def _respelled(before: Desired, inputs: Inputs, spelled: Mapping[Ref, Ref]) -> Desired:
    """Put the objects under their names into the desired state, as `overlay` lays new ones."""
    declaration, where = inputs.declaration, (inputs.live, inputs.scope)
    objects = {spelled.get(r, r): o for r, o in before.objects.items()}
    for origin, ref in spelled.items():
        if origin in before.source:
            obj = declaration.objects[origin].model_copy(update={"ref": ref})
            objects[ref] = laid_over(obj, None, origin, declaration, where)
    return replace(
        before,
        objects=objects,
        source={spelled.get(r, r): origin for r, origin in before.source.items()},
        spelled={**before.spelled, **spelled},
    )
