"""Test declarations: YAML becomes a Declaration or a list of problems with positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import yaml
from pydantic import Field, ValidationError

from reconciler.checks.conditions import CONDITIONS
from reconciler.checks.model import Assertion, Computed
from reconciler.declare.annotations import other_keys_of
from reconciler.declare.fields import fields_of, files_of
from reconciler.declare.files import files_in_folder
from reconciler.declare.json_schema import json_schema
from reconciler.declare.load import load
from reconciler.declare.nodes import Node, plain
from reconciler.declare.parse import documents
from reconciler.errors import DeclarationError, Position, Problem
from reconciler.kinds import KINDS
from reconciler.kinds.column.column import Column
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration
from reconciler.model.statement import ThrottleSettings

Write = Callable[..., Path]
DESIRED = Path(__file__).parents[1] / "desired_state"
T = Ref("table", "public", "t")


def child(kind: str, name: str, on: Ref = T) -> Ref:
    return Ref(kind, on.schema, name, on)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes files into the folder `state`: `write("…")` writes a.yml."""
    monkeypatch.chdir(tmp_path)

    def files(text: str | bytes = "", **others: str) -> Path:
        for name, content in {
            "a.yml": text,
            **{f"{n.replace('__', '/')}.yml": c for n, c in others.items()},
        }.items():
            path = Path("state") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return Path("state")

    return files


@pytest.fixture
def read(write: Write) -> Callable[..., Declaration]:
    return lambda *args, **files: load(write(*args, **files))


@pytest.fixture
def refused(write: Write) -> Callable[..., list[Problem]]:
    """Return a function that loads files and returns their problems."""

    def problems(*args: str | bytes, **files: str) -> list[Problem]:
        folder = write(*args, **files)
        with pytest.raises(DeclarationError) as e:
            load(folder)
        return list(e.value.problems)

    return problems


Read = Callable[..., Declaration]
Refused = Callable[..., list[Problem]]


def nodes(text: str) -> list[Node]:
    path, problems = Path("nodes.yml"), list[Problem]()
    path.write_text(text)
    found = documents(path, problems, files_in_folder(path))
    assert not problems
    return found


# -- what is read ----------------------------------------------------------------------------------


def test_an_entry_becomes_an_object_with_the_declared_fields(read: Read) -> None:
    found = read(
        "tables:\n  t:\n    row_level_security: true\n    columns:\n      a: {not_null: "
        "true}\n  "
        "    b: uuid\n"
    )
    assert set(found.objects) == {T, child("column", "a"), child("column", "b")}
    assert {r: o.model_fields_set - {"ref"} for r, o in found.objects.items()} == {
        T: {"row_level_security"},
        child("column", "a"): {"not_null"},
        child("column", "b"): {"type"},
    }
    assert found.objects[child("column", "b")].fields()["type"] == "uuid"


def test_a_table_with_only_children_has_no_fields(read: Read) -> None:
    found = read("tables:\n  t:\n    columns:\n")
    assert found.objects[T].model_fields_set == {"ref"}
    assert found.positions[T, "columns"].line == 3


def test_an_empty_file_is_an_empty_declaration(read: Read) -> None:
    assert read("") == Declaration()
    assert read("# nothing yet\n---\ntables:\n...\n") == Declaration()


def test_null_is_a_value(read: Read) -> None:
    found = read("tables: {t: {columns: {a: {default: null, comment: ~}}}}").objects[
        child("column", "a")
    ]
    assert found.model_fields_set == {"ref", "default", "comment"}
    assert found.fields()["default"] is None


@pytest.mark.parametrize(
    "written",
    [
        "0",
        "1.50",
        "false",
        "0x10",
        "1e3",
        "now()",
        "'null'",
        "2024-01-01",
        "12:30:00",
        "yes",
    ],
)
def test_sql_is_the_text_as_written(read: Read, written: str) -> None:
    found = read(f"tables: {{t: {{columns: {{a: {{default: {written}}}}}}}}}")
    assert found.objects[child("column", "a")].fields()["default"] == written.strip("'")


@pytest.mark.parametrize("bound", ["FROM (1) TO (2)", "in ('a')", "WITH (MODULUS 2, REMAINDER 0)"])
def test_a_bound_needs_no_for_values(read: Read, bound: str) -> None:
    found = read(f'tables: {{t: {{partition_of: p, values: "{bound}"}}}}').objects[T]
    assert found.fields()["values"] == f"FOR VALUES {bound}"


def test_brackets_in_items_and_literals_are_text(read: Read) -> None:
    found = read("tables: {t: {comment: '('}, u: {comment: a = '('}}\nenums: {e: [a(, b, c)d(]}")
    assert found.objects[Ref("enum", "public", "e")].fields()["values"][0] == "a("


def test_one_item_stands_for_a_list(read: Read) -> None:
    found = read(
        "tables: {t: {indexes: {i: {on: a}}, policies: {p: {to: authenticated}}}, u: {grants: "
        "{anon: select}}}"
    )
    assert found.objects[child("index", "i")].fields()["on"] == ["a"]
    assert found.objects[child("policy", "p")].fields()["to"] == ["authenticated"]
    assert found.objects[Ref("table", "public", "u")].fields()["grants"] == {"anon": ["select"]}


def test_strings_that_look_like_other_types_stay_strings(read: Read) -> None:
    found = read(
        "functions:\n  f():\n    set: {work_mem: 64, enable_seqscan: off, jit: true, "
        "search_path: ''}\n"
    )
    given = found.objects[Ref("function", "public", "f", None, "")].fields()["set"]
    assert given == {"work_mem": "64", "enable_seqscan": "off", "jit": "true", "search_path": ""}


def test_keys_may_differ_from_field_names(read: Read) -> None:
    found = read("tables: {t: {policies: {p: {for: select}}}}")
    assert found.objects[child("policy", "p")].model_fields_set == {"ref", "command"}
    assert (child("policy", "p"), "for") in found.positions


