"""Test what `explain` says of hazards and locks, and that docs/ says the same."""

from __future__ import annotations

from click.testing import CliRunner

from reconciler.cli import main
from reconciler.cli.pages import how_tos
from reconciler.declare.examples import TOPICS
from reconciler.declare.reference import sections
from reconciler.lint.rules import all_rules
from reconciler.model.statement import HazardKind
from reconciler.plan.explained import EXPLAINED, hazards, locks, topics
from reconciler.server.locks import WEAKEST_FIRST
from tests.conftest import ROOT


def explain(*words: str) -> str:
    """Return what the command prints."""
    done = CliRunner().invoke(main, ["explain", *words])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_documents_are_those_of_the_code() -> None:
    """Where this fails, run `reconcile explain hazards > docs/hazards.md`, and so for locks."""
    assert (ROOT / "docs" / "hazards.md").read_text() == hazards() == explain("hazards")
    assert (ROOT / "docs" / "locks.md").read_text() == locks() == explain("locks")


def test_every_hazard_is_explained_by_its_name() -> None:
    assert set(EXPLAINED) == set(HazardKind)
    for kind in HazardKind:
        assert explain(kind.value).startswith(f"# {kind.value}\n\n")


def test_every_lock_mode_has_a_row() -> None:
    for mode in WEAKEST_FIRST:
        assert f"\n| {mode} | " in locks()
    assert "| ACCESS EXCLUSIVE | reads and writes | " in locks()
    assert "| SHARE | writes | " in locks()


def test_pages_are_shown_by_their_names() -> None:
    generated = {*topics(), "lint"}
    pages = [page for page in (ROOT / "docs").glob("*.md") if page.stem not in generated]
    names = {f"{p.stem}-how-to" if p.stem in sections() else p.stem: p for p in pages}
    assert {
        "beside-other-tools",
        "checks-how-to",
        "drift",
        "python",
        "roles-how-to",
    } <= names.keys()
    for name, page in names.items():
        assert explain(name) == page.read_text()
        assert name in explain("topics")


def test_the_reference_of_a_section_names_the_page_on_it() -> None:
    assert explain("checks").startswith("# check\n")
    assert explain("checks").endswith("\nHow to work with them: reconcile explain checks-how-to\n")
    assert "how-to" not in explain("tables")


def test_list_of_topics_is_complete_and_each_can_be_explained() -> None:
    shown = explain("topics")
    listed = {n.strip() for line in shown.splitlines() if line[:1] == " " for n in line.split(",")}
    explained = {*TOPICS, *topics(), "lint", *all_rules()}
    assert listed - {""} == {*explained, *how_tos(explained, sections())}
    assert max(map(len, shown.splitlines())) <= 80
    for topic in ("table", "locks", "lint"):
        assert explain(topic)
