"""Settings in force during a routine's call: SET … TO of CREATE FUNCTION."""

from __future__ import annotations

from psycopg import sql

from reconciler.sql import joined, split_commas

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


def setting_text(value: object) -> object:
    """Spell a YAML boolean or number as a setting."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int | float) else value


def without_quotes(setting: str, value: str) -> str:
    """Return a stored setting as declared: an empty list is stored as `""`."""
    return "" if setting in LIST_SETTINGS and value == '""' else value


def setting_value(setting: str, value: str) -> sql.Composable:
    """Spell a value for SET … TO."""
    if setting not in LIST_SETTINGS:
        return sql.Literal(value)
    names = [n[1:-1].replace('""', '"') if n.startswith('"') else n for n in split_commas(value)]
    return joined(sql.Literal(n) for n in names or [""])