def test_a_routine_is_named_with_its_arguments(read: Read) -> None:
    found = read(
        "functions:\n  auth.f(a uuid, b text): {language: sql}\n  '\"F.g\"()': {state: absent}\n"
    )
    ref = Ref("function", "auth", "f", None, "a uuid, b text")
    assert found.objects[ref].model_fields_set == {"ref", "language", "arguments"}
    assert found.objects[ref].model_dump()["arguments"] == "a uuid, b text"
    gone = Ref("function", "public", "F.g", None, "")
    assert found.absent[gone].model_fields_set == {"ref", "arguments"}


# -- names and schemas -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "schema", "name"),
    [
        ("t", "app", "t"),
        ("auth.users", "auth", "users"),
        ("My Table", "app", "My Table"),
        ("'\"a.b\".c'", "a.b", "c"),
        ("'\"a.b\"'", "app", "a.b"),
        ('\'x."say ""hi"""\'', "x", 'say "hi"'),
    ],
)
def test_a_name_is_qualified_by_itself_or_by_its_file(
    read: Read, key: str, schema: str, name: str
) -> None:
    found = read(f"schema: app\ntables:\n  {key}: {{}}\n")
    assert set(found.objects) == {Ref("table", schema, name)}
    assert found.schemas == {schema}


def test_children_have_the_schema_of_their_parent(read: Read) -> None:
    found = read(
        "tables:\n  auth.users:\n    policies:\n      see a.b: {for: select}\n      "
        "'\"quoted\"': {for: select}\n"
    )
    parent = Ref("table", "auth", "users")
    assert set(found.objects) == {
        parent,
        child("policy", "see a.b", parent),
        child("policy", "quoted", parent),
    }


def test_schemaless_kinds_have_no_schema(read: Read) -> None:
    found = read("extensions: {uuid-ossp: , pgcrypto: {schema: extensions}}\nschemas: {'a.b': }\n")
    assert set(found.objects) == {
        Ref("extension", "", "uuid-ossp"),
        Ref("extension", "", "pgcrypto"),
        Ref("schema", "", "a.b"),
    }
    assert found.schemas == {"a.b"}


def test_schemas_are_collected_from_all_names(read: Read) -> None:
    found = read(
        "schemas: {empty: }\ntables: {t: , a.t: {state: absent}}\nviews: {b.v: {query: SELECT 1}}\n"
    )
    assert found.schemas == {"empty", "public", "a", "b"}


def test_each_document_has_its_own_schema(read: Read) -> None:
    first, second = "schema: a\ntables: {t: }\n", "tables: {t: }\n"
    third = "schema: b\ntables: {x.t: }\nchecks: {c: {query: SELECT 1, equals: 1}}\n"
    found = read("---\n".join((first, second, third)))
    assert found.search_path == {
        Ref("table", "a", "t"): "a",
        T: "public",
        Ref("table", "x", "t"): "b",
    }
    assert found.checks["c"].search_path == "b"


# -- absent, exclusive, files ----------------------------------------------------------------------


def test_absent_and_present(read: Read) -> None:
    found = read(
        "tables:\n  t:\n    state: present\n    policies:\n      Domain isolation: {state: "
        "absent}\n"
    )
    ref = child("policy", "Domain isolation")
    assert set(found.objects) == {T}
    assert found.absent == {ref: KINDS["policy"].model_construct(ref=ref)}
    assert found.positions[ref, ""].line == 5
    assert found.search_path[ref] == "public"


def test_exclusive_sections_become_kinds(read: Read) -> None:
    found = read(
        "tables:\n  t: {exclusive: [policies, indexes]}\n  u: {exclusive: policies}\n  v: "
        "{exclusive: []}\n"
    )
    assert found.exclusive == {
        T: {"policy", "index"},
        Ref("table", "public", "u"): {"policy"},
        Ref("table", "public", "v"): frozenset(),
    }


def test_sql_may_be_in_a_separate_file(write: Write) -> None:
    folder = write(
        "views:\n  v:\n    query_file: sql/v.sql\nchecks: {c: {query_file: sql/v.sql, equals: 1}}\n"
    )
    Path("state/sql").mkdir()
    Path("state/sql/v.sql").write_text("SELECT 'é'\n", encoding="utf-8-sig")
    found = load(folder)
    ref = Ref("view", "public", "v")
    assert (
        found.objects[ref].fields()["query"]
        == found.checks["c"].assertions[0].query
        == "SELECT 'é'\n"
    )
    assert found.objects[ref].model_fields_set == {"ref", "query"}
    assert (
        str(found.positions[ref, "query_file"])
        == str(found.positions[ref, "query"])
        == "state/a.yml:3:5"
    )


# -- files and their merging -----------------------------------------------------------------------


def test_a_table_may_be_described_in_several_files(read: Read) -> None:
    found = read(
        "tables:\n  t:\n    comment: x\n    exclusive: policies\n    indexes: {i: {on: a}}\n",
        b=(
            "schema: app\ntables:\n  public.t:\n    owner: me\n    exclusive: indexes\n    "
            "policies: {p: {for: select}}\n"
        ),
        sub__c="tables: {t: {indexes: {j: {on: b}}}}",
    )
    assert set(found.objects) == {T, child("index", "i"), child("index", "j"), child("policy", "p")}
    assert found.objects[T].model_fields_set == {"ref", "comment", "owner"}
    assert found.exclusive == {T: {"policy", "index"}}
    assert str(found.positions[T, ""]) == "state/a.yml:2:3"
    assert str(found.positions[T, "owner"]) == "state/b.yml:4:5"
    assert (found.search_path[T], found.search_path[child("policy", "p")]) == ("public", "app")


def test_the_only_place_with_fields_counts(read: Read) -> None:
    found = read(
        "tables: {t: {indexes: {i: {on: a}}}}", b="schema: app\ntables: {public.t: {comment: x}}"
    )
    assert found.search_path[T] == "app"


def test_entries_without_fields_may_be_repeated(read: Read) -> None:
    assert len(read("extensions: {pgcrypto: }", b="extensions: {pgcrypto: {}}").objects) == 1


