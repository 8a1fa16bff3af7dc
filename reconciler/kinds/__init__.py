"""Kinds of database objects: each module or package of the folder defines one or a few."""

from __future__ import annotations

from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import walk_packages

from reconciler.model.object import Object


def _found() -> dict[str, type[Object]]:
    names = (m.name for m in walk_packages(__path__, f"{__name__}."))
    classes = {c for n in names for _, c in getmembers(import_module(n), _is_kind)}
    return {c.kind: c for c in sorted(classes, key=lambda c: c.kind)}


def _is_kind(member: object) -> bool:
    return isclass(member) and issubclass(member, Object) and "kind" in vars(member)


KINDS: dict[str, type[Object]] = _found()
