"""Test that the JSON Schema offers nothing that the loader refuses, by changes of the examples."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
import yaml

from reconciler.declare.examples import TOPICS, examples
from reconciler.declare.fields import fields_of
from reconciler.declare.json_schema import json_schema
from reconciler.declare.layout import sections_of
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.kinds import KINDS
from tests.reference import yaml_document

NOT_SAID = (
    "is not renamed here",
    "to another schema, but cannot rename it",  # an operator has the same name there
    "is given twice, once within not_null",  # of two forms, one may be used
    "renamed_from x, while that name is declared",  # two values are compared
    "renamed_from x is its own name",
    "passed by value are values of internal_length and alignment",  # of a base type
    "a type of variable length has the alignment",
    "values of fixed internal_length have the storage",
    "without `subscript`, elements need internal_length",
)
CHANGES = int(os.environ.get("RECONCILE_TEST_CHANGES", "40"))  # of each kind
Body = dict[str, Any]
Values = dict[str, list[Any]]


@cache
def validator() -> Any:
    return pytest.importorskip("jsonschema").Draft202012Validator(json_schema())


@cache
def documents() -> tuple[Body, ...]:
    return tuple(yaml_document(e.declaration) for t in TOPICS for e in examples(t))


def entries(document: Body, parent: str = "") -> Iterator[tuple[str, object]]:
    """Yield the kind and the body of each entry, and of the entries below."""
    for section, kind in sections_of(KINDS, parent).items():
        bodies: Body = document.get(section) or {}
        for body in bodies.values():
            yield kind.kind, body
            if isinstance(body, dict):
                yield from entries(cast("Body", body), kind.kind)


def document_of(kind: str, body: object) -> Body:
    """Return a document with one entry, on a table or a view if the kind needs one."""
    model = KINDS[kind]
    name = {"aggregate": "a(integer)", "function": "f()", "procedure": "p()"}.get(kind, "x")
    names = {
        "operator": "+(integer, integer)",
        "cast": "integer AS text",
        "transform": "integer language sql",
    }
    name = names.get(kind, name)
    if kind in {"operator_class", "operator_family"}:
        name = "x(btree)"
    if kind == "default_privilege":
        given = set(cast("Body", body)) if isinstance(body, dict) else set[str]()
        in_body = given & {"on", "for_role", "in_schema"}
        name = "shop_owner" if in_body else "shop_owner on tables"
    if kind == "user_mapping":
        name = "public on s"
    if kind == "security_label":
        name = "guard on table public.t"
    found: Body = {model.section: {name: body}}
    for parent in model.parent_kinds[:1]:
        found = {KINDS[parent].section: {"t": found}}
    return found


def refusal(document: Body, folder: Path) -> str | None:
    """Return the loader's error, if any."""
    file = folder / "state.yml"
    file.write_text(json.dumps(document))
    try:
        load(file)
    except DeclarationError as error:
        return str(error)
    return None


def test_the_json_schema_accepts_every_example() -> None:
    for document in documents():
        assert [e.message for e in validator().iter_errors(document)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_json_schema_accepts_is_loaded(kind: str, tmp_path: Path) -> None:
    bodies = [b for d in documents() for k, b in entries(d) if k == kind]
    known = fields_of(KINDS[kind])
    mappings = [cast("Body", b) for b in bodies if isinstance(b, dict)]
    used = [(k, v) for b in mappings for k, v in b.items() if k in known]
    values = {key: [v for k, v in used if k == key] for key in sorted(known)}
    anything: list[Any] = [*(v for _, v in used), True, "x", 1, [], {}]
    random = Random(kind)  # noqa: S311 - the same changes each time
    refused: list[str] = []
    for _ in range(CHANGES):
        document = document_of(kind, _changed(random, random.choice(bodies), values, anything))
        error = refusal(document, tmp_path)
        said = error and not any(n in error for n in NOT_SAID)
        if said and validator().is_valid(document):
            refused.append(f"{json.dumps(document)}\n{error}")
    assert refused == [], "\n".join(refused)


def _changed(random: Random, body: object, values: Values, anything: list[Any]) -> Body:
    """Set one to three keys to values of the key, or to any, and take some away."""
    changed: Body = dict(cast("Body", body)) if isinstance(body, dict) else {}
    for _ in range(random.randint(1, 3)):
        key = random.choice(list(values))
        usual = values[key] and random.random() < 0.7
        changed[key] = random.choice(values[key] if usual else anything)
        if random.random() < 0.3:
            del changed[random.choice(sorted(changed))]
    return changed


BODIES: tuple[object, ...] = (
    5,
    1.5,
    True,
    None,
    [],
    ["a"],
    [5],
    [True],
    [None],
    [["a"]],
    [{"x": 1}],
)


@pytest.mark.parametrize("kind", KINDS)
def test_both_accept_the_same_values_that_stand_alone(kind: str, tmp_path: Path) -> None:
    differing = [
        f"{body}: {error or 'accepted by the loader alone'}"
        for body in BODIES
        for document in [document_of(kind, body)]
        for error in [refusal(document, tmp_path)]
        if validator().is_valid(document) != (error is None)
    ]
    assert differing == []


@pytest.mark.parametrize("kind", KINDS)
def test_both_accept_that_an_object_is_absent(kind: str, tmp_path: Path) -> None:
    document = document_of(kind, {"state": "absent"})
    assert validator().is_valid(document)
    assert refusal(document, tmp_path) is None


def undescribed(schema: Any, path: str = "") -> Iterator[str]:
    """Yield the keys without a description; conditions such as `if` only mention keys."""
    if isinstance(schema, list):
        for each in cast("list[Any]", schema):
            yield from undescribed(each, path)
    if not isinstance(schema, dict):
        return
    body = cast("Body", schema)
    for key, value in body.get("properties", {}).items():
        if not value.get("description"):
            yield f"{path}.{key}"
        yield from undescribed(value, f"{path}.{key}")
    for word, value in body.items():
        if word == "$defs":
            for name, definition in value.items():
                yield from undescribed(definition, name)
        elif word not in {"properties", "if", "then", "else", "not", "allOf", "oneOf"}:
            yield from undescribed(value, path)


def test_every_key_has_a_description_for_editors() -> None:
    assert sorted(set(undescribed(json_schema()))) == []
    assert [*undescribed({"properties": {"a": {"properties": {"b": {}}}}})] == [".a", ".a.b"]


@pytest.mark.parametrize("entry", ['{"on": [a]}', "{columns: [a]}", "a"])
def test_index_has_forms_that_readers_of_yaml_1_1_read_as_well(entry: str, tmp_path: Path) -> None:
    text = f"tables: {{t: {{indexes: {{t_a: {entry}}}}}}}"
    assert [*validator().iter_errors(yaml.safe_load(text))] == []
    (tmp_path / "s.yml").write_text(text)
    assert load(tmp_path).objects