@pytest.mark.parametrize(
    ("first", "second", "at", "what", "where"),
    [
        (
            "tables: {t: {comment: x}}",
            "tables:\n  t:\n    comment: x\n",
            "3:5",
            "comment of table public.t",
            "1:14",
        ),
        (
            "tables: {t: {indexes: {i: {on: a}}}}",
            "tables:\n  t:\n    indexes:\n      i: {}\n",
            "4:7",
            "index public.i",
            "1:24",
        ),
        (
            "tables: {t: {columns: {c: {}}}}",
            "tables:\n  t:\n    columns:\n      c: {}\n",
            "4:7",
            "column public.t.c",
            "1:24",
        ),
        (
            "functions: {f(): {body: x}}",
            "functions:\n  public.f(): {cost: 1}",
            "2:3",
            "function public.f()",
            "1:13",
        ),
        (
            "checks: {c: {query: x, equals: 1}}",
            "checks:\n  c: {query: x, equals: 1}",
            "2:3",
            "check 'c'",
            "1:10",
        ),
    ],
)
def test_duplicates_name_both_positions(
    refused: Refused, first: str, second: str, at: str, what: str, where: str
) -> None:
    (found,) = refused(first, b=second)
    assert (
        f"{found.position}: {found.message}"
        == f"state/b.yml:{at}: {what} is already declared at state/a.yml:{where}"
    )


@pytest.mark.parametrize(
    ("first", "second", "how"), [("state: absent", "", "absent"), ("", "state: absent", "present")]
)
def test_absent_excludes_other_declarations(
    refused: Refused, first: str, second: str, how: str
) -> None:
    (found,) = refused(f"tables: {{t: {{{first}}}}}", b=f"tables: {{t: {{{second}}}}}")
    assert (
        f"{found.position}: {found.message}"
        == f"state/b.yml:1:10: table public.t is already declared {how} at state/a.yml:1:10"
    )


def test_files_are_found_in_order_and_hidden_ones_are_not(write: Write) -> None:
    write("tables: {a: }", sub__b="tables: {b: }", **{".hidden": "nonsense", ".git__c": "nonsense"})
    Path("state/z.yaml").write_text("tables: {z: }")
    Path("state/notes.txt").write_text("nonsense")
    assert [r.name for r in load(Path("state")).objects] == ["a", "b", "z"]
    assert [r.name for r in load(Path("state/z.yaml")).objects] == ["z"]


def test_positions_use_short_paths(
    write: Write, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write("tables: {t: }").absolute()
    assert load(folder).positions[T, ""].file == Path("state/a.yml")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load(folder).positions[T, ""].file == folder / "a.yml"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "there is no folder or file nowhere"),
        ("empty", "no *.yml or *.yaml file in empty"),
    ],
)
def test_no_files_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(DeclarationError) as e:
        load(Path(path))
    assert [p.message for p in e.value.problems] == [message]


# -- positions -------------------------------------------------------------------------------------


def test_every_entry_has_a_position(read: Read) -> None:
    text = (
        "tables:\n  t:\n    exclusive: []\n    columns:\n      id: uuid\n      é: {type: "
        "text, not_null: true}\n    policies: {}\n"
    )
    found = read(text).positions
    lines = text.splitlines()
    expected = {
        (T, ""): (2, 3),
        (T, "exclusive"): (3, 5),
        (T, "columns"): (4, 5),
        (child("column", "id"), ""): (5, 7),
        (child("column", "id"), "type"): (5, 11),
        (child("column", "é"), ""): (6, 7),
        (child("column", "é"), "type"): (6, 11),
        (child("column", "é"), "not_null"): (6, 23),
        (T, "policies"): (7, 5),
    }
    assert found == {
        k: Position(Path("state/a.yml"), line, column, lines[line - 1])
        for k, (line, column) in expected.items()
    }


def test_line_ends_and_byte_order_marks_keep_positions(read: Read) -> None:
    found = read(b"\xef\xbb\xbftables:\r\n  t:\r\n    comment: x\r\n")
    assert found.positions[T, "comment"] == Position(Path("state/a.yml"), 3, 5, "    comment: x")


# -- YAML ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("none", "none"),
        ("'null'", "null"),
        ('"true"', "true"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-3", -3),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("12:30:45", "12:30:45"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("1.", 1.0),
        (".", "."),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("[a, 1]", ["a", 1]),
        ("{on: off}", {"on": "off"}),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("9" * 400, float("inf")),
    ],
)
def test_scalars_are_those_of_yaml_1_2(write: Write, text: str, value: object) -> None:
    write()
    found = [plain(n) for n in nodes(f"k: {text}\n")]
    assert found == [{"k": value}]
    assert type(cast("dict[str, object]", found[0])["k"]) is type(value)


def test_an_anchor_is_read_where_it_is_used(write: Write) -> None:
    write()
    found = [plain(n) for n in nodes("a: &x {k: [1]}\nb: *x\n---\nc: &x 2\nd: *x\n")]
    assert found == [{"a": {"k": [1]}, "b": {"k": [1]}}, {"c": 2, "d": 2}]


@pytest.mark.parametrize("libyaml", [True, False])
def test_both_parsers_of_pyyaml_read_the_same(
    write: Write, monkeypatch: pytest.MonkeyPatch, libyaml: bool
) -> None:
    if libyaml and not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(yaml, "__with_libyaml__", libyaml)
    found = load(
        write(
            "tables:\n  t: &x\n    comment: |\n      a\n    columns:\n  é: *x\nchecks:\n  c: "
            "{query: 'x', equals: }\n"
        )
    )
    assert [(r.name, k, p.line, p.column) for (r, k), p in found.positions.items()] == [
        ("t", "", 2, 3),
        ("t", "comment", 3, 5),
        ("t", "columns", 5, 5),
        ("é", "", 6, 3),
        ("é", "comment", 3, 5),
        ("é", "columns", 5, 5),
    ]


# -- what is wrong ---------------------------------------------------------------------------------

