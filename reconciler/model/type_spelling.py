"""Spell the built-in data types as people write them: `int`, `varchar(20)`, `timestamptz`.

https://www.postgresql.org/docs/current/datatype.html lists the other names of the types. What is
no such type, or is written in another way, is left to PostgreSQL.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from reconciler.model.spelling import SqlText

_WITH, _WITHOUT = " with time zone", " without time zone"
# The name in lower case: what PostgreSQL prints before and after the modifier in brackets.
_PRINTED = {
    **dict.fromkeys(("int", "int4", "integer"), ("integer", "")),
    **dict.fromkeys(("int2", "smallint"), ("smallint", "")),
    **dict.fromkeys(("int8", "bigint"), ("bigint", "")),
    **dict.fromkeys(("bool", "boolean"), ("boolean", "")),
    **dict.fromkeys(("float4", "real"), ("real", "")),
    **dict.fromkeys(("float8", "double precision"), ("double precision", "")),
    **dict.fromkeys(("varchar", "character varying", "char varying"), ("character varying", "")),
    **dict.fromkeys(("varbit", "bit varying"), ("bit varying", "")),
    **dict.fromkeys(("timestamptz", "timestamp" + _WITH), ("timestamp", _WITH)),
    **dict.fromkeys(("timestamp", "timestamp" + _WITHOUT), ("timestamp", _WITHOUT)),
    **dict.fromkeys(("timetz", "time" + _WITH), ("time", _WITH)),
    **dict.fromkeys(("time", "time" + _WITHOUT), ("time", _WITHOUT)),
}
_NEEDS_MODIFIER = {  # without one, the type has another length or scale
    **dict.fromkeys(("char", "character"), ("character", "")),
    **dict.fromkeys(("decimal", "numeric"), ("numeric", "")),
}
_TYPE = re.compile(
    r"(?P<set>setof +)?(?P<name>[a-z]\w*(?: (?:varying|precision))?)"
    r" ?(?:\( ?(?P<size>\d{1,9}) ?(?:, ?(?P<scale>\d{1,9}) ?)?\))?"
    r"(?P<zone> (?:with|without) time zone)?(?P<array> ?\[\])?",
    re.ASCII,
)
_SHORT = {
    "integer": "int",
    "character varying": "varchar",
    "character": "char",
    "bit varying": "varbit",
    "timestamp" + _WITH: "timestamptz",
    "timestamp" + _WITHOUT: "timestamp",
    "time" + _WITH: "timetz",
    "time" + _WITHOUT: "time",
}


class TypeSql(SqlText):
    """A data type as SQL; the built-in ones by any of their names."""

    title: ClassVar[str] = "a data type"
    names: ClassVar[str] = "type"

    def read(self, written: str) -> str:
        sql_text = super().read(written)
        found = _TYPE.fullmatch(" ".join(sql_text.split()).lower())
        printed = found and _printed(found)
        if not found or not printed:
            return sql_text
        head, tail = printed
        return f"{_set(found)}{head}{_modifier(found)}{tail}{_array(found)}"

    def write(self, value: str) -> str:
        found = _TYPE.fullmatch(value)
        short = found and _SHORT.get(found["name"] + (found["zone"] or ""))
        if not found or not short:
            return value
        shown = f"{_set(found)}{short}{_modifier(found)}{_array(found)}"
        return shown if self.read(shown) == value else value


def _printed(found: re.Match[str]) -> tuple[str, str] | None:
    name = found["name"] + (found["zone"] or "")
    if name in _NEEDS_MODIFIER:
        is_complete = found["size"] and (found["scale"] or not name.startswith(("dec", "num")))
        return _NEEDS_MODIFIER[name] if is_complete else None
    return _PRINTED.get(name)


def _set(found: re.Match[str]) -> str:
    return "SETOF " if found["set"] else ""


def _modifier(found: re.Match[str]) -> str:
    sizes = [s for s in (found["size"], found["scale"]) if s is not None]
    return f"({','.join(str(int(s)) for s in sizes)})" if sizes else ""


def _array(found: re.Match[str]) -> str:
    return "[]" if found["array"] else ""


TypeName = Annotated[str, TypeSql()]
