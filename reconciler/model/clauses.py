"""The clauses in which SQL that people wrote may stand, each with probes of PostgreSQL's grammar.

A probe is a statement with `{}` in place of the text. PostgreSQL only parses it. Text stands in
its clause alone if PostgreSQL accepts all probes of the clause: text that leaves one probe, by a
bracket, a comma, a comment or a further clause, is a syntax error in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from reconciler.sql import raw, text


@dataclass(frozen=True)
class Clause:
    """A place in a statement: what may stand there, as a message says it, and the probes.

    `advice` maps a pattern of a whole text, which PostgreSQL refuses there, to a hint; `{}` in the
    hint stands for the text. `traps` maps a pattern of a whole text, which PostgreSQL would take
    for something else, to the message and the hint.
    """

    title: str
    probes: tuple[str, ...]
    advice: tuple[tuple[str, str], ...] = ()
    traps: tuple[tuple[str, str, str], ...] = ()

    def offset(self, number: int) -> int:
        """Return the index at which the text begins in a probe, by number."""
        return self.probes[number].index("{}")

    def advice_on(self, fragment: str) -> str:
        """Return the hint for a refused text, if any."""
        found = (h for p, h in self.advice if re.fullmatch(p, fragment.strip()))
        return next(found, "").replace("{}", fragment.strip())

    def trap_in(self, fragment: str) -> tuple[str, str] | None:
        """Return message and hint for a text with an unexpected meaning in SQL, if any."""
        for pattern, message, hint in self.traps:
            if re.fullmatch(pattern, shown := fragment.strip()):
                return message.replace("{}", shown), hint.replace("{}", shown)
        return None

    def statements(self, fragment: str) -> Iterator[str]:
        """Compose the probes with a text, as `sql.compose` would."""
        composed = text(raw(fragment))
        return (probe.replace("{}", composed) for probe in self.probes)


class Fragment(NamedTuple):
    """SQL of a field, by name, or of the object's key if `field` is empty."""

    field: str
    clause: Clause
    text: str


def fragments_in(field: str, clause: Clause, value: object) -> Iterator[Fragment]:
    """Yield the texts of a field: a text, or the texts in a list or in the values of a mapping."""
    if value is None:
        return
    if isinstance(value, str):
        if value:
            yield Fragment(field, clause, value)
    elif isinstance(value, Mapping):
        for part in cast("Mapping[str, object]", value).values():
            yield from fragments_in(field, clause, part)
    elif isinstance(value, Sequence):
        for part in cast("Sequence[object]", value):
            yield from fragments_in(field, clause, part)