YAML_ERRORS = [
    ("tables:\n\tt: {}\n", "2:1", "a tab where YAML allows only spaces", "indent with spaces"),
    ("tables: a: b\n", "1:10", "a ':' where no key can stand", "quotes"),
    ("tables: 'x\n", "1:9", "a quoted text that is never closed", "close it"),
    (
        "tables:\n  t: [a\n  u: b\n",
        "3:4",
        "expected ',' or ']' in the brackets opened at line 2",
        "quote",
    ),
    ('tables: "\\q"\n', "1:11", "'q' after \\ is no escape", "single quotes"),
    ("tables: *\n", "1:9", "'*' and '&' begin the name of an anchor", "quotes"),
    ("tables: @x\n", "1:9", "a value cannot begin with '@'", "quotes"),
    ("tables: {}\nviews\n", "2:1", "a key without its ':'", "key: value"),
    (
        "tables:\n  a: {}\n b: {}\n",
        "3:2",
        "this does not continue what began at line 1",
        "keys line up",
    ),
    ("tables: ]\n", "1:9", "expected a value, got ']'", "quote"),
    ("tables: - a\n", "1:9", "a '-' where no list can begin", "own"),
    ("{}\n...\nx\n", "3:1", "the document has ended above", "---"),
    ("tables: \x01\n", "1:9", "a character that YAML does not allow", "escape"),
    ("%YAML 3.0\n---\n", "1:1", "found incompatible YAML document", ""),
    ("tables: &t {t: *t}\n", "1:16", "*t stands inside what it refers to", ""),
    ("tables: *nowhere\n", "1:9", "*nowhere refers to nothing", "quoted"),
    (
        "tables: !!map {}\n",
        "1:9",
        "tags such as tag:yaml.org,2002:map mean nothing here",
        "leave it out",
    ),
    (
        "tables:\n  t:\n    {}\n  t: {}\n",
        "4:3",
        "'t' is given twice, at line 2 and at line 4",
        "keep one",
    ),
    ("tables: {<<: {}}\n", "1:10", "merge keys (<<) are not part of YAML 1.2", "write out"),
    (
        "tables:\n  true: {}\n",
        "2:3",
        "expected a key that is text, got true",
        "quote it: 'true'",
    ),
    ("tables:\n  true: {}\n", "2:3", "expected a key that is text, got true", "quote it: 'true'"),
    ("tables:\n  ? [a]\n  : {}\n", "2:5", "expected a key that is text, got a list", ""),
    ('tables: {t: {comment: "\\ud800"}}\n', "1:23", "an escape for what is no character", "itself"),
    ("tables: " + "[" * 101 + "]" * 101 + "\n", "1:108", "more than 100 levels", ""),
]

COMMA_ERRORS = [
    (
        "tables: {t: {columns: {p: {type: numeric(10,2), not_null: true}}}}\n",
        "1:34",
        "type: a comma ends a value in brackets, so this one is 'numeric(10'",
        'quote it: type: "numeric(10, 2)"',
    ),
    (
        "tables: {t: {constraints: {c: {check: id IN (1, 2, f(3, 4)), no_inherit: true}}}}\n",
        "1:39",
        "check: a comma ends a value in brackets, so this one is 'id IN (1'",
        'quote it: check: "id IN (1, 2, f(3, 4))"',
    ),
    (
        "tables: {t: {indexes: {i: {on: [coalesce(a, b), c]}}}}\n",
        "1:33",
        "a comma ends a value in brackets, so this one is 'coalesce(a'",
        'quote it: "coalesce(a, b)"',
    ),
    (
        "tables: {t: {policies: {p: {using: a IN ('x', 'y')}}}}\n",
        "1:36",
        "using: a comma or a bracket ends a value in brackets",
        'quote all of it: using: "…"',
    ),
    (
        "tables: {t: {comment: hello, world}}\n",
        "1:30",
        "table: unknown key 'world'",
        "a comma ends a value in brackets: quote the value",
    ),
]

