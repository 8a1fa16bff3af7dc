"""The rules of the house, as tests that fail when somebody breaks them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.kinds import KINDS

PACKAGE = Path(__file__).parents[1] / "reconciler"
FLOORS = {
    0: {"errors", "ref"},
    1: {"notes", "statement", "connection", "catalog", "privileges", "foreign"},
    2: {
        "contract",
        "inheritance",
        "granted",
        "situation",
        "state",
        "check",
        "datatype",
        "descent",
        "divided",
        "exchange",
        "attributes",
        "queried",
        "locks",
    },
    3: {"kinds"},
    4: {"load", "introspect", "diff", "scratch", "yamltree", "export", "build", "heirs", "rebuild", "renames", "neighbourhood"},
    5: {"canonicalise", "wanted", "debris", "work", "order", "plan", "unmanaged"},
    6: {"backfill", "journal", "monitor", "postcondition", "preflight"},
    7: {"execute", "history"},
    8: {"rollback", "prove", "verify", "report", "watch", "settings"},
    9: {"pipeline"},
    10: {"cli", "demo"},
}
# Neighbours that know each other, and why.
NEIGHBOURS = {
    ("connection", "statement"): "",
    ("privileges", "statement"): "",
    ("foreign", "statement"): "",
    ("privileges", "connection"): "",
    ("cli", "demo"): "the command that plays it",
    ("load", "yamltree"): "the reader of nodes",
    ("state", "contract"): "a state is made of objects",
    ("contract", "situation"): "what a kind may know",
    ("contract", "inheritance"): "a part of it",
    ("inheritance", "contract"): "",
    ("inheritance", "situation"): "",
    ("situation", "contract"): "what is known of objects",
    ("situation", "granted"): "what is known of objects",
    ("granted", "contract"): "what objects with an owner share",
    ("granted", "situation"): "",
    ("datatype", "granted"): "",
    ("queried", "granted"): "",
    ("attributes", "granted"): "",
    ("state", "check"): "",
    ("order", "work"): "what is put in order",
    ("plan", "work"): "what a plan is made of",
    ("plan", "order"): "what a plan is made of",
    ("attributes", "contract"): "what a new sequence may be used for, is known of the server",
    ("descent", "contract"): "what tables that may inherit share",
    ("descent", "granted"): "",
    ("descent", "situation"): "",
    ("queried", "contract"): "what relations that a query makes share",
    ("divided", "contract"): "what objects that partitions have in pieces share",
    ("divided", "situation"): "",
    ("attributes", "situation"): "",
    ("exchange", "contract"): "what objects that may be exchanged share",
    ("exchange", "situation"): "",
    ("exchange", "attributes"): "what it leaves, should it be broken off",
    ("datatype", "contract"): "what every type that columns have shares",
    ("canonicalise", "scratch"): "",
    ("canonicalise", "wanted"): "what is spelled",
    ("monitor", "backfill"): "how far a long step is",
    ("preflight", "backfill"): "what would refuse it",
    ("rebuild", "diff"): "changes are what it reads",
    ("renames", "diff"): "how a difference is told",
    ("heirs", "diff"): "changes are what it reads",
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "__pycache__" not in p.parts and "story" not in p.parts)


def room(path: Path) -> str:
    """The top-level name under `reconciler`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "reconciler":
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [a.name for a in node.names]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_import_from_lower_floors_only(path: Path) -> None:
    own = room(path)
    if own == "__init__":
        return
    for other in imported(path):
        if other in {own, "__version__"} and path.name != "kinds":
            continue
        assert FLOOR[other] < FLOOR[own] or (own, other) in NEIGHBOURS, f"{own} imports {other}"


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) == "kinds"], ids=lambda p: p.stem)
def test_kinds_are_strangers_to_each_other(path: Path) -> None:
    if path.stem == "__init__":
        return
    assert "kinds" not in set(imported(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    if room(path) == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "exit", "quit", "sys.exit", "os._exit", "click.echo"}, f"line {node.lineno}"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if room(p) != "kinds" and FLOOR.get(room(p), 0) >= 2], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_no_stage_names_a_kind(path: Path) -> None:
    words = set(KINDS) | {k.section for k in KINDS.values()}
    tree = ast.parse(path.read_text())
    said = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            assert node.value not in words or node.value in ALLOWED.get(room(path), ()), f"line {node.lineno}: {node.value!r}"


# A word that is also a kind's name but means something else there.
ALLOWED = {
    "descent": {"table", "columns"},  # whatever inherits, its parents are tables; what it says of itself
    "cli": {"schema", "schemas"},  # the command's own name
    "introspect": {
        "extension",
        "extensions",
        "schema",
        "schemas",
    },  # columns of catalog rows; and what belongs to an extension is found by its address
    "export": {"schema"},
    "settings": {"schemas"},
    "queried": {"columns"},  # a field
    "preflight": {"publication"},  # a column of rows
    "state": {"schema"},  # a column of every catalog row
    "attributes": {"foreign_table", "identity", "statistics", "sequence", "constraint"},  # columns of rows; what short forms stand for
    "load": {"schema", "enum"},  # the file's own key; a word of JSON Schema
}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_is_too_long_for_a_stranger(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= 480
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} at line {node.lineno}"


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {p.stem for p in MODULES} & {"manager", "helper", "helpers", "util", "utils", "common", "base", "core", "engine", "misc"}
