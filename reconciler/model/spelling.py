"""Define the types of fields by content: names, roles, privileges, SQL.

A field of a kind is annotated by one of these types. `declare` reads each text of a declaration by
`Spelling.read`, and an export writes each value by `Spelling.write`. Values from the catalog and
from journals have the form of the field already. A raw name means itself, and is the same name
between double quotes; only expressions are SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from psycopg import sql
from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from reconciler.model.names import quoted, split_dotted, unquoted
from reconciler.model.privileges import ALL, BY, OPTION, PUBLIC
from reconciler.sql import name, raw, split_commas, text, without_final_comment

_PSEUDO_ROLES = frozenset({"current_user", "current_role", "session_user"})
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)?\Z")
_SEPARATOR = re.compile(r"[\s_]+")
_PRIVILEGE = re.compile(
    r"\s*(?P<granted>.*?)(?P<option>\s+with\s+grant\s+option)?(?:\s+granted\s+by\s+(?P<by>.+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_INDEX_KEY = re.compile(r'\s*("(?:[^"]|"")+"|[\w$]+)(?=\s|\Z)(.*)', re.DOTALL)
_EVENT = re.compile(r"\s*(insert|delete|truncate|update(?:\s+of\s+(.+))?)\s*", re.I | re.S)
_PART = r'(?:"(?:[^"]|"")+"|[^\s".(]+)'
_REFERENCED = re.compile(
    rf"\s*({_PART}(?:\.{_PART})?)\s*(?:\(([^()]*)\))?(\s.*)?", re.DOTALL | re.IGNORECASE
)
_PERIOD = re.compile(r"\s*PERIOD\s+(?=\S)", re.IGNORECASE)
_USING_INDEX = re.compile(r"\s*using\s+index\s+(.+)", re.IGNORECASE | re.DOTALL)


def folded(word: str) -> str:
    """Return a word in lower case, with a single space for spaces and underscores."""
    return _SEPARATOR.sub(" ", word.strip()).lower()


def any_case(words: Iterable[str]) -> str:
    """Return a pattern for JSON Schema of words in upper or lower case."""

    def letter(character: str) -> str:
        if character in " _":
            return "[ _]"
        both = character.lower() + character.upper()
        return f"[{both}]" if character.isalpha() else re.escape(character)

    return "|".join("".join(map(letter, word)) for word in words)


@dataclass(frozen=True)
class Spelling:
    """Ways to write the texts of a field; the title names such a text in messages.

    `names` is the namespace of the name with which the texts begin: type, relation or routine.
    `variables` says whether a variable of the declaration may be part of a text: of a name, of a
    value that is a literal in SQL, or, since a text is SQL, of none.
    """

    title: ClassVar[str] = "text"
    names: ClassVar[str] = ""
    variables: ClassVar[Literal["", "name", "value"]] = ""

    def read(self, written: str) -> str:
        """Return a written text as the field holds it; raises ValueError."""
        return written

    def write(self, value: str) -> str:
        """Return the text that is read as the value of a field."""
        return value


class RawName(Spelling):
    """A name that the field holds without quotes."""

    title: ClassVar[str] = "a name"
    variables: ClassVar[Literal["", "name", "value"]] = "name"

    def read(self, written: str) -> str:
        return unquoted(written)

    def write(self, value: str) -> str:
        try:
            same = self.read(value) == value
        except ValueError:
            same = False
        return value if same else quoted(value)


class RoleName(RawName):
    """The name of a role, or PUBLIC in any case."""

    title: ClassVar[str] = "a role"

    def read(self, written: str) -> str:
        if written.lower() == PUBLIC:
            return PUBLIC
        if written.lower() in _PSEUDO_ROLES:
            raise ValueError(
                f"PostgreSQL stores the role that {written} is at that moment, not the word:"
                f" name the role; a role of that name is '\"{written}\"'"
            )
        return super().read(written)


class SystemName(RawName):
    """The name of a language or access method, which PostgreSQL's manual writes in any case."""

    title: ClassVar[str] = "a name"

    def read(self, written: str) -> str:
        name_ = super().read(written)
        return name_ if name_ != written else written.lower()


class ParameterName(Spelling):
    """The name of a setting or a storage parameter, in any case."""

    title: ClassVar[str] = "a parameter"

    def read(self, written: str) -> str:
        return unquoted(written).lower()


class SqlName(Spelling):
    """A name that the field holds as SQL: `schema.name`, quoted where PostgreSQL needs quotes."""

    title: ClassVar[str] = "name or schema.name"
    variables: ClassVar[Literal["", "name", "value"]] = "name"
    parts: ClassVar[int] = 2

    def read(self, written: str) -> str:
        parts = split_dotted(written.strip())
        if parts is None or len(parts) > self.parts:
            hint = f"a name that holds a dot or a quote: '{quoted(written)}'"
            raise ValueError(f"expected {self.title}, got '{written}'; {hint}")
        return text(name(*parts))


class SqlRelationName(SqlName):
    """The name of a table, view or the like, with its schema or without."""

    names: ClassVar[str] = "relation"


class SqlColumn(SqlName):
    """A column with its table, as SQL: `table.column` or `schema.table.column`."""

    title: ClassVar[str] = "table.column"
    parts: ClassVar[int] = 3


