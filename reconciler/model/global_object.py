"""The capability of objects that all databases of a cluster share: roles.

Such an object is read only where a declaration or a plan names it, and by its name alone: a cluster
may have thousands, and most belong to somebody else. No other object is pruned or exported with it.
`Object.roles()` tells which others name it: it is made before these, and dropped after all.

Runs for other databases may change the same object at the same moment. So each statement commits
alone, has the same result when it runs twice, and gives way to a run that was quicker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from reconciler.model.facts import Removal
from reconciler.model.kept_off_scratch import KeptOffScratch
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.server.connection import Connection


class GlobalObject(KeptOffScratch):
    """An object of the whole cluster.

    fields_above_policies  Boolean fields by which no row security policy binds the object
    """

    fields_above_policies: ClassVar[Sequence[str]] = ()
    schemaless: ClassVar[bool] = True
    oid_column: ClassVar[str] = ""

    @property
    def unbound_by_policies(self) -> Sequence[str]:
        """The fields by which no row security policy binds this object."""
        return [field for field in self.fields_above_policies if getattr(self, field)]

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
