"""Changes of a column's type by ALTER COLUMN … TYPE: USING, table rewrites, loss of data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from reconciler.kinds.column.using import losses_by_using
from reconciler.model.casts import conversion, loses, rewrites, shifts_time
from reconciler.model.ref import Ref
from reconciler.model.spelling import collation_sql
from reconciler.model.statement import Hazard, HazardKind
from reconciler.sql import compose, name, raw, text


@dataclass(frozen=True)
class TypeChange:
    """The change of a column of `relation` from type and collation `old` to `new`."""

    ref: Ref
    relation: str
    old: tuple[str, str | None]
    new: tuple[str, str | None]

    @property
    def is_costly(self) -> bool:
        """Whether table or indexes are rewritten."""
        return rewrites(self.old[0], self.new[0]) or self.old[1] != self.new[1]

    @property
    def value(self) -> sql.Composable:
        """The expression for a row's new value."""
        column = name(self.ref.name)
        return conversion(self.old[0], self.new[0], column) or column

    def action(self, using: sql.Composable | None) -> sql.Composable:
        """Return TYPE … for ALTER COLUMN, with a declared expression `using` or the default."""
        default = conversion(self.old[0], self.new[0], name(self.ref.name))
        return _type_action(self.new, using or default)

    def undo_action(self) -> sql.Composable:
        """Return TYPE … for ALTER COLUMN back to the old type."""
        return _type_action(self.old, conversion(self.new[0], self.old[0], name(self.ref.name)))

    def losses(self, using: str | None) -> Iterator[Hazard]:
        """Yield the hazards of lost or shifted values, which `using` converts, if it is declared.

        A time zone is lost or added by way of the session's, which a declared expression avoids.
        """
        if using is not None:
            yield from self._losses_by_using(using)
            return
        if shifts_time(self.old[0], self.new[0]):
            why = (
                f"the session's TimeZone decides the values of {self.ref} as {self.new[0]}: "
                "`using` with AT TIME ZONE names the zone"
            )
            yield Hazard(hazard=HazardKind.DATA_LOSS, reason=why)
        if loses(self.old[0], self.new[0]):
            why = f"values of {self.ref} are rounded or cut to {self.new[0]}"
            yield Hazard(hazard=HazardKind.DATA_LOSS, reason=why)

    def _losses_by_using(self, using: str) -> Iterator[Hazard]:
        """Yield the hazards of a declared expression, which may give the rows any values.

        Where only a cast by way of text leads back, it may fail on these.
        """
        old, new, column = self.old[0], self.new[0], name(self.ref.name)
        losses = losses_by_using(using, text(column), old, new)
        if losses is not None:
            for loss in losses:
                why = f"values of {self.ref} are {loss}"
                yield Hazard(hazard=HazardKind.DATA_LOSS, reason=why)
            return
        why = f"`using` computes new values of {self.ref}, and may keep nothing of the old ones"
        yield Hazard(hazard=HazardKind.DATA_LOSS, reason=why)
        if conversion(new, old, column) is not None:
            why = f"no cast leads from the values that `using` gives {self.ref} back to {old}"
            yield Hazard(hazard=HazardKind.IRREVERSIBLE, reason=why)

    @property
    def rewrites(self) -> bool:
        """Whether the table is rewritten."""
        return rewrites(self.old[0], self.new[0])

    def hazards(self, using: str | None) -> Iterator[Hazard]:
        """Yield the hazards of rebuilt indexes and lost data; the rewrite has its own."""
        if not self.rewrites and self.old[1] != self.new[1]:
            why = (
                f"the indexes of {self.ref} are built anew "
                f"while nobody can read or write {self.relation}"
            )
            yield Hazard(hazard=HazardKind.BLOCKS_READS, reason=why)
        yield from self.losses(using)


def _type_action(type_: tuple[str, str | None], using: sql.Composable | None) -> sql.Composable:
    collation = raw("") if type_[1] is None else compose(" COLLATE {}", collation_sql(type_[1]))
    return compose(
        "TYPE {}{}{}",
        raw(type_[0]),
        collation,
        raw("") if using is None else compose(" USING {}", using),
    )


def spelled_collation(schema: str, own: str) -> str:
    """Return a collation as people write the name, unqualified for pg_catalog.

    The result is quoted if `collation_sql` would read the plain spelling as another name.
    """
    spelled, quoted = f"{schema}.{own}", name(schema, own)
    if schema == "pg_catalog":
        spelled, quoted = own, name(own)
    is_plain = text(collation_sql(spelled)) == text(quoted)
    return spelled if is_plain else text(name(schema, own))