class CollationSql(Spelling):
    """A collation as SQL, by the name as people write it: `C`, `en_US.utf8`."""

    title: ClassVar[str] = "a collation"
    variables: ClassVar[Literal["", "name", "value"]] = "name"

    def read(self, written: str) -> str:
        return text(collation_sql(written.strip()))


def collation_sql(spelled: str) -> sql.Composable:
    """Return a declared collation as SQL, quoted unless plain or quoted: `C`, `en_US.utf8`."""
    return raw(spelled) if '"' in spelled or _PLAIN.match(spelled) else name(spelled)


class SqlText(Spelling):
    """An expression, a type, a query: SQL. A comment at the end is left out."""

    title: ClassVar[str] = "SQL"

    def read(self, written: str) -> str:
        return without_final_comment(written)


class CallSql(SqlText):
    """A function with constant arguments, as a trigger executes it."""

    title: ClassVar[str] = "a function with its arguments"
    names: ClassVar[str] = "routine"


class IndexKeySql(SqlText):
    """A column, by its name, or an expression in SQL, before COLLATE, opclass and order in SQL."""

    title: ClassVar[str] = "a column or an (expression)"

    def read(self, written: str) -> str:
        sql_text = super().read(written)
        found = _INDEX_KEY.fullmatch(sql_text)
        return text(name(unquoted(found[1]))) + found[2] if found else sql_text


class EventText(Spelling):
    """An event of a trigger: `insert`, `update of` columns by their names, …"""

    title: ClassVar[str] = "an event"

    def read(self, written: str) -> str:
        found = _EVENT.fullmatch(without_final_comment(written))
        if found is None:
            return written
        if found[2] is None:
            return found[1].lower()
        return f"update of {', '.join(text(name(unquoted(c))) for c in split_commas(found[2]))}"


class ReferencedSql(SqlText):
    """The referenced table and columns of a foreign key by name, and the actions in SQL."""

    title: ClassVar[str] = "table(columns)"
    names: ClassVar[str] = "relation"

    def read(self, written: str) -> str:
        sql_text = super().read(written)
        found = _REFERENCED.fullmatch(sql_text)
        if found is None:
            return sql_text
        table = SqlName().read(found[1])
        columns = "" if found[2] is None else f"({', '.join(map(_column, split_commas(found[2])))})"
        return f"{table}{columns}{found[3] or ''}"


def _column(listed: str) -> str:
    period = _PERIOD.match(listed)
    own = listed[period.end() :] if period else listed.strip()
    return ("PERIOD " if period else "") + text(name(unquoted(own)))


class LiteralText(Spelling):
    """A text that statements hold as a literal."""

    variables: ClassVar[Literal["", "name", "value"]] = "value"


class PrivilegeText(Spelling):
    """A privilege in any case: `select`, `select with grant option`, `select granted by role`."""

    title: ClassVar[str] = "a privilege"

    def read(self, written: str) -> str:
        found = _PRIVILEGE.fullmatch(written)
        assert found is not None
        granted = " ".join(found["granted"].lower().split())
        granted = ALL if granted == "all privileges" else granted
        by = "" if found["by"] is None else BY + RoleName().read(found["by"])
        return granted + (OPTION if found["option"] else "") + by

    def write(self, value: str) -> str:
        granted, by, grantor = value.partition(BY)
        return f"{granted}{by}{RoleName().write(grantor)}"


class ReplicaIdentityText(Spelling):
    """DEFAULT, FULL or NOTHING, or USING INDEX with the name of an index."""

    title: ClassVar[str] = "default, full, nothing or using index NAME"

    def read(self, written: str) -> str:
        found = _USING_INDEX.fullmatch(written)
        return folded(written) if found is None else f"using index {unquoted(found[1].strip())}"

    def write(self, value: str) -> str:
        found = _USING_INDEX.fullmatch(value)
        return value if found is None else f"using index {RawName().write(found[1])}"

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        words = any_case(("default", "full", "nothing"))
        return {"type": "string", "pattern": f"^({words}|{any_case(('using index',))} .+)$"}


class SettingText(Spelling):
    """The value of a setting, or the items of a list."""

    title: ClassVar[str] = "a value or a list"
    variables: ClassVar[Literal["", "name", "value"]] = "value"

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        value: Any = handler(schema)
        return {"anyOf": [value, {"type": "array", "items": value}]}


Name = Annotated[str, RawName()]
Role = Annotated[str, RoleName()]
AnyCaseName = Annotated[str, SystemName()]
QualifiedName = Annotated[str, SqlName()]
RelationName = Annotated[str, SqlRelationName()]
QualifiedColumn = Annotated[str, SqlColumn()]
Sql = Annotated[str, SqlText()]
Call = Annotated[str, CallSql()]
Collation = Annotated[str, CollationSql()]
Parameter = Annotated[str, ParameterName()]
IndexKey = Annotated[str, IndexKeySql()]
Event = Annotated[str, EventText()]
Referenced = Annotated[str, ReferencedSql()]
Privilege = Annotated[str, PrivilegeText()]
Privileges = dict[Role, tuple[Privilege, ...]]
ReplicaIdentity = Annotated[str, ReplicaIdentityText()]
Text = Annotated[str, LiteralText()]
Comment = Annotated[Text, AfterValidator(lambda comment: comment or None)]  # as PostgreSQL does
Setting = Annotated[str, SettingText()]
