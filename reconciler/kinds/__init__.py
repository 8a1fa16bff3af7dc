"""The kinds of object, found by folder: one module, one kind or a few that are one idea."""

from __future__ import annotations

from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import iter_modules

from reconciler.contract import Object


def _found() -> dict[str, type[Object]]:
    modules = [import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__)]
    classes = {c for m in modules for _, c in getmembers(m, isclass) if issubclass(c, Object) and "kind" in vars(c)}
    return {c.kind: c for c in sorted(classes, key=lambda c: c.kind)}


KINDS: dict[str, type[Object]] = _found()
