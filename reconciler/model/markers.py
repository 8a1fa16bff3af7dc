"""Mark kinds for the order of a plan and for scratch databases."""

from __future__ import annotations

from typing import Self

from reconciler.model.access import DecidesAccess
from reconciler.model.object import Object
from reconciler.model.statement import Hazard


class AppliesLast(Object):
    """A setting for objects created later: changed last, kept on every clone."""


class FiresOnDdl(Object):
    """An object fired by DDL on any object: created last, dropped first."""


class HiddenDependency(Object):
    """An object with dependents missing from pg_depend: only the object's function is recorded."""


class GuardsRows(DecidesAccess):
    """An object deciding which rows of a table a role sees."""

    def weaknesses(self, old: Object) -> tuple[Hazard, ...]:
        """Return a hazard for each way in which more rows may be seen or written than by `old`."""
        raise NotImplementedError

    def without_casts(self) -> Self:
        """Return the object with conditions that do not depend on the types of columns."""
        raise NotImplementedError


class PlatformDependent(Object):
    """An object dependent on the server's platform: the ICU version, the installed locales."""
