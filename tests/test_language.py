"""What people write by hand means what they meant: names, words, shapes and SQL's own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.declare.files import files_in_folder
from reconciler.declare.json_schema import json_schema
from reconciler.declare.load import load
from reconciler.declare.nodes import plain
from reconciler.declare.parse import documents
from reconciler.errors import DeclarationError
from reconciler.model.state import Declaration
from reconciler.sql import without_final_comment

Read = Callable[[str], Declaration]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def declaration(text: str) -> Declaration:
        file = tmp_path / "a.yml"
        file.write_text(text)
        return load(file)

    return declaration


def in_table(entry: str) -> str:
    return f"tables: {{t: {{{entry}}}}}"


def sections(*entries: str) -> list[str]:
    return [in_table(e) for e in entries]


# Each list holds declarations that mean the same. The first is what an export writes.
SAME = {
    # names are raw, or between double quotes
    "role": [
        "schemas: {s: {owner: Ann, grants: {Bob: [usage]}}}",
        """schemas: {'"s"': {owner: '"Ann"', grants: {'"Bob"': [usage]}}}""",
    ],
    "column names": sections(
        "constraints: {k: {unique: [A, b], include: [order]}}",
        """constraints: {k: {unique: ['"A"', '"b"'], include: ['"order"']}}""",
    ),
    "referenced": sections(
        """constraints: {k: {foreign_key: [A], references: '"S"."T"("B", c) ON DELETE CASCADE'}}""",
        """constraints: {k: {foreign_key: ['"A"'], references: 'S.T(B, c) ON DELETE CASCADE'}}""",
        """constraints: {k: {foreign_key: A, references: 'S.T (B, "c") ON DELETE CASCADE'}}""",
    ),
    "column's reference": sections(
        """columns: {a: {type: int, references: '"T"(b)'}}""",
        "columns: {a: {type: int, references: T (b)}}",
    ),
    "parents": sections("inherits: ['\"P\"', s.q]", 'inherits: [P, \'"s"."q"\']'),
    "partition": [
        """tables: {t: {partition_of: s."P", values: FOR VALUES IN (1)}}""",
        "tables: {t: {partition_of: s.P, values: IN (1)}}",
        "tables: {t: {partition_of: s.P, values: IN (1)}}",
    ],
    "index keys": sections(
        """indexes: {i: {on: ['"A" DESC', lower(b), '"order"'], include: [C]}}""",
        """indexes: {i: {on: [A DESC, lower(b), order], include: '"C"'}}""",
    ),
    "owned by": [
        """sequences: {q: {owned_by: s.t."A"}}""",
        """sequences: {q: {owned_by: '"s".t.A'}}""",
    ],
    "collation": [
        """domains: {d: {type: text, collation: '"C"'}}""",
        "domains: {d: {type: text, collation: C}}",
        "domains: {d: {as: text, collate: C}}",
    ],
    "functions": [
        """operators: {"@@(int, int)": {function: '"Do"'}}""",
        """operators: {"@@(int, int)": {function: Do}}""",
        """operators: {"@@(int, int)": {procedure: Do}}""",
        """operators: {"@@(int, int)": Do}""",
    ],
    "publication": [
        """publications: {p: {tables: ['s."T"'], schemas: [X]}}""",
        """publications: {p: {tables: {'"s"."T"': {}}, schemas: ['"X"']}}""",
        "publications: {p: {tables: s.T, tables_in_schema: X}}",
        "publications: {p: {tables: {s.T: }, tables_in_schema: X}}",
    ],
    "published columns": [
        "publications: {p: {tables: {t: {columns: [A, b]}}}}",
        """publications: {p: {tables: {t: ['"A"', b]}}}""",
    ],
    "events": sections(
        """triggers: {g: {before: [insert, 'update of "A", b'], execute: f()}}""",
        """triggers: {g: {before: [INSERT, UPDATE OF A, b], execute_function: f()}}""",
        """triggers: {g: {before: 'INSERT OR UPDATE OF A, "b"', execute_procedure: f()}}""",
    ),
    "view columns": [
        "views: {v: {query: SELECT 1, columns: {A: {comment: x}}}}",
        """views: {v: {as: SELECT 1, columns: {'"A"': {comment: x}}}}""",
    ],
    "numbers as names": [
        "tables: {'1': {columns: {'2': int}}}",
        "tables: {1: {columns: {2: int}}}",
        """tables: {'"1"': {columns: {'"2"': int}}}""",
    ],
    # words fold their case
    "policy": sections(
        "policies: {p: {for: select, to: [public, Ann], using: a, check: b}}",
        """policies: {p: {command: SELECT, roles: [PUBLIC, '"Ann"'], using: a, with_check: b}}""",
        "policies: {p: {for: Select, to: [Public, Ann], using: 'a -- mine', check: b}}",
    ),
    "privileges": [
        "tables: {t: {grants: {public: [select, insert with grant option], r: [all]}}}",
        "tables: {t: {grants: {PUBLIC: [SELECT, INSERT WITH GRANT OPTION], r: ALL PRIVILEGES}}}",
    ],
    "granted by": [
        "tables: {t: {grants: {r: [select granted by Ann]}}}",
        "tables: {t: {grants: {r: 'SELECT GRANTED BY \"Ann\"'}}}",
    ],
    "function": [
        "functions: {f(): {returns: int, language: sql, volatility: immutable, body: SELECT 1}}",
        "functions: {f(): {returns: int, language: SQL, volatility: IMMUTABLE, as: SELECT 1}}",
    ],
    "replica identity": sections(
        "replica_identity: using index Key",
        "replica_identity: USING INDEX Key",
        "replica_identity: 'Using Index \"Key\"'",
    ),
    "full": sections("replica_identity: full", "replica_identity: FULL"),
    "identity": sections(
        "columns: {a: {type: int, identity: by default}}",
        "columns: {a: {type: int, identity: BY DEFAULT}}",
    ),
    "actions": sections(
        "constraints: {k: {foreign_key: [a], references: t, on_delete: set null, match: full}}",
        "constraints: {k: {foreign_key: a, references: t, on_delete: SET NULL, match: FULL}}",
    ),
    "state": ["tables: {t: {state: absent}}", "tables: {t: {state: ABSENT}}"],
    "method": sections(
        "indexes: {i: {on: [a], method: gin, options: {fastupdate: 'off'}}}",
        "indexes: {i: {on: a, using: GIN, with: {FASTUPDATE: off}}}",
    ),
    # shapes: one for a list of one, a value for the main key
    "index": sections("indexes: {i: [a]}", "indexes: {i: a}", "indexes: {i: {columns: a}}"),
    "view": ["views: {v: {query: SELECT 1}}", "views: {v: SELECT 1}"],
    "check": sections("constraints: {k: {check: a > 0}}", "constraints: {k: a > 0}"),
    "tables": [
        "publications: {p: {tables: [t]}}",
        "publications: {p: t}",
        "publications: {p: [t]}",
    ],
    "enum": [
        "enums: {e: {values: [{name: a, renamed_from: b}]}}",
        "enums: {e: {values: {name: a, renamed_from: b}}}",
    ],
    "settings": [
        """functions: {f(): {returns: int, body: x, set: {search_path: 'a, "$user", "B"'}}}""",
        "functions: {f(): {returns: int, body: x, set: {search_path: [a, $user, B]}}}",
        """functions: {f(): {returns: int, body: x, set: {SEARCH_PATH: [a, '"$user"', '"B"']}}}""",
    ],
    "grants in one": [
        "default_privileges: {Ann on tables in S: {grants: {Bob: [select]}}}",
        """default_privileges: {'"Ann" ON TABLES IN SCHEMA "S"': {grants: {Bob: SELECT}}}""",
        "default_privileges: {Ann: {on: TABLES, in_schema: S, grants: {Bob: SELECT}}}",
        "default_privileges: {x: {for_role: Ann, on: tables, in_schema: S, grants: {Bob: select}}}",
    ],
    "user mapping": [
        "user_mappings: {public on S: {options: {user: x}}}",
        """user_mappings: {'PUBLIC ON "S"': {options: {user: x}}}""",
    ],
    "operator class": [
        "operator_families: {f(btree): {}}",
        "operator_families: {f(BTREE): {}}",
    ],
    "domain's not null": [
        "domains: {d: {type: int, not_null: true, not_null_name: N, not_null_comment: c}}",
        "domains: {d: {type: int, not_null: {name: '\"N\"', comment: c}}}",
    ],
    "not null of the table": sections(
        "columns: {a: {type: int, not_null: {name: N, no_inherit: true}}}",
        "columns: {a: int}, constraints: {N: {not_null: a, no_inherit: true}}",
        "columns: {a: {type: int, not_null: true}}, constraints: {'\"N\"': {not_null: '\"a\"',"
        " no_inherit: true}}",
    ),
    "not null of a column elsewhere": sections(
        "columns: {a: {not_null: {name: n}}}", "constraints: {n: {not_null: a}}"
    ),
    "temporal": sections(
        "constraints: {k: {unique: [a, b], without_overlaps: true}}",
        "constraints: {k: {unique: [a, b WITHOUT OVERLAPS]}}",
    ),
    "period": sections(
        "constraints: {k: {foreign_key: [a, b], references: 't(c, PERIOD d)', period: true}}",
        "constraints: {k: {foreign_key: [a, b], references: 't(c, d)', period: true}}",
        "constraints: {k: {foreign_key: [a, PERIOD b], references: 't(c, d)'}}",
        "constraints: {k: {foreign_key: [a, period b], references: 't(c, period \"d\")'}}",
        "constraints: {k: {foreign_key: [a, b], references: 't(c, PERIOD d)'}}",
    ),
    # comments at the end of SQL
    "comments": [
        "domains: {d: {type: text, default: \"'--'\", constraints: {c: {check: VALUE > ''}}}}",
        "domains: {d: {type: 'text -- x', default: \"'--' -- y\", constraints:"
        " {c: \"VALUE > '' -- z\"}}}",
    ],
    "comment of a type": sections(
        "columns: {a: serial, b: {type: int, backfill: {value: '1'}}}",
        "columns: {a: serial -- numbers, b: {type: 'int -- n', backfill: '1 -- one'}}",
    ),
    "anchors": [
        "tables: {t: {columns: {a: int}}}",
        "x-columns: &c {a: int}\ntables: {t: {columns: *c}}",
    ],
}


@pytest.mark.parametrize("spellings", SAME.values(), ids=SAME)
def test_each_spelling_declares_the_same(read: Read, spellings: list[str]) -> None:
    first, *others = (read(s) for s in spellings)
    assert first.objects.keys() | first.absent.keys()
    for other, spelling in zip(others, spellings[1:], strict=True):
        assert other.objects == first.objects, spelling
        assert other.absent == first.absent, spelling


@pytest.mark.parametrize("spellings", SAME.values(), ids=SAME)
def test_the_json_schema_accepts_each_spelling(tmp_path: Path, spellings: list[str]) -> None:
    validator: Any = pytest.importorskip("jsonschema").Draft202012Validator(json_schema())
    for spelling in spellings:
        file = tmp_path / "a.yml"
        file.write_text(spelling)
        (document,) = documents(file, [], files_in_folder(tmp_path))
        assert validator.is_valid(plain(document)), spelling


REFUSED = {
    "policies: {p: {to: CURRENT_USER}}": "PostgreSQL stores the role that CURRENT_USER is",
    "policies: {p: {using: a, for: all, command: all}}": "for and command are both given",
    "columns: {a: {type: int, grants: {r: [select], '\"r\"': [select]}}}": "'r' is given twice",
    "columns: {a: {state: absent}}, constraints: {n: {not_null: a}}": "declared absent at",
    "constraints: {n: {not_null: a, unique: [a]}}": "unique beside not_null means nothing",
    "columns: {a: {type: int, not_null: {name: m}}}, constraints: {n: {not_null: a}}": (
        "not_null of column public.t.a is already declared"
    ),
    "policies: {p: {grants: {r: select}}}": "privileges stand in the entry of their object",
    "inherits: a.b.c.d": "expected name or schema.name, got 'a.b.c.d'",
}


@pytest.mark.parametrize("entry", REFUSED)
def test_what_cannot_be_meant_is_refused_with_what_can(read: Read, entry: str) -> None:
    with pytest.raises(DeclarationError) as error:
        read(in_table(entry))
    assert REFUSED[entry] in str(error.value)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a -- b", "a"),
        ("a -- b\n-- c\n", "a"),
        ("a -- b\n+ 1", "a -- b\n+ 1"),
        ("'--'", "'--'"),
        ("E'\\'--' -- x", "E'\\'--'"),
        ('"--" -- x', '"--"'),
        ("$$ -- $$", "$$ -- $$"),
        ("$a$ $$ -- $a$ -- x", "$a$ $$ -- $a$"),
        ("/* -- */ a", "/* -- */ a"),
    ],
)
def test_a_comment_at_the_end_of_sql_is_left_out(sql: str, expected: str) -> None:
    assert without_final_comment(sql) == expected


REFUSED_WITH_EXAMPLE = {
    "policies: {p: {for: nothing}}": "as in: for: select",
    "constraints: {c: {check: a > 0, on_delete: cascade}}": "as in: on_delete: cascade",
    "columns: {a: {type: int, identity: {cache: many}}}": "as in: cache: 20",
}


@pytest.mark.parametrize("declared", REFUSED_WITH_EXAMPLE)
def test_a_refusal_ends_with_an_example_of_the_key(declared: str, tmp_path: Path) -> None:
    file = tmp_path / "state.yml"
    file.write_text(f"tables: {{t: {{{declared}}}}}")
    with pytest.raises(DeclarationError) as refused:
        load(file)
    assert refused.value.problems[0].hint.endswith(REFUSED_WITH_EXAMPLE[declared])
