"""Storage, compression, statistics and foreign-table options of a column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from psycopg import sql

from reconciler.kinds.column.definition import ColumnDefinition
from reconciler.kinds.column.target import Target
from reconciler.model.foreign_options import options_change
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.sql import compose, raw

SETTINGS = ("storage", "compression", "statistics", "n_distinct", "n_distinct_inherited")
C = TypeVar("C", bound=ColumnDefinition)


def has_settings(column: ColumnDefinition) -> bool:
    """Tell whether the column differs from what ADD COLUMN makes of its name and type."""
    return any(getattr(column, field) is not None for field in SETTINGS) or bool(column.options)


def without_settings(column: C, **kept: Any) -> C:
    """Return the column as ADD COLUMN makes a column of its name and type, apart from `kept`."""
    defaults: dict[str, Any] = {**dict.fromkeys(SETTINGS), "options": {}}
    return column.model_copy(update=defaults | kept)


def alter_settings(
    new: ColumnDefinition, old: ColumnDefinition, target: Target, server: Server
) -> Iterator[Statement]:
    """Alter the settings of `old` to the settings of `new`."""
    if new.storage != old.storage:
        default = _default_storage(new, server)
        yield target.alter_column(
            *(raw(f"SET STORAGE {c.storage or default}") for c in (new, old)),
        )
    if new.compression != old.compression:
        yield target.alter_column(
            *(raw(f"SET COMPRESSION {c.compression or 'default'}") for c in (new, old)),
        )
    if new.statistics != old.statistics:
        yield target.alter_statistics(*(_set_statistics(c.statistics) for c in (new, old)))
    for option in ("n_distinct", "n_distinct_inherited"):
        value, before = getattr(new, option), getattr(old, option)
        if value != before:
            yield target.alter_statistics(_set_option(option, value), _set_option(option, before))
    action = options_change(old.options, new.options)
    if action is not None:
        yield target.alter_column(action, options_change(new.options, old.options))


def _set_statistics(statistics: int | None) -> sql.Composable:
    return raw(f"SET STATISTICS {-1 if statistics is None else statistics}")


def _set_option(option: str, value: str | None) -> sql.Composable:
    if value is None:
        return raw(f"RESET ({option})")
    return compose("SET ({} = {})", option, raw(value))


def _default_storage(column: ColumnDefinition, server: Server) -> str:
    """Return the storage of the type: DEFAULT since 16, and before the type's own strategy."""
    if server.has_default_storage:
        return "default"
    is_main = column.type.startswith(("numeric", "inet", "cidr"))
    return "main" if is_main and not column.type.endswith("[]") else "extended"
