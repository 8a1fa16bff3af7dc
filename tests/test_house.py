"""Test the rules of the house."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from reconciler.kinds import KINDS

PACKAGE = Path(__file__).parents[1] / "reconciler"
FLOORS = (  # from the ground up: a package imports from lower floors only
    {"counted", "escape", "project_files", "version"},
    {"sql", "errors", "cache"},
    {"server", "fleet", "webhook", "environment"},
    {"model", "checks"},
    {"kinds", "diff"},
    {"introspect"},
    {"plan", "canonicalise", "declare", "lint"},
    {"journal", "inventory", "bench", "approvals", "tidy"},
    {"monitor", "settings"},
    {"apply", "drift", "evidence", "plan_findings", "plan_notes", "rollout", "shapes"},
    {"planning"},
    {"accepted", "pipeline", "report"},
    {"benchmark", "file_faults", "importing", "linting", "recall"},
    {"api", "comparing", "demo", "measuring"},
    {"cli", "templates"},
    {"pytest_plugin"},
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """Return the top-level name under `reconciler`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    """Return the dotted name below `reconciler`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


NAMES = {module_of(p) for p in MODULES}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Parse a module once for all tests."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imported(path: Path) -> Iterator[str]:
    """Yield each module of the package that a module imports, for types too."""
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "reconciler":
            module = (node.module or "").removeprefix("reconciler").removeprefix(".")
            for alias in node.names:
                inner = f"{module}.{alias.name}".removeprefix(".")
                yield inner if inner in NAMES else module


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_modules_import_from_lower_floors_only(path: Path) -> None:
    own = room(path)
    if own == "__init__":
        return
    for other in imported(path):
        package = other.split(".")[0]
        assert package in {own, ""} or FLOOR[package] < FLOOR[own], (
            f"{module_of(path)} imports {other}"
        )


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_no_module_imports_the_api_of_the_package(path: Path) -> None:
    """The package names the API, which imports nearly every module."""
    inside = {room(module) for module in MODULES}
    for node in nodes(path):
        if isinstance(node, ast.Import):
            assert "reconciler" not in {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "reconciler":
            assert {alias.name for alias in node.names} <= inside


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module_of(p): {*imported(p)} - {module_of(p)} for p in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as e:
        pytest.fail(" imports ".join(reversed(e.args[1])))


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) == "kinds"], ids=module_of)
def test_kinds_do_not_import_each_other(path: Path) -> None:
    if path.stem == "__init__":
        return
    own = module_of(path).split(".")[:2]
    assert {
        o for o in imported(path) if o.split(".")[0] == "kinds" and o.split(".")[:2] != own
    } == set()


SCRIPTS = {"server.confine", "server.keep"}  # processes of their own


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    if room(path) == "cli" or module_of(path) in SCRIPTS:
        return
    for node in nodes(path):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "exit", "quit", "sys.exit", "os._exit", "click.echo"}, (
                f"line {node.lineno}"
            )


PRINTERS = {"click.echo", "click.confirm", "click.secho", "click.prompt", "Console"}


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_output_is_escaped_at_one_place(path: Path) -> None:
    """A document is escaped where it is made, other text where it is printed."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in PRINTERS or module_of(path) == "cli.output", f"line {node.lineno}"
            assert called != "Document" or module_of(path) == "escape", f"line {node.lineno}"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if room(p) != "kinds" and FLOOR.get(room(p), 0) >= 1], ids=module_of
)
def test_no_stage_names_a_kind(path: Path) -> None:
    kind_names = set(KINDS) | {k.section for k in KINDS.values()}
    allowed = ALLOWED.get(room(path), set()) | ALLOWED.get(module_of(path), set())
    docstrings = {id(n.value) for n in nodes(path) if isinstance(n, ast.Expr)}
    for node in nodes(path):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ):
            assert node.value not in kind_names or node.value in allowed, (
                f"line {node.lineno}: {node.value!r}"
            )


STAGES = [p for p in MODULES if room(p) not in {"kinds", "model"}]


@pytest.mark.parametrize("path", STAGES, ids=module_of)
def test_no_stage_reads_a_field_of_a_kind_by_name(path: Path) -> None:
    """A stage asks a capability: `grants_of(obj)`, not `getattr(obj, "grants")`."""
    fields = {f for k in KINDS.values() for f in k.model_fields}
    for node in nodes(path):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "hasattr"}:
            name = node.args[1]
            assert not isinstance(name, ast.Constant) or name.value not in fields, (
                f"line {node.lineno}: {name.value!r}"
            )


