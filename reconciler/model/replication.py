"""Hold facts about logical replication: what is sent, to whom, and what is written here.

https://www.postgresql.org/docs/current/logical-replication.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind


@dataclass(frozen=True)
class Published:
    """A publication of a table, of a partition, or of the partitioned table.

    columns     the published columns; None for all
    generated   stored generated columns are published too
    updates     UPDATE or DELETE are published, which need an identity of the rows
    """

    publication: str
    columns: frozenset[str] | None = None
    generated: bool = False
    updates: bool = True


@dataclass(frozen=True)
class Replication:
    """What logical replication sends from the tables of a database, and writes into them.

    slots        replication slots of the database by which subscribers follow publications
    published    the publications of each table
    future       publications of the tables that will be created: by schema, or "" for all
    subscribed   the subscriptions that write into each table
    """

    slots: tuple[str, ...] = ()
    published: Mapping[Ref, tuple[Published, ...]] = field(
        default_factory=dict[Ref, tuple[Published, ...]]
    )
    future: Mapping[str, tuple[Published, ...]] = field(
        default_factory=dict[str, tuple[Published, ...]]
    )
    subscribed: Mapping[Ref, tuple[str, ...]] = field(default_factory=dict[Ref, tuple[str, ...]])

    def senders(self, table: Ref, column: str | None = None, *, generated: bool = False) -> str:
        """Name the publications that send the table, or the column, to anybody; "" for none."""
        sending = [
            p.publication
            for p in (self.published.get(table, ()) if self.slots else ())
            if (not generated or p.generated)
            and (column is None or p.columns is None or column in p.columns)
        ]
        return _listed("publication{} {}", sending)

    def writers(self, table: Ref) -> str:
        """Name the subscriptions that write into the table; "" for none."""
        return _listed("subscription{} {}", self.subscribed.get(table, ()))

    def publishers_of_updates(self, table: Ref, *, created: bool) -> str:
        """Name the publications that send updates of a table, perhaps of a new one."""
        everywhere = (*self.future.get("", ()), *self.future.get(table.schema, ()))
        found = everywhere if created else self.published.get(table, ())
        return _listed("publication{} {}", [p.publication for p in found if p.updates])

    def stops_subscribers(self, what: str, instead: str) -> Hazard:
        """Return the hazard of a change after which subscribers cannot go on."""
        slots = _listed("slot{} {}", self.slots)
        return _stops(f"{what} to subscribers ({slots}): {instead}")


def stops_subscription(writer: str, why: str) -> Hazard:
    """Return the hazard of a change after which a subscription of this database cannot go on."""
    return _stops(f"{writer} stops here, because {why}")


def _stops(reason: str) -> Hazard:
    return Hazard(hazard=HazardKind.STOPS_REPLICATION, reason=reason)


def _listed(template: str, names: Iterable[str]) -> str:
    """Put the ending of the plural and the names into the template; "" without names."""
    found = sorted({*names})
    return template.format("s" if len(found) > 1 else "", ", ".join(found)) if found else ""
