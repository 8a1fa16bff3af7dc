"""Read temporal keys as SQL writes them: `PERIOD during`, `during WITHOUT OVERLAPS`.

https://www.postgresql.org/docs/current/sql-createtable.html
"""

from __future__ import annotations

import re
from typing import Any, cast

from reconciler.model.names import unquoted
from reconciler.sql import split_commas

_PERIOD = re.compile(r"PERIOD\s+(.+)", re.IGNORECASE | re.DOTALL)
_OVERLAPS = re.compile(r"(.+?)\s+WITHOUT\s+OVERLAPS", re.IGNORECASE | re.DOTALL)
_COLUMNS = re.compile(r"(.*?\()([^()]*)(\).*)", re.DOTALL)


def in_one_form(body: object) -> object:
    """Move PERIOD and WITHOUT OVERLAPS of a last column into the fields of a constraint.

    PERIOD on one side of a foreign key, or in `period`, is meant for both sides.
    """
    if not isinstance(body, dict):
        return body
    fields = dict(cast("dict[str, Any]", body))
    for key in ("unique", "primary_key"):
        _move(fields, key, _OVERLAPS, "without_overlaps")
    _move(fields, "foreign_key", _PERIOD, "period")
    found = _COLUMNS.fullmatch(str(fields.get("references") or ""))
    columns = split_commas(found[2]) if found else []
    if found and columns:
        fields |= {"period": True} if _PERIOD.match(columns[-1]) else {}
        if fields.get("period") is True and not _PERIOD.match(columns[-1]):
            columns[-1] = f"PERIOD {columns[-1]}"
            fields["references"] = f"{found[1]}{', '.join(columns)}{found[3]}"
    return fields


def _move(fields: dict[str, Any], key: str, pattern: re.Pattern[str], flag: str) -> None:
    columns = fields.get(key)
    if not isinstance(columns, tuple) or not columns:
        return
    *others, last = cast("tuple[object, ...]", columns)
    found = pattern.fullmatch(last) if isinstance(last, str) else None
    if found is not None:
        fields |= {key: (*others, unquoted(found[1])), flag: True}
