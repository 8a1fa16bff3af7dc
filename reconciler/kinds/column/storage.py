"""How a column's values are stored, and how closely ANALYZE looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from psycopg import sql

from reconciler.kinds.column.target import Target
from reconciler.model.foreign_options import options_change
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, raw

RESET = {"storage": None, "compression": None}  # what ALTER COLUMN … TYPE forgets
STORED = ("storage", "compression", "statistics", "n_distinct", "n_distinct_inherited")
ANALYSED = "SHARE UPDATE EXCLUSIVE"


class Stored(Protocol):
    """What a column says of it; None is what the server does anyway."""

    @property
    def type(self) -> str: ...
    @property
    def storage(self) -> str | None: ...
    @property
    def compression(self) -> str | None: ...
    @property
    def statistics(self) -> int | None: ...
    @property
    def n_distinct(self) -> str | None: ...
    @property
    def n_distinct_inherited(self) -> str | None: ...
    @property
    def options(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Plain:
    """A column of which nothing is said, or little."""

    type: str
    storage: str | None = None
    compression: str | None = None
    statistics: int | None = None
    n_distinct: str | None = None
    n_distinct_inherited: str | None = None
    options: Mapping[str, str] = field(default_factory=dict[str, str])


def settings(new: Stored, old: Stored, target: Target, server: Server) -> Iterator[Statement]:
    """The statements that turn what `old` says into what `new` does."""

    def words(
        template: str, usual: str | int, *values: str | int | None
    ) -> Iterator[sql.Composable]:
        yield from (raw(template.format(usual if v is None else v)) for v in values)

    if new.storage != old.storage:
        yield target.alter_column(
            *words("SET STORAGE {}", _usual_storage(new, server), new.storage, old.storage)
        )
    if new.compression != old.compression:
        yield target.alter_column(
            *words("SET COMPRESSION {}", "default", new.compression, old.compression)
        )
    if new.statistics != old.statistics:
        yield target.alter_column(
            *words("SET STATISTICS {}", -1, new.statistics, old.statistics),
            only=True,
            lock=ANALYSED,
        )
    distinct = {
        "n_distinct": (new.n_distinct, old.n_distinct),
        "n_distinct_inherited": (new.n_distinct_inherited, old.n_distinct_inherited),
    }
    for setting, values in distinct.items():
        if values[0] != values[1]:
            actions = [
                raw(f"RESET ({setting})")
                if v is None
                else compose("SET ({} = {})", setting, raw(v))
                for v in values
            ]
            yield target.alter_column(*actions, only=True, lock=ANALYSED)
    forth, back = options_change(old.options, new.options), options_change(new.options, old.options)
    if forth is not None:
        yield target.alter_column(forth, back)


def _usual_storage(column: Stored, server: Server) -> str:
    """The type's own storage: PostgreSQL has had a word for it since 16, and before the types did not differ much."""
    if server.has_default_storage:
        return "default"
    return (
        "main"
        if column.type.startswith(("numeric", "inet", "cidr")) and not column.type.endswith("[]")
        else "extended"
    )
