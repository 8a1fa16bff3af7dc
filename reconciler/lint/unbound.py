"""Find declared roles that no policy binds: a scratch server knows them by their names alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.global_object import GlobalObject
from reconciler.model.state import Declaration


def unbound(declaration: Declaration) -> Mapping[str, Sequence[str]]:
    """Map the name of each declared role to its attributes by which no policy binds it."""
    return {
        ref.name: obj.unbound_by_policies
        for ref, obj in declaration.objects.items()
        if isinstance(obj, GlobalObject)
    }
