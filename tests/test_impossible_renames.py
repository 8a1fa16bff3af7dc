"""Renamings that no plan can do are refused, with what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.model.ref import Ref

COLUMNS = "tables: {t: {columns: {a: {type: int, renamed_from: b}, b: {type: int, renamed_from: "
REFUSED = {
    "schemas: {a: {renamed_from: s2.a}}": "write a",
    "tables: {a: {renamed_from: r.s.b, columns: {x: int}}}": "a name that holds a dot",
    "ranges: {a: {renamed_from: s2.a, subtype: int}}": "not moved, since PostgreSQL would leave",
    "operators: {'+(int, int)': {renamed_from: '-', function: f}}": "but cannot rename it",
    "tables: {t: {columns: {a: {type: int, renamed_from: t.b}}}}": "write b",
    COLUMNS + "a}}}}": "rename one to a third name",
    "tables: {s.t: {renamed_from: r.t}, r.t: {renamed_from: s.t}}": "third name",
    COLUMNS + "c}, c: {type: int, renamed_from: a}}}}": "rename one to a third name",
    "tables: {u: {renamed_from: w, columns: {}}, w: {renamed_from: u, columns: {}}}": "third name",
    "tables: {t: {renamed_from: t, columns: {}}}": "its own name",
    "tables: {s.t: {renamed_from: s.t, columns: {}}}": "its own name",
    "tables: {t: {columns: {a: {type: int, renamed_from: a}}}}": "its own name",
    "functions: {f(a int): {renamed_from: f, returns: int, body: SELECT 1}}": "its own name",
    "types: {c: {attributes: {a: {type: int, renamed_from: a}}}}": "its own name",
    "enums: {e: [{name: x, renamed_from: x}]}": "its own name",
    "enums: {e: [{name: x, renamed_from: y}, {name: y, renamed_from: x}]}": "third name",
    "enums: {e: [{name: b, renamed_from: a}, {name: c, renamed_from: b}, "
    "{name: a, renamed_from: c}]}": "b, a and c cannot take each other's names",
    "enums: {e: [{name: b, renamed_from: a}, {name: c, renamed_from: a}]}": (
        "b and c cannot both be renamed from a"
    ),
    "types: {p: {attributes: {b: {type: int, renamed_from: a}, c: {type: int, renamed_from: b}, "
    "a: {type: int, renamed_from: c}}}}": "b, a and c cannot take each other's names",
}


def loaded(declared: str, folder: Path) -> dict[Ref, object]:
    file = folder / "state.yml"
    file.write_text(declared)
    return {**load(file).objects}


@pytest.mark.parametrize("declared", REFUSED)
def test_a_renaming_that_nothing_can_do_is_refused(declared: str, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError) as refused:
        loaded(declared, tmp_path)
    for problem in refused.value.problems:
        assert REFUSED[declared] in problem.message + problem.hint
        assert problem.position is not None


def test_chains_and_names_with_dots_are_renamed(tmp_path: Path) -> None:
    chain = COLUMNS + "c}}}}"
    assert loaded(chain, tmp_path)
    dotted = "tables: {a: {renamed_from: '\"s2.a\"', columns: {}}}"
    assert loaded(dotted, tmp_path)
    moved = "materialized_views: {s.v: {renamed_from: r.v, query: SELECT 1}}"
    assert loaded(moved, tmp_path)