# the words that may follow the table in REFERENCES, and that say nothing of another constraint
_KEY_ACTIONS = re.compile(
    r"""(\s+(MATCH\s+(FULL|SIMPLE)|ON\s+(DELETE|UPDATE)\s+(NO\s+ACTION|RESTRICT|CASCADE
    |SET\s+(NULL|DEFAULT)(\s*\(\s*\w+(\s*,\s*\w+)*\s*\))?)))+\s*\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_BRACKETED = "SELECT ({})"
_UNBRACKETED = "SELECT CASE WHEN {} THEN 1 END"
_ONE_ELEMENT = "CREATE TABLE x (EXCLUDE ({} WITH =))"
_LEADING_ZERO = (
    r"[+-]?0[0-9]+(\.[0-9]*)?",
    "{} is a number in SQL, which loses the leading zero",
    "text is quoted twice: \"'{}'\"; a number is written without the zero",
)
EXPRESSION = Clause("one expression", (_BRACKETED, _UNBRACKETED), traps=(_LEADING_ZERO,))
# https://www.postgresql.org/docs/current/sql-createtable.html: a DEFAULT without brackets is
# followed by further clauses, such as COLLATE
DEFAULT = Clause(
    "one expression, in brackets if it contains AND, OR, IN, IS or COLLATE",
    (*EXPRESSION.probes, "SELECT POSITION({} IN x)"),
    advice=((r"[^\W\d][\w .,:!-]*", "text is quoted twice, did you mean \"'{}'\"?"),),
    traps=EXPRESSION.traps,
)
TYPE = Clause("one data type and nothing else", ("SELECT CAST(x AS {})", "SELECT (x)::{}"))
NAME = Clause("one name: schema.name", ("COMMENT ON COLLATION {} IS NULL",))
OPERATOR_NAME = Clause("one operator: schema.operator", ("ALTER OPERATOR {} (x, x) OWNER TO x",))
OPERANDS = Clause("two operand types", ("COMMENT ON OPERATOR + ({}) IS NULL",))
OPERATOR_SIGNATURE = Clause("one operator with its operands", ("COMMENT ON OPERATOR {} IS NULL",))
FUNCTION_SIGNATURE = Clause(
    "one function with its arguments: schema.name(type, …)", ("COMMENT ON FUNCTION {} IS NULL",)
)
CALL = Clause(
    "one function with constant arguments: schema.name('…')",
    ("CREATE TRIGGER x AFTER INSERT ON x EXECUTE FUNCTION {}",),
    advice=((r'[\w$."]+', "the function is named with its arguments: {}()"),),
)
EVENT = Clause(
    "one event: insert, delete, truncate, update, or update of columns",
    ("CREATE TRIGGER x AFTER {} ON x EXECUTE FUNCTION x()",),
)
ARGUMENTS = Clause(
    "one list of arguments",
    ("CREATE FUNCTION x({}) RETURNS x LANGUAGE x", "CREATE PROCEDURE x({}) LANGUAGE x"),
)
AGGREGATE_ARGUMENTS = Clause("one list of arguments", ("COMMENT ON AGGREGATE x({}) IS NULL",))
RETURNS = Clause(
    "one result type and nothing else",
    ("CREATE FUNCTION x() RETURNS {}", "CREATE FUNCTION x(IN x {}) LANGUAGE x"),
)
RETURNED_TABLE = Clause(
    "TABLE and one list of columns",
    ("CREATE FUNCTION x {} RETURNS x LANGUAGE x", "CREATE FUNCTION x() RETURNS TABLE {}"),
)
ROUTINE_BODY = Clause(
    "one body: RETURN expression, or BEGIN ATOMIC … END",
    ("CREATE FUNCTION x() RETURNS x LANGUAGE sql {}",),
)
QUERY = Clause("one query and nothing else", ("SELECT FROM ({}) AS x", "CREATE VIEW x AS {}"))
RULE_ACTION = Clause(
    "one command per item",
    (
        "CREATE RULE x AS ON INSERT TO x DO ALSO {}",
        "CREATE RULE x AS ON INSERT TO x DO ALSO ({})",
    ),
)
INDEX_KEY = Clause(
    "one key: a column or an (expression), with collation, opclass and order",
    ("CREATE INDEX ON x ({}) INCLUDE (x)", _ONE_ELEMENT),
)
STATISTIC = Clause(
    "one column or one (expression)", ("CREATE STATISTICS x ON {} FROM x", _ONE_ELEMENT)
)
PARTITION_KEY = Clause(
    "one partition key: RANGE, LIST or HASH (columns or expressions)",
    ("CREATE TABLE x (x x) PARTITION BY {} USING x",),
)
BOUND = Clause(
    "one partition bound: FROM (…) TO (…), IN (…), WITH (MODULUS …, REMAINDER …) or DEFAULT",
    (
        "ALTER TABLE x ATTACH PARTITION x {}",
        "CREATE TABLE x PARTITION OF x {} PARTITION BY LIST (x)",
    ),
)
EXCLUSION = Clause(
    "one list of USING method (column WITH operator, …), and WHERE (condition)",
    ("ALTER TABLE x ADD EXCLUDE {} NOT DEFERRABLE", "CREATE TABLE x (EXCLUDE {})"),
)
REFERENCES = Clause(
    "one table, with its columns: table(column, …)",
    (
        "ALTER TABLE x ADD FOREIGN KEY (x) REFERENCES {} MATCH FULL",
        "CREATE TABLE x (FOREIGN KEY (x) REFERENCES {} MATCH FULL)",
    ),
)
PARAMETER = Clause("one value", ("ALTER TABLE x ALTER x SET (n_distinct = {})", _UNBRACKETED))
PRIVILEGE = Clause(
    "one privilege", ("GRANT {} ON TABLE x TO x", "SELECT CASE WHEN (x).{} THEN 1 END")
)
CAST_TYPES = Clause("two types: source AS target", ("COMMENT ON CAST ({}) IS NULL",))
LABELLED = Clause("one object, with the kind first", ("SECURITY LABEL ON {} IS NULL",))
FAMILY_OPERATOR = Clause(
    "OPERATOR and one number",
    (
        "ALTER OPERATOR FAMILY x USING x ADD {} +",
        "ALTER OPERATOR FAMILY x USING x DROP {} (x, x)",
    ),
)
CLASS_FUNCTION = Clause(
    "FUNCTION and one number",
    (
        "ALTER OPERATOR FAMILY x USING x ADD {} (x) x(x)",
        "ALTER OPERATOR FAMILY x USING x DROP {} (x, x)",
    ),
)
FAMILY_OPERANDS = Clause("two operand types in brackets", ("COMMENT ON OPERATOR + {} IS NULL",))
FAMILY_FUNCTION = Clause(
    "FUNCTION, one number and (the operand types)",
    (
        "ALTER OPERATOR FAMILY x USING x ADD {} x(x)",
        "ALTER OPERATOR FAMILY x USING x DROP {}",
    ),
)

# Text in which no operator stands outside brackets.
WITHOUT_OPERATORS = frozenset(
    {
        *(TYPE, NAME, FUNCTION_SIGNATURE, RETURNS, RETURNED_TABLE, REFERENCES, PARAMETER),
        *(PRIVILEGE, INDEX_KEY, STATISTIC, PARTITION_KEY, BOUND, CALL, EVENT, EXCLUSION),
    }
)


def referenced(table: str | None) -> Iterator[Fragment]:
    """Yield the table of a foreign key without MATCH, ON DELETE and ON UPDATE."""
    if table:
        yield from fragments_in("references", REFERENCES, _KEY_ACTIONS.sub("", table))
