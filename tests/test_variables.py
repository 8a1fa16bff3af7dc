"""Variables of a declaration are names and values, and nothing else, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from reconciler.cache import Cache
from reconciler.declare.annotations import Takes
from reconciler.declare.fields import takes_of
from reconciler.declare.load import load
from reconciler.declare.variables import Placeholders
from reconciler.errors import DeclarationError
from reconciler.kinds import KINDS
from reconciler.model.state import Declaration
from reconciler.model.variables import Value, fault_of

HOSTILE = 'a"; DROP TABLE x; --'
TENANT = "variables: [tenant]\n"


def read(folder: Path, text: str, **values: Value) -> Declaration:
    (folder / "state.yml").write_text(text)
    return load(folder / "state.yml", variables=values)


def refs(declaration: Declaration) -> set[str]:
    return {str(ref) for ref in (*declaration.objects, *declaration.absent)}


def only(declaration: Declaration, kind: str) -> Any:
    """Return the only object of a kind."""
    (found,) = (o for r, o in declaration.objects.items() if r.kind == kind)
    return found


@pytest.mark.parametrize(
    "value", ["acme", "Acme GmbH", HOSTILE, "a.b", "x'); --", "${tenant}", "é"]
)
def test_a_value_is_a_name_in_one_piece(tmp_path: Path, value: str) -> None:
    text = """
        variables: [tenant]
        schema: ${tenant}
        owner: ${tenant}_owner
        schemas: {"${tenant}": {comment: "of ${tenant}!"}}
        tables:
          ${tenant}.t:
            columns: {"${tenant}": int, b: int}
            grants: {"${tenant}": [select], other: [select]}
            indexes: {"${tenant}_i": {on: b}}
          '"${tenant} x"': {columns: {a: int}}
        functions: {"${tenant}_f(a int)": {language: sql, body: SELECT 1, returns: int}}
        """
    found = read(tmp_path, text, tenant=value)
    schemas = {r.schema or r.name for r in found.objects}
    assert schemas == {value}
    tables = {r.name: o for r, o in found.objects.items() if r.kind == "table"}
    assert tables.keys() == {"t", f"{value} x"}
    table: Any = tables["t"]
    assert (table.owner, [*table.grants]) == (f"{value}_owner", [value, "other"])
    assert {r.name for r in found.objects if r.kind == "column"} == {value, "b", "a"}
    assert {r.name for r in found.objects if r.kind == "index"} == {f"{value}_i"}
    assert only(found, "function").ref.name == f"{value}_f"
    assert only(found, "schema").comment == f"of {value}!"
    assert found.variables == {"tenant": value}


def test_a_name_in_sql_form_is_quoted(tmp_path: Path) -> None:
    text = TENANT + "sequences: {s: {owned_by: '${tenant}.t.a'}}"
    assert only(read(tmp_path, text, tenant=HOSTILE), "sequence").owned_by == (
        '"a""; DROP TABLE x; --".t.a'
    )
    assert only(read(tmp_path, text, tenant="acme"), "sequence").owned_by == "acme.t.a"


def test_a_search_path_has_as_many_schemas_as_the_file_says(tmp_path: Path) -> None:
    for path in ("${tenant}", "['${tenant}']"):
        text = f"functions: {{f(): {{language: sql, body: '', set: {{search_path: {path!r}}}}}}}"
        text = TENANT + text.replace("\"['", "['").replace("']\"", "']")
        found = only(read(tmp_path, text, tenant="a, b"), "function")
        assert found.set["search_path"] == '"a, b"'


def test_a_variable_alone_keeps_its_type(tmp_path: Path) -> None:
    text = "variables: [n, on]\nsequences: {s: {cache: '${n}', cycle: '${on}', comment: '${on}'}}"
    found = only(read(tmp_path, text, n=7, on=True), "sequence")
    assert (found.cache, found.cycle, found.comment) == (7, True, "true")
    with pytest.raises(DeclarationError, match="cache"):
        read(tmp_path, text, n="7; DROP", on=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("views: {v: 'SELECT ${tenant}'}", r"state.yml:2:12: \$\{tenant\} cannot stand here"),
        ("tables: {t: {columns: {a: {type: '${tenant}.x'}}}}", "2:34: .* cannot stand here"),
        ("tables: {t: {columns: {a: '${tenant}'}}}", "2:27: .* cannot stand here"),
        ("tables: {t: {columns: {a: {type: int, default: '${tenant}'}}}}", "cannot stand here"),
        ("tables: {t: {columns: {a: int}, partition_by: 'list (${tenant})'}}", "cannot stand here"),
        ("functions: {'f(a ${tenant})': {body: ''}}", "part of a name here, and of nothing else"),
        ("functions: {'f()': {language: sql, body: '${tenant}'}}", "cannot stand here"),
        ("functions: {'f()': {language: sql, body_file: 'f.sql'}}", "2:47: body_file: the file of"),
        ("casts: {'${tenant} AS text': {inout: true}}", "part of a name here"),
        ("policies: 1\nx-a: '${tenant}'", "policies"),
        ("checks: {c: {query: 'SELECT ''${tenant}'''}}", "cannot stand here"),
        ("workload: {q: {query: 'SELECT ''${tenant}'''}}", "cannot stand here"),
        ("tables: {t: {columns: {a: int}, grants: {r: ['${tenant}']}}}", "cannot stand here"),
        ("tables: {'${tenant} x': {}}", "part of a name here"),
        ("tables: {t: {columns: {a: int}, '${tenant}': 1}}", "cannot stand here"),
        ("tables: {t: {depends_on: ['table ${tenant}.x']}}", "cannot stand here"),
        ("tables: {'${tennant}': {}}", "lists no variable 'tennant'"),
        ("tables: {'${TENANT}': {}}", "variables are in lower case; those of the environment"),
        ("tables: {t: {comment: '${PGPASSWORD}'}}", "lists no variable 'PGPASSWORD'"),
        ("tables: {t: {owner: '${tenant} a'}}", "owner: a variable is part of a name here"),
        ("sequences: {s: {owned_by: '${tenant}.a.b.c'}}", "part of a name here"),
    ],
)
def test_no_variable_stands_in_sql(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "f.sql").write_text("SELECT '${tenant}'")
    with pytest.raises(DeclarationError, match=message) as raised:
        read(tmp_path, TENANT + text, tenant="acme")
    assert "acme" not in str(raised.value)


def test_text_that_lists_no_variable_is_text(tmp_path: Path) -> None:
    text = "tables: {t: {comment: 'a ${tenant}', columns: {a: {type: text, default: '''${b}'''}}}}"
    assert only(read(tmp_path, text), "table").comment == "a ${tenant}"
    body = "functions: {'f()': {language: sql, body: '${other}'}}"
    assert only(read(tmp_path, TENANT + body, tenant="a"), "function").body == "${other}"
    with pytest.raises(DeclarationError, match=r"list it at the top .* `variables: \[tenant\]`"):
        read(tmp_path, "schema: ${tenant}\ntables: {t: {}}", tenant="a")


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        (
            "variables: [tenant]",
            {"tenent": "a"},
            r"yml:1:13: .*no variable 'tenant'\n.*\n.*\n.*'tenent'",
        ),
        ("variables: tenant", {}, "`vars`"),
        ("variables: [Tenant]", {"Tenant": "a"}, "expected the name of a variable"),
        ("variables: [{a: 1}]", {}, "expected the name of a variable, got a mapping"),
        ("variables: [a]\nschema: ${a}", {"a": ""}, "and a name has 1 to 63 bytes"),
        ("variables: [a]\nschema: ${a}", {"a": "é" * 32}, "and a name has 1 to 63 bytes"),
        ("variables: [a]\nowner: ${a}", {"a": "Public"}, "public, which stands for every role"),
    ],
)
def test_a_faulty_variable_has_a_position(
    tmp_path: Path, text: str, values: dict[str, Value], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        read(tmp_path, f"{text}\nsequences: {{s: {{}}}}", **values)


def test_two_keys_of_one_value_are_one_object(tmp_path: Path) -> None:
    text = "variables: [a, b]\nsequences: {'${a}': {comment: x}, '${b}': {comment: x}}"
    assert refs(read(tmp_path, text, a="x", b="y")) == {"sequence public.x", "sequence public.y"}
    with pytest.raises(DeclarationError, match="already declared"):
        read(tmp_path, text, a="x", b="x")


def test_files_are_checked_without_values(tmp_path: Path) -> None:
    (tmp_path / "state.yml").write_text(TENANT + "schema: ${tenant}\nsequences: {s: {}}")
    assert refs(load(tmp_path, variables=Placeholders())) == {"sequence tenant.s"}
    with pytest.raises(DeclarationError, match="no variable 'tenant'"):
        load(tmp_path)


def test_the_cache_knows_the_values(tmp_path: Path) -> None:
    state, cache = tmp_path / "state.yml", Cache(tmp_path / "cache")
    state.write_text("variables: [tenant]\nschema: ${tenant}\ntables: {t: {columns: {a: int}}}")
    values: list[Value] = ["acme", "bolt", "acme", "1", 1]
    for value in values:
        found = load(state, cache=cache, variables={"tenant": value})
        assert {r.schema for r in found.objects} == {str(value)}
        assert found.variables == {"tenant": value}
    entries = [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert len(entries) >= 4
    with pytest.raises(DeclarationError):
        load(state, cache=cache)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("tenant", "a\nb", "control character"),
        ("tenant", "\0", "control character"),
        ("tenant", "a" * 1001, "longer"),
        ("tenant", 1 << 63, "larger"),
        ("tenant", 1.5, "expected text"),
        ("tenant", ["a"], "expected text"),
        ("tenant", None, "expected text"),
        ("RECONCILE_X", "a", "lower-case"),
        ("a" * 64, "a", "lower-case"),
        ("tenant", HOSTILE, ""),
    ],
)
def test_values_are_bounded(name: str, value: object, fault: str) -> None:
    assert fault in fault_of(name, value) if fault else not fault_of(name, value)


def test_what_takes_a_value_is_no_sql() -> None:
    """No field of a kind is composed as SQL, and takes a variable as a value."""
    found = {
        f"{kind.kind}.{key}"
        for kind in KINDS.values()
        for key, takes in takes_of(kind).items()
        if "value" in taken(takes)
    }
    sql = {
        f"{kind.kind}.{key}"
        for kind in KINDS.values()
        for key in (*kind.sql_fields, *kind.sql_clauses)
    }
    assert {"table.comment", "enum.values", "function.set", "foreign_server.options"} <= found
    assert {"table.options", "index.options", "function.body"}.isdisjoint(found)
    assert {f for f in found & sql if not f.endswith((".attributes", ".constraints"))} == set()


def taken(takes: Takes, seen: tuple[type[BaseModel], ...] = ()) -> Iterator[str]:
    """Yield how variables may stand in the texts of a field."""
    if takes.spelling is not None:
        yield takes.spelling.variables
    if takes.items is not None:
        yield from taken(takes.of_items, seen)
    if takes.keys is not None:
        yield from taken(takes.of_keys, seen)
        yield from taken(takes.of_values, seen)
    if takes.model is not None and takes.model not in seen:
        for inner in takes_of(takes.model).values():
            yield from taken(inner, (*seen, takes.model))
