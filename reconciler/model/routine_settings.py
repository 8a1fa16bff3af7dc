"""Settings in force during a routine's call: SET … TO of CREATE FUNCTION."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

from psycopg import sql
from pydantic import BeforeValidator

from reconciler.model.names import unquoted
from reconciler.model.spelling import Parameter, Setting
from reconciler.sql import joined, name, split_commas, text

# Settings with a list of quoted names: GUC_LIST_QUOTE in PostgreSQL's guc_tables.c
LIST_SETTINGS = frozenset(
    {
        "search_path",
        "temp_tablespaces",
        "session_preload_libraries",
        "shared_preload_libraries",
        "local_preload_libraries",
    }
)


def _as_text(settings: object) -> object:
    if not isinstance(settings, Mapping):
        return settings
    listed = cast("Mapping[str, object]", settings)
    return {k: _setting_text(k, v) for k, v in listed.items()}


def _setting_text(setting: str, value: object) -> object:
    """Spell a YAML boolean, number or list as a setting."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        items = [str(i) for i in cast("Sequence[object]", value)]
        quoted = [text(name(unquoted(i))) if setting in LIST_SETTINGS else i for i in items]
        return ", ".join(quoted)
    return str(value) if isinstance(value, int | float) else value


Settings = Annotated[dict[Parameter, Setting], BeforeValidator(_as_text)]


def without_quotes(setting: str, value: str) -> str:
    """Return a stored setting as declared: an empty list is stored as `""`."""
    return "" if setting in LIST_SETTINGS and value == '""' else value


def setting_value(setting: str, value: str) -> sql.Composable:
    """Spell a value for SET … TO."""
    if setting not in LIST_SETTINGS:
        return sql.Literal(value)
    names = [n[1:-1].replace('""', '"') if n.startswith('"') else n for n in split_commas(value)]
    return joined(sql.Literal(n) for n in names or [""])
