"""Markers: properties of a kind that ordering and scratch databases respect."""

from __future__ import annotations

from reconciler.model.object import Object


class AppliesLast(Object):
    """A setting for objects created later: changed after all others, kept on every clone."""


class FiresOnDdl(Object):
    """An object that reacts to DDL on other objects: created last, dropped first."""


class HiddenDependency(Object):
    """An object used without an entry in pg_depend, which records only the function behind it."""


class PlatformDependent(Object):
    """An object that depends on the server's platform: its ICU version, its locales."""