OBJECT_ERRORS = [
    (
        "tables: {t: {columns: {c: {type: text, default: 01234}}}}\n",
        "1:49",
        "default: 01234 is a number in SQL, which loses the leading zero",
        "text is quoted twice: \"'01234'\"",
    ),
    (
        "tables: {t: {columns: {c: {type: text, backfill: 007}}}}\n",
        "1:50",
        "backfill: 007 is a number in SQL",
        "text is quoted twice",
    ),
    (
        "tables: {t: {replica_identity: using i}}\n",
        "1:32",
        "replica_identity: cannot be a string 'using i'",
        "replica_identity: how logical replication identifies rows",
    ),
    ("tabels: {}\n", "1:1", "unknown key 'tabels'", "did you mean 'tables'? accepted: "),
    ("text\n", "1:1", "a file: expected a mapping, got a string 'text'", "accepted: "),
    ("schema: [a]\n", "1:9", "schema: expected the name of a schema, got a list", ""),
    (
        "tables: [t]\n",
        "1:9",
        "tables: expected a mapping, got a list",
        "each table is a key with its name",
    ),
    ("tables:\n  t: [a]\n", "2:6", "table 't': expected a mapping, got a list", "accepted: "),
    (
        "tables:\n  t: {colums: {}}\n",
        "2:7",
        "table: unknown key 'colums'",
        "did you mean 'columns'? accepted: ",
    ),
    ("tables:\n  a.b.c: {}\n", "2:3", "expected name or schema.name, got 'a.b.c'", "'\"a.b.c\"'"),
    (
        "tables: {t: {columns: {'': {}}}}\n",
        "1:24",
        "expected the name of a column, got nothing",
        "",
    ),
    (
        "tables: {t: {columns: {c: }}}\n",
        "1:27",
        ("column 'c': expected text (type) or a mapping, got nothing"),
        "accepted: backfill, ",
    ),
    (
        "tables: {t: {columns: {c: 5}}}\n",
        "1:27",
        ("column 'c': expected text (type) or a mapping, got the number 5"),
        "accepted: ",
    ),
    (
        "tables: {t: {columns: {c: {not_null: maybe}}}}\n",
        "1:38",
        "not_null: expected true or false",
        "",
    ),
    (
        "tables: {t: {columns: {c: {not_null: yes}}}}\n",
        "1:38",
        "expected true or false",
        "did you mean true?",
    ),
    (
        "tables: {t: {columns: {c: {not_null: 1}}}}\n",
        "1:38",
        "not_null: expected true or false",
        "",
    ),
    ("tables: {t: {columns: {c: {type: [a]}}}}\n", "1:34", "type: expected text, got a list", ""),
    (
        "tables: {t: {columns: {c: {type: }}}}\n",
        "1:34",
        "type: expected text, got nothing",
        'write ""',
    ),
    (
        "tables: {t: {columns: {c: {backfill: [x]}}}}\n",
        "1:38",
        "backfill: expected a mapping, got a list",
        "",
    ),
    (
        "tables: {t: {columns: {c: {backfill: {value: x, pause: 2}}}}}\n",
        "1:38",
        "backfill: pause: expected a number with a unit (ms, s, min, %), got '2'",
        "",
    ),
    (
        "tables: {t: {columns: {c: {backfill: {value: x, batch: {target: soon}}}}}}\n",
        "1:38",
        "backfill: batch.target: expected a number with a unit (ms, s, min), got 'soon'",
        "",
    ),
    (
        "tables: {t: {columns: {c: {backfill: {value: x, max_lag: 3 days}}}}}\n",
        "1:38",
        "backfill: max_lag: expected a number with a unit (ms, s, min, kB, MB, GB), got '3 days'",
        "",
    ),
    (
        "tables: {t: {columns: {c: {backfill: {value: x, batch: {rows: 0}}}}}}\n",
        "1:63",
        "backfill.batch.rows: input should be greater than 0",
        "",
    ),
    ("tables: {t: {columns: {c: {backfill: {}}}}}\n", "1:38", "backfill: value is missing", ""),
    (
        "tables: {t: {columns: {c: {backfill: {valeu: x}}}}}\n",
        "1:39",
        "backfill: unknown key 'valeu'",
        "did you mean 'value'?",
    ),
    (
        "tables: {t: {indexes: {i: {on: [a, {b: c}]}}}}\n",
        "1:36",
        "on: expected text, got a mapping",
        "",
    ),
    (
        "tables: {t: {indexes: {i: {on: {b: c}}}}}\n",
        "1:32",
        "on: expected a list, got a mapping",
        "",
    ),
    (
        "tables: {t: {indexes: {i: {options: a}}}}\n",
        "1:37",
        ("options: expected a mapping, got a string 'a'"),
        "",
    ),
    (
        "tables: {t: {indexes: {i: {options: {fillfactor: [1]}}}}}\n",
        "1:50",
        ("options.fillfactor: expected text, got a list"),
        "",
    ),
    (
        "tables: {t: {grants: {anon: [select, ]}, ref: x}}\n",
        "1:42",
        "table: unknown key 'ref'",
        "accepted: ",
    ),
    (
        "tables: {t: {policies: {p: {for: selects}}}}\n",
        "1:34",
        ("expected 'all', 'select', 'insert', 'update' or 'delete'"),
        "'select'?",
    ),
    (
        "tables: {t: {policies: {p: {commands: all}}}}\n",
        "1:29",
        "policy: unknown key 'commands'",
        "accepted: check, ",
    ),
    (
        "tables: {t: {constraints: {c: {}}}}\n",
        "1:28",
        ("constraint c on public.t: a constraint has exactly one of"),
        "",
    ),
    (
        "tables: {t: {constraints: {c: {chekc: a}}}}\n",
        "1:32",
        "constraint: unknown key 'chekc'",
        "did you mean 'check'?",
    ),
    ("functions: {f: {}}\n", "1:13", "a function is named with its arguments: f()", ""),
    (
        "functions: {'f(a int': {}}\n",
        "1:13",
        "a function is named with its arguments: f(a int)",
        "",
    ),
    ("procedures: {f a int): {}}\n", "1:14", "a procedure is named with its arguments: f()", ""),
    (
        "aggregates: {'f(int': {}}\n",
        "1:14",
        "an aggregate is named with its arguments: f(int)",
        "",
    ),
    (
        "tables: {t: {columns: {a: {type: int, primary_key: true},"
        " b: {type: int, primary_key: true}}}}\n",
        "1:59",
        "constraint t_pkey on public.t is already declared",
        "constraints: {t_pkey: {primary_key: [a, b]}}",
    ),
    (
        "functions: {f(): SELECT 1}\n",
        "1:18",
        ("function 'f()': expected a mapping, got a string 'SELECT 1'"),
        "accepted: body, ",
    ),
    (
        "functions: {f(): {arguments: a}}\n",
        "1:19",
        "function: unknown key 'arguments'",
        "accepted: body, ",
    ),
    (
        "functions: {f(): {cost: cheap}}\n",
        "1:25",
        "cost: expected a number, got a string 'cheap'",
        "",
    ),
    (
        "functions: {f(): {body_file: no.sql}}\n",
        "1:30",
        "body_file: cannot read state/no.sql: No such file",
        "relative to this YAML file",
    ),
    (
        "functions: {f(): {body_file: [a]}}\n",
        "1:30",
        ("body_file: expected the path of a file, got a list"),
        "",
    ),
    (
        "functions: {f(): {body: a, body_file: b}}\n",
        "1:28",
        "body and body_file are both given",
        "keep one",
    ),
    (
        "functions: {f(): {cost_file: a}}\n",
        "1:19",
        "function: unknown key 'cost_file'",
        "accepted: body, ",
    ),
    (
        "tables: {t: {state: gone}}\n",
        "1:21",
        ("state: expected 'present' or 'absent', got a string 'gone'"),
        "",
    ),
    (
        "tables: {t: {comment: x, state: absent}}\n",
        "1:14",
        "comment together with state: absent",
        "only named",
    ),
    (
        "tables: {t: {state: absent, columns: {}}}\n",
        "1:29",
        "columns together with state: absent",
        "only named",
    ),
    (
        "tables: {t: {exclusive: [policy]}}\n",
        "1:26",
        "exclusive: unknown section 'policy'",
        ("did you mean 'policies'? accepted: columns, "),
    ),
    (
        "tables: {t: {exclusive: [1]}}\n",
        "1:26",
        "exclusive: expected a section, got the number 1",
        "accepted: columns, ",
    ),
    (
        "user_mappings: {a on s: {comment: x}}\n",
        "1:35",
        ("comment: PostgreSQL keeps none on a user mapping"),
        "",
    ),
    (
        "default_privileges: {a on tables: {comment: x, grants: {}}}\n",
        "1:45",
        ("comment: PostgreSQL keeps none on a default privilege"),
        "",
    ),
    (
        "security_labels: {p on table a.t: {comment: x, label: y}}\n",
        "1:45",
        ("comment: PostgreSQL keeps none on a security label"),
        "",
    ),
    (
        "tables: {t: {primary_key: [a]}}\n",
        "1:14",
        "table: unknown key 'primary_key'",
        "constraints: {NAME: {primary_key: [a, b]}} declares it, or primary_key: true of",
    ),
    (
        "tables: {t: {columns: {a: {type: int, NULLABLE: false}}}}\n",
        "1:39",
        "column: unknown key 'NULLABLE'",
        "not_null: true stands for nullable: false",
    ),
    (
        "tables: {t: {columns: {a: {type: int, NOT_NULL: true}}}}\n",
        "1:39",
        "column: unknown key 'NOT_NULL'",
        "did you mean 'not_null'? accepted: ",
    ),
    (
        "domains: {d: {type: text, check: a}}\n",
        "1:27",
        "domain: unknown key 'check'",
        "constraints: {NAME: VALUE > 0} declares it",
    ),
    (
        "views: {w: {query: SELECT 1 # 2}}",
        "1:34",
        "not YAML: expected ',' or '}' in the brackets opened at line 1",
        "quote what holds brackets, commas, or a # after a blank",
    ),
    ("casts: {a AS b: {exclusive: []}}\n", "1:18", "cast: unknown key 'exclusive'", "accepted: "),
]