ALLOWED = {  # words that are also names of kinds, a line for each package or module
    # columns and parameters of queries; the setting `role`
    "apply": {"index", "publication", "role", "schema", "schemas"},
    "bench.databases": {"role"},  # the setting
    # words of PostgreSQL's messages
    "apply.grants": {"function", "language", "procedure", "sequence", "table", "view"},
    "cli": {"schema", "schemas"},  # the command `schema`; a setting
    "cli.export": {"roles", "table"},  # a parameter; a layout of the files
    "cli.plan": {"role"},  # the one that is to apply
    "declare": {"enum", "schema"},  # a word of JSON Schema; the file's own key
    "introspect": {"extensions", "roles", "schema", "schemas"},  # columns and parameters of queries
    # faults of the journal's own tables, and columns of catalog rows
    "journal.ownership": {"column", "constraint", "index", "policy", "rule", "schema", "trigger"},
    "model.native_code": {"language"},  # a field of a routine
    "lint.baseline": {"rule"},  # a rule of lint
    "lint.database": {"roles"},  # a column of a query
    "lint.rules.privileges": {"schema", "trigger"},  # a key of the YAML; the TRIGGER privilege
    "monitor.read": {"indexes", "tables"},  # parts of the statistics
    "model": {"columns", "schema", "table"},  # columns of catalog rows; parents are tables
    "model.privileges": {"trigger"},  # the TRIGGER privilege
    "model.ref": {"column", "index"},  # exceptions of pg_identify_object(), which says `on`
    "report.json": {"column", "rule"},  # of a position; a rule of lint
    "report.prometheus": {"rule"},  # of a finding
    "report.sarif": {"rules"},  # the rules of lint
    "plan": {"rule", "schema"},  # the rule of a change; where CREATE is needed
    "plan.prove": {"role"},  # the setting
    "plan.questions": {"columns"},  # a column of the query
    "server": {"role"},  # the setting, and columns of queries
}


def test_no_word_is_allowed_in_vain() -> None:
    for place, words in ALLOWED.items():
        inside = [p for p in MODULES if place in {room(p), module_of(p)}]
        texts = {n.value for p in inside for n in nodes(p) if isinstance(n, ast.Constant)}
        assert words <= texts, place


WIDTH, FILE_LINES, FUNCTION_LINES, DECISIONS, PARAMETERS = 100, 400, 60, 15, 6
EXEMPT = {  # at most a line each, with its reason
    "pipeline.plan_rollback": 7,  # the run, its journal, scratch and permissions are chosen apart
    "pipeline.apply_plan": 7,  # the target, its locks, hazards and journal are chosen apart
}
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case)


def decisions(function: ast.FunctionDef) -> int:
    """Count branches, boolean operators, and the parts of comprehensions."""
    nodes = [*ast.walk(function)]
    branches = sum(isinstance(n, BRANCHES) for n in nodes)
    parts = sum(1 + len(n.ifs) for n in nodes if isinstance(n, ast.comprehension))
    return 1 + branches + parts + sum(len(n.values) - 1 for n in nodes if isinstance(n, ast.BoolOp))


def parameters(function: ast.FunctionDef) -> int:
    """Count the parameters beside `self` and `cls`."""
    named = function.args
    names = [a.arg for a in (*named.posonlyargs, *named.args, *named.kwonlyargs)]
    return len([n for n in names if n not in {"self", "cls"}])


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_files_and_functions_are_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= FILE_LINES
    # an address or a directive for the type checker cannot be wrapped
    wide = [n for n, line in enumerate(lines, 1) if len(line) > WIDTH]
    assert [
        n for n in wide if "https://" not in lines[n - 1] and "pyright:" not in lines[n - 1]
    ] == []
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef):
            place = f"{node.name} at line {node.lineno}"
            most = EXEMPT.get(f"{module_of(path)}.{node.name}", PARAMETERS)
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES, place
            assert decisions(node) <= DECISIONS, place
            assert parameters(node) <= most, place


def test_modules_have_telling_names() -> None:
    assert not {p.stem for p in MODULES} & {
        "manager",
        "helper",
        "helpers",
        "util",
        "utils",
        "common",
        "base",
        "core",
        "engine",
        "misc",
    }
