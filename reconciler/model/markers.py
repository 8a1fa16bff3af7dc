"""Mark kinds for the order of a plan and for scratch databases."""

from __future__ import annotations

from reconciler.model.access import DecidesAccess
from reconciler.model.object import Object


class AppliesLast(Object):
    """A setting for objects created later: changed last, kept on every clone."""


class FiresOnDdl(Object):
    """An object fired by DDL on any object: created last, dropped first."""


class HiddenDependency(Object):
    """An object with dependents missing from pg_depend: only the object's function is recorded."""


class GuardsRows(DecidesAccess):
    """An object deciding which rows of a table a role sees."""


class PlatformDependent(Object):
    """An object dependent on the server's platform: the ICU version, the installed locales."""
