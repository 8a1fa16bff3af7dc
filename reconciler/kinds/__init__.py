"""The kinds of object, found by folder: one module, one kind or a few that are one idea."""

from __future__ import annotations

from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import walk_packages

from reconciler.model.object import Object


def _found() -> dict[str, type[Object]]:
    modules = [import_module(m.name) for m in walk_packages(__path__, f"{__name__}.")]
    classes = {
        c
        for m in modules
        for _, c in getmembers(m, isclass)
        if issubclass(c, Object) and "kind" in vars(c)
    }
    return {c.kind: c for c in sorted(classes, key=lambda c: c.kind)}


KINDS: dict[str, type[Object]] = _found()
