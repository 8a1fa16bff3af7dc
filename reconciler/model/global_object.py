"""The capability of objects that all databases of a cluster share: roles.

Such an object is read only where a declaration or a plan names it, and by its name alone: a cluster
may have thousands, and most belong to somebody else. No other object is pruned or exported with it.
`Object.roles()` tells which others name it: it is made before these, and dropped after all.

Runs for other databases may change the same object at the same moment. So each statement commits
alone, has the same result when it runs twice, and gives way to a run that was quicker.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self

from reconciler.model.facts import Removal
from reconciler.model.kept_off_scratch import KeptOffScratch
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.server.connection import Connection


class GlobalObject(KeptOffScratch):
    """An object of the whole cluster."""

    schemaless: ClassVar[bool] = True
    oid_column: ClassVar[str] = ""

    @classmethod
    def removals(cls, connection: Connection, absent: Iterable[Object]) -> dict[Ref, Removal]:
        """Return what the removal of objects means, which are declared absent."""
        raise NotImplementedError

    @property
    def names_database(self) -> bool:
        """Whether statements on the object name the database: other databases need other plans."""
        return False

    def as_recorded(self, connection: Connection) -> Self:
        """Return the declared object with names as the catalog query gives them."""
        raise NotImplementedError
