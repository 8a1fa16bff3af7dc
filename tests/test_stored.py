"""Test that a declaration that is found in the cache is the one that is in the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cache import Cache
from reconciler.declare.load import load
from reconciler.declare.positions import StoredPositions
from reconciler.errors import DeclarationError
from reconciler.model.state import Declaration
from tests.conftest import ROOT

CASES = sorted((ROOT / "tests" / "cases").glob("*/*/desired.yml"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def assert_same(found: Declaration, expected: Declaration) -> None:
    assert [*found.objects.items()] == [*expected.objects.items()]
    assert [*found.absent.items()] == [*expected.absent.items()]
    for ref, obj in (*expected.objects.items(), *expected.absent.items()):
        other = found.objects.get(ref) or found.absent[ref]
        assert type(other) is type(obj)
        assert other.model_fields_set == obj.model_fields_set
        assert repr(other) == repr(obj)
        assert other.fields() == obj.fields()
    assert found.exclusive == expected.exclusive
    assert found.search_path == expected.search_path
    assert dict(found.positions) == dict(expected.positions)
    assert [p.text for p in found.positions.values()] == [
        p.text for p in expected.positions.values()
    ]
    assert found.checks == expected.checks
    assert found.schemas == expected.schemas
    assert found.sources == expected.sources


def refusal(case: Path, cache: Cache | None = None) -> str | None:
    try:
        load(case, cache=cache)
    except DeclarationError as error:
        return str(error)
    return None


def test_every_case_is_read_back_as_it_is(cache: Cache) -> None:
    stored = 0
    for case in CASES:
        if (refused := refusal(case)) is not None:
            assert [refusal(case, cache), refusal(case, cache)] == [refused, refused]
            continue
        expected = load(case)
        assert_same(load(case, cache=cache), expected)
        found = load(case, cache=cache)
        assert_same(found, expected)
        stored += isinstance(found.positions, StoredPositions)
    assert stored >= len(CASES) * 0.97, f"{stored} of {len(CASES)} are stored"


def test_a_change_in_any_file_is_seen(cache: Cache, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "f.sql").write_text("SELECT 1")
    (state / "a.yml").write_text(
        "functions: {f(): {returns: int, language: sql, body_file: f.sql}}\n"
    )

    def read() -> tuple[list[str], bool]:
        found = load(state, cache=cache)
        bodies = [str(getattr(o, "body", "")) for o in found.objects.values()]
        return bodies, isinstance(found.positions, StoredPositions)

    assert [read(), read()] == [(["SELECT 1"], False), (["SELECT 1"], True)]
    (state / "f.sql").write_text("SELECT 2")
    assert [read(), read()] == [(["SELECT 2"], False), (["SELECT 2"], True)]
    (state / "b.yml").write_text("tables: {t: {state: absent}}\n")
    assert [read()[1], read()[1]] == [False, True]
    (state / "b.yml").write_text("\n\ntables: {t: {state: absent}}\n")
    found = load(state, cache=cache).positions
    assert {p.line for (ref, _), p in found.items() if ref.name == "t"} == {3}
    (state / "b.yml").unlink()
    assert read() == (["SELECT 2"], True)
    (state / "f.sql").unlink()
    with pytest.raises(DeclarationError, match=r"f\.sql"):
        read()


def test_an_entry_of_another_shape_is_none(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("tables: {t: {columns: {a: integer}}}\n")
    expected = load(file, cache=cache)
    (entry,) = cache.folder.iterdir()
    key = entry.name.removeprefix("declaration-")
    good = cache.get("declaration", key)
    wrongs: list[object] = [[], {}, {**good, "refs": []}, {**good, "objects": [[0, 9]]}]
    wrongs += [{**good, "fields": [{"no": 1}] * 2}, {**good, "sources": None}]
    places = good["positions"]
    others = [{"lines": [9] * 3}, {"lines": [0] * 3}, {"ends": [2]}, {"numbers": [1]}, {"no": 1}]
    wrongs += [{**good, "positions": {**places, **other}} for other in others]
    for wrong in wrongs:
        cache.put("declaration", key, wrong)
        assert_same(load(file, cache=cache), expected)
    (link := tmp_path / "b.yml").symlink_to("/etc/hostname")
    with pytest.raises(DeclarationError):
        load(link, cache=cache)


def test_a_declaration_with_checks_is_read_each_time(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("checks: {one: {query: SELECT 1, equals: 1}}\n")
    for _ in range(2):
        assert load(file, cache=cache).checks.keys() == {"one"}
    assert not cache.folder.exists()