CHECK_ERRORS = [
    (
        "checks: [a]\n",
        "1:9",
        "checks: expected a mapping, got a list",
        "each check is a key with its name",
    ),
    (
        "checks: {c: SELECT 1}\n",
        "1:13",
        "check 'c': expected an assertion, got a string 'SELECT 1'",
        "accepted: access, affects, as, ",
    ),
    ("checks: {c: }\n", "1:13", "check 'c': expected an assertion, got nothing", "all: "),
    ("checks: {c: {equals: 1}}\n", "1:10", "check 'c': query is missing", ""),
    (
        "checks: {c: {query: x}}\n",
        "1:10",
        ("check 'c': an assertion has exactly one of: equals, at_least, at_most, empty"),
        "",
    ),
    (
        "checks: {c: {query: x, equals: , uses_index: i}}\n",
        "1:10",
        ("check 'c': an assertion has exactly one of"),
        "",
    ),
    (
        "checks: {c: {query: x, equal: 1}}\n",
        "1:24",
        "check 'c': unknown key 'equal'",
        "did you mean 'equals'?",
    ),
    (
        "checks: {c: {query: x, equals: [1]}}\n",
        "1:32",
        ("equals: expected text or a whole number or a number or true or"),
        "",
    ),
    (
        "checks: {c: {query: x, fails_with: check_violaton}}\n",
        "1:36",
        "fails_with: 'check_violaton' is neither",
        "",
    ),
    (
        "checks: {c: {query: x, fails_with: }}\n",
        "1:36",
        "fails_with: expected text or a list, got nothing",
        'write ""',
    ),
    (
        "checks: {c: {query: x, equals: 1, as: {rol: a}}}\n",
        "1:40",
        "as: unknown key 'rol'",
        "did you mean 'role'?",
    ),
    (
        "checks: {c: {query: x, equals: 1, as: a}}\n",
        "1:39",
        "as: expected a mapping, got a string 'a'",
        "",
    ),
    (
        "checks: {c: {query: x, equals: 1, as: {settings: {s: [a]}}}}\n",
        "1:54",
        ("as.settings.s: expected text or a mapping, got a list"),
        "",
    ),
    (
        "checks: {c: {query: x, equals: 1, as: {settings: {s: {query: [a]}}}}}\n",
        "1:62",
        "as.settings.s.query: expected text",
        "",
    ),
    (
        "checks: {c: {query: x, equals: 1, as: {settings: {s: {}}}}}\n",
        "1:54",
        "as.settings.s: query is missing",
        "",
    ),
    (
        "checks: {c: {all: []}}\n",
        "1:19",
        "all: expected a list of assertions, got an empty one",
        "all: [{query",
    ),
    (
        "checks: {c: {all: {query: x, equals: 1}}}\n",
        "1:19",
        ("all: expected a list of assertions, got a mapping"),
        "all: [{query",
    ),
    (
        "checks: {c: {all: [{query: x, equals: 1}], query: x}}\n",
        "1:44",
        "query together with all",
        "belongs to one",
    ),
    (
        "checks: {c: {all: [{query: x, equals: 1}, {query: x}]}}\n",
        "1:43",
        ("check 'c': an assertion has exactly one of"),
        "",
    ),
]


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [*YAML_ERRORS, *COMMA_ERRORS, *OBJECT_ERRORS, *CHECK_ERRORS],
)
def test_a_mistake_is_one_problem_at_its_position(
    refused: Refused, text: str, place: str, message: str, hint: str
) -> None:
    (found,) = refused(text)
    line, column = map(int, place.split(":"))
    shown = text.splitlines()[line - 1]
    assert found.position == Position(Path("state/a.yml"), line, column, shown)
    assert message in found.message
    assert hint in found.hint


def test_all_problems_of_all_files_are_reported_in_order(refused: Refused) -> None:
    found = refused(
        "tables:\n  t:\n    rls: true\n    columns: {a: , b: 1}\nviws: {}\n",
        b="tables: 'x\n",
        c="checks: {c: {query: x}}\n",
        a__z="tables: {t: {comment: []}}",
    )
    assert [str(p.position) for p in found] == [
        "state/a.yml:3:5",
        "state/a.yml:4:18",
        "state/a.yml:4:23",
        "state/a.yml:5:1",
        "state/a/z.yml:1:23",
        "state/b.yml:1:9",
        "state/c.yml:1:10",
    ]


def test_a_mistake_behind_aliases_is_one_problem(refused: Refused) -> None:
    assert len(refused("tables:\n  t: &t {comment: []}\n  u: *t\n  v: *t\n")) == 1


def test_invalid_utf_8_has_a_position(refused: Refused) -> None:
    (found,) = refused(b"\xef\xbb\xbftables: {}\n# \xc3\xa9 caf\xe9 y\n")
    assert (str(found.position), found.message) == ("state/a.yml:2:8", "not UTF-8")


def test_invalid_utf_8_in_sql_files_has_a_position(write: Write) -> None:
    folder = write("views: {v: {query_file: v.sql}}")
    (folder / "v.sql").write_bytes(b"SELECT '\xe9'")
    with pytest.raises(DeclarationError) as e:
        load(folder)
    assert str(e.value).startswith(
        "state/a.yml:1:25: query_file: cannot read state/v.sql: it is not UTF-8 at byte 8"
    )


def test_alias_expansion_is_limited(refused: Refused) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    (found,) = refused("\n".join(lines))
    assert f"{found.position}: {found.message}".startswith(
        "state/a.yml:7:5: with the values of its aliases, this makes 11,111,111 values"
    )


# -- checks ----------------------------------------------------------------------------------------


def test_a_check_is_one_assertion_or_several(read: Read) -> None:
    found = read(
        "checks:\n"
        "  one:\n"
        "    query: SELECT 1\n"
        "    equals: 1\n"
        "  two:\n"
        "    all:\n"
        "      - query: SELECT 2\n"
        "        fails_with: check_violation\n"
        "        as: {role: anon, settings: {a.b: {query: SELECT 3}, c: 5}}\n"
        "      - {query: SELECT 4, uses_index: i}\n"
    ).checks
    (one,), (two, three) = found["one"].assertions, found["two"].assertions
    assert (one.query, one.asserts, one.equals, one.actor) == ("SELECT 1", "equals", 1, None)
    assert (two.asserts, three.asserts, three.uses_index) == ("fails_with", "uses_index", "i")
    assert two.actor
    assert (two.actor.role, dict(two.actor.settings)) == (
        "anon",
        {"a.b": Computed(query="SELECT 3"), "c": "5"},
    )
    assert [str(a.position) for a in (one, two, three)] == [
        "state/a.yml:2:3",
        "state/a.yml:7:9",
        "state/a.yml:10:9",
    ]
    assert [str(c.position) for c in found.values()] == ["state/a.yml:2:3", "state/a.yml:5:3"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1.5", 1.5),
        ("true", True),
        ("'0'", "0"),
        ("A B", "A B"),
        ("", None),
        ("on", "on"),
    ],
)
def test_expected_values_keep_their_type(read: Read, text: str, value: object) -> None:
    (assertion,) = read(f"checks: {{c: {{query: x, equals: {text}}}}}").checks["c"].assertions
    assert (assertion.equals, type(assertion.equals), assertion.asserts) == (
        value,
        type(value),
        "equals",
    )


@pytest.mark.parametrize(
    ("expected", "sqlstate", "met"),
    [
        ("check_violation", "23514", True),
        ("check_violation", "23505", False),
        ("23514", "23514", True),
        ("integrity_constraint_violation", "23514", True),
        ("integrity_constraint_violation", "42501", False),
        ("insufficient_privilege", "42501", True),
        ("modifying_sql_data_not_permitted", "38002", True),
        ("internal_error", "XX001", True),
        ("PT403", "PT403", True),
        ("check_violation", "", False),
    ],
)
def test_conditions_match_their_sqlstates(expected: str, sqlstate: str, met: bool) -> None:
    assert Assertion(query="x", fails_with=expected).expects(sqlstate) is met


def test_checks_cannot_be_changed(read: Read) -> None:
    check = read("checks: {c: {query: x, equals: 1, as: {settings: {s: {query: x}}}}}").checks["c"]
    actor = check.assertions[0].actor
    assert actor
    for model, name in (
        (check, "name"),
        (check.assertions[0], "query"),
        (actor, "role"),
        (actor.settings["s"], "query"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, name, "x")


def test_conditions_are_named_as_in_the_manual() -> None:
    manual = (
        "sqlclient_unable_to_establish_sqlconnection not_an_xml_document "
        "non_unique_keys_in_a_json_object io_error raise_exception"
    )
    assert set(manual.split()) <= set(CONDITIONS)


# -- generic ---------------------------------------------------------------------------------------


class Shelf(Object):
    """A kind that is defined only in this test."""

    kind: ClassVar[str] = "shelf"
    section: ClassVar[str] = "shelves"
    omitted_is_default: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("label",)

    label: str = ""
    width: int = Field(default=1, ge=1)


class Book(Object):
    """A kind that belongs to two other kinds, with a list as its short form."""

    kind: ClassVar[str] = "book"
    section: ClassVar[str] = "books"
    omitted_is_default: ClassVar[bool] = True
    parent_kinds: ClassVar[tuple[str, ...]] = ("shelf", "book")

    main_key: ClassVar[str] = "chapters"

    chapters: tuple[str, ...] = ()


TOYS: Mapping[str, type[Object]] = {"shelf": Shelf, "book": Book}


def test_no_kind_is_known_by_name(write: Write) -> None:
    books = "      b: [1, x]\n      c: {books: {d: {chapters: y}}}\n"
    folder = write(f"shelves:\n  s:\n    label: 7\n    exclusive: books\n    books:\n{books}")
    found = load(folder, TOYS)
    shelf = Ref("shelf", "public", "s")
    b, c = child("book", "b", shelf), child("book", "c", shelf)
    d = child("book", "d", c)
    assert found.objects == {
        shelf: Shelf(ref=shelf, label="7"),
        b: Book(ref=b, chapters=("1", "x")),
        c: Book(ref=c),
        d: Book(ref=d, chapters=("y",)),
    }
    assert found.exclusive == {shelf: {"book"}}


def test_a_field_and_its_file_key_exclude_each_other(write: Write) -> None:
    with pytest.raises(DeclarationError) as e:
        load(write("shelves:\n  s: {label: x}\n", b="shelves:\n  s: {label_file: b.yml}\n"), TOYS)
    assert (
        str(e.value).splitlines()[0]
        == "state/b.yml:2:7: label of shelf public.s is already declared at state/a.yml:2:7"
    )


def test_pydantic_errors_are_reported(write: Write) -> None:
    with pytest.raises(DeclarationError) as e:
        load(write("shelves: {s: {width: 0}}"), TOYS)
    assert [p.message for p in e.value.problems] == [
        "width: input should be greater than or equal to 1"
    ]


# -- JSON Schema -----------------------------------------------------------------------------------


def accepts(text: str, kinds: Mapping[str, type[Object]] = KINDS) -> bool:
    validator: Any = pytest.importorskip("jsonschema").Draft202012Validator(json_schema(kinds))
    return all(validator.is_valid(plain(n)) for n in nodes(text))


def test_the_json_schema_is_valid() -> None:
    pytest.importorskip("jsonschema").Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("file", sorted(DESIRED.glob("*.yml")), ids=lambda f: f.name)
def test_shipped_declarations_are_accepted(write: Write, file: Path) -> None:
    write()
    found = load(file)
    assert found.positions or found.checks or found.workload
    assert accepts(file.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema: a\ntables: {t: , u: {state: absent}, v: {state: present, comment: x}}",
        (
            "tables: {t: {exclusive: [policies], columns: {a: uuid, b: {default: 0}, c: {default: "
            "null}}}}"
        ),
        (
            "tables: {t: {columns: {a: {backfill: lower(b)}, b: {backfill: 0}, c: {backfill: "
            "{value: "
            "x, batch: {rows: 9}, pause: 1s}}}}}"
        ),
        "tables: {t: {indexes: {i: {on: a}}, policies: {p: {for: all, to: [a]}}, constraints: {}}}",
        (
            "functions: {f(): {body_file: a.sql}}\nviews: {v: {query_file: v.sql}}\nextensions: "
            "{e: "
            "{schema: s}}"
        ),
        "checks: {c: {query_file: a.sql, equals: null}, d: {all: [{query: x, fails_with: 23514}]}}",
    ],
)
def test_the_json_schema_accepts_what_load_accepts(write: Write, text: str) -> None:
    folder = write(text)
    for sql in ("a.sql", "v.sql"):
        (folder / sql).write_text("SELECT 1")
    load(folder)
    assert accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "tabels: {}",
        "tables: [t]",
        "tables: {t: {state: absent, comment: x}}",
        "tables: {t: {state: gone}}",
        "tables: {t: {ref: x}}",
        "tables: {t: {exclusive: [views]}}",
        "tables: {t: {columns: {a: }}}",
        "tables: {t: {columns: {a: {not_null: maybe}}}}",
        "tables: {t: {columns: {a: {backfill: {valeu: x}}}}}",
        "tables: {t: {policies: {p: {commands: all}}}}",
        "functions: {f(): {body: x, body_file: y}}",
        "functions: {f(): {arguments: y}}",
        "functions: {f(): text}",
        "checks: {c: {query: x}}",
        "checks: {c: {equals: x}}",
        "checks: {c: {query: x, equals: 1, uses_index: i}}",
        "checks: {c: {all: []}}",
        "checks: {c: {all: [{query: x, equals: 1}], name: x}}",
    ],
)
def test_the_json_schema_refuses_what_load_refuses(write: Write, text: str) -> None:
    with pytest.raises(DeclarationError):
        load(write(text))
    assert not accepts(text)


def test_the_json_schema_knows_other_kinds(write: Write) -> None:
    write()
    assert accepts("shelves: {s: {label_file: x, books: {b: [x], c: {books: {d: {}}}}}}", TOYS)
    assert accepts("shelves: {s: {books: {b: x}}}", TOYS)
    assert not accepts("shelves: {s: {books: {b: 1}}}", TOYS)


def test_names_that_postgresql_would_truncate_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(f"views:\n  {'é' * 32}: {{query: SELECT 1}}\n")
    with pytest.raises(DeclarationError, match=r"a.yml:2:3: .* longer than 63 bytes"):
        load(tmp_path)
    (tmp_path / "a.yml").write_text(f"views:\n  {'é' * 31}: {{query: SELECT 1}}\n")
    assert len(load(tmp_path).objects) == 1


@pytest.mark.parametrize(
    "type_",
    ["bigint GENERATED ALWAYS AS IDENTITY", 'text COLLATE "C"', "int NOT NULL", "int DEFAULT 3"],
)
def test_a_type_holds_nothing_else(tmp_path: Path, type_: str) -> None:
    (tmp_path / "a.yml").write_text(f"tables: {{t: {{columns: {{c: '{type_}'}}}}}}\n")
    with pytest.raises(DeclarationError, match="only the data type"):
        load(tmp_path)


def test_a_backfill_may_be_only_a_value(write: Write) -> None:
    declared = (
        "tables: {t: {columns: {a: {backfill: lower(b)}, b: {backfill: 0}, c: {backfill: true}}}}"
    )
    found = {r.name: o for r, o in load(write(declared)).objects.items() if isinstance(o, Column)}
    assert {n: c.expressions() for n, c in found.items() if n in "abc"} == {
        "a": {"backfill": "lower(b)"},
        "b": {"backfill": "0"},
        "c": {"backfill": "true"},
    }


def test_throttle_values_are_read_in_seconds_and_bytes(write: Write) -> None:
    declared = """
tables:
  t:
    columns:
      a: {backfill: {value: x, batch: {target: 1s, rows: 500}, pause: 50%, max_lag: 64MB,
          max_active: 20, triggers: false}}
      b: {backfill: {value: x, pause: 250ms, max_lag: 1.5min}}
"""
    paces = {
        r.name: o.backfill.throttle()
        for r, o in load(write(declared)).objects.items()
        if isinstance(o, Column) and o.backfill
    }
    assert paces["a"] == ThrottleSettings(
        target=1, rows=500, share=0.5, max_lag_bytes=64 << 20, max_active=20, triggers=False
    )
    assert paces["b"] == ThrottleSettings(pause=0.25, max_lag=90)


def test_a_key_with_advice_is_not_accepted_as_well() -> None:
    advised = {(k.kind, key) for k in KINDS.values() for key in k.wrong_keys}
    assert advised
    for kind, key in advised:
        model = KINDS[kind]
        assert key not in {*fields_of(model), *files_of(model), *other_keys_of(model)}, (kind, key)
