"""Test the pages in HTML and Markdown: nothing from outside becomes markup, all says its source."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import util
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.errors import SettingsError
from reconciler.escape import Document
from reconciler.evidence.model import Evidence, Sourced
from reconciler.plan.plan import Plan, PlanFinding
from reconciler.report import html, markdown
from reconciler.report.drawing import NO_LOCK, draw_graph, draw_order, draw_times
from reconciler.report.procedure import procedure, watch_list
from reconciler.report.units import Unit, units_of
from tests.evidence import START, application, evidence, plan, step
from tests.test_escape import hidden
from tests.test_report import NOTHING

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><a href='javascript:alert(1)'>x</a>",
    "</style></title></textarea><svg onload=alert(1)>",
    "--><!--><!DOCTYPE html>",
    "</code></pre></td></table><iframe srcdoc=x>",
    "]]><![CDATA[",
    "{{ 7 * 7 }}{% raw %}{# #}",
    "&lt;b&gt;&#60;i&#62;&amp",
    "a\u202eb\u2066c\x00\x1b[2A\x07\ufeff\u200b",
    "::error::x\n##[group]y\n```\n</details>",
    "| a | b | `` ` \\| | @somebody #1 [x](https://example.org)",
    "%s%(x)s${x}$(touch x)`touch x`; touch x",
)
PIECES = st.sampled_from([*HOSTILE, *"<>&\"'=/`|\\ \n\t"]) | st.text()
TEXTS = st.lists(PIECES, min_size=1, max_size=6).map("".join).filter(bool)
PAGES = (html.report, html.runbook)


class _Structure(HTMLParser):
    """The elements of a page with their attributes, but for texts that are seen or heard."""

    spoken = ("aria-label",)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [(n, "" if n in self.spoken else v) for n, v in attrs]))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}")

    def unknown_decl(self, data: str) -> None:
        self.found.append(f"<![{data}")


def structure(page: str) -> list[object]:
    parser = _Structure()
    parser.feed(page)
    parser.close()
    return parser.found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
@example("".join(HOSTILE))
def test_no_text_becomes_an_element_or_an_attribute(text: str) -> None:
    harmless = re.sub(r"[^\n]", "x", text)
    for render in PAGES:
        page = render(evidence(text))
        assert structure(page) == structure(render(evidence(harmless)))
        assert hidden(page) == []


def test_the_test_of_structure_sees_markup() -> None:
    page = html.report(evidence("x"))
    assert structure(page.replace("</h1>", "<b></b></h1>")) != structure(page)
    assert structure(page.replace("<h1>", "<h1 onclick=x>")) != structure(page)


def outside_code(shown: str) -> str:
    """Return what GitHub interprets: what stands in no block and no span of code."""
    fence, interpreted = "", list[str]()
    for line in shown.split("\n"):
        if fence:
            fence = "" if line.strip() == fence else fence
        elif match := re.match(" *(`{3,})", line):
            fence = match[1]
        else:
            cells = re.sub(r"\\[!-/:-@\[-`{-~]", "", line) if line.startswith("|") else line
            interpreted.append(re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", cells))
    assert not fence
    return "\n".join(interpreted)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
@example("".join(HOSTILE))
def test_markdown_shows_texts_as_code_only(text: str) -> None:
    for render in (markdown.report, markdown.runbook):
        shown = render(evidence(f"{text}<b>@x"))
        assert hidden(shown) == []
        assert not re.search("<b>|@x", outside_code(shown))


@pytest.mark.parametrize("text", ["$(touch x)", "`touch x`", "a b'c\"d", "--yes", "; touch x"])
def test_commands_hold_names_as_words(text: str) -> None:
    for section in procedure(evidence(text)):
        for item in section.items:
            if item.command:
                words = shlex.split(item.command)
                assert words[0] == "reconcile"
                assert text in words[2:]
                lexer = shlex.shlex(item.command, posix=True, punctuation_chars=True)
                lexer.whitespace_split = True
                assert not {";", "&", "|", "(", ")"} & {*lexer}


def test_nothing_from_a_database_stands_in_a_query() -> None:
    assert [w.command for w in watch_list(plan("a"))] == [w.command for w in watch_list(plan("b"))]


# -- what is shown --------------------------------------------------------------------------------


def _text(page: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", page).split())


def _in_markdown(plan: Plan) -> Document:
    return markdown.report(Evidence(Sourced(plan, "x")))


@pytest.mark.parametrize("render", [html.plan, _in_markdown])
def test_a_plan_alone_has_no_measurement(render: Callable[[Plan], Document]) -> None:
    shown = render(plan("t"))
    for command in ("lint", "bench", "verify"):
        assert re.search(f"not measured(</strong>|\\*\\*).{{0,20}}reconcile {command}", shown)
    assert "no run of this plan was found in the journal" in shown
    assert not re.search(r"\d ms|\d+ of \d+ passed", _text(shown))


def test_what_the_plan_found_stands_among_the_problems() -> None:
    finding = PlanFinding(rule="r", severity="error", object="o", message="is bad", fix="DROP o")
    found = plan("t").model_copy(update={"findings": (finding,)})
    for shown in (html.plan(found), _in_markdown(found)):
        assert "is bad" in shown and "DROP o" in shown
        assert "reconcile lint</code> measures" not in shown


def test_an_empty_plan_is_a_page() -> None:
    for shown in (html.plan(NOTHING), html.runbook(Evidence(Sourced(NOTHING, "x")))):
        assert "nothing to do" in shown.lower()
        assert "There are no steps." in shown


def test_every_measurement_names_its_source() -> None:
    whole = evidence("t")
    parts = (whole.plan, whole.run, whole.benchmark, whole.verification, whole.lint)
    named = Evidence(*(Sourced(p.content, f"source {n}") for n, p in enumerate(parts) if p))  # pyright: ignore
    for shown in (_text(html.report(named)), markdown.report(named)):
        for n in range(5):
            assert f"source {n}" in shown


def test_the_page_allows_its_own_style_alone() -> None:
    page = html.report(evidence("t"))
    assert "default-src 'none'; style-src 'sha256-" in page
    assert " style=" not in page
    assert not re.search(r"(src|href)=\"(?!#)|url\(|@import|<script|<link", page)


def test_the_checklist_ticks_itself() -> None:
    made = plan("t")
    without = markdown.runbook(Evidence(Sourced(made, "x")))
    assert "- [x]" not in without
    run = application("t", made)
    done = run.run.model_copy(update={"status": "done", "done": 3})
    ran = Sourced(type(run)(type(run.detail)(done, made, (), ())), "y")
    shown = markdown.runbook(Evidence(Sourced(made, "x"), ran))
    assert "- [x] Apply the 3 steps. Ticked by `run 7: done, 3 of 3 steps in 3.00 s`." in shown
    assert "- [ ] Roll back." in shown
    assert "- [ ] Compare the structure" in shown  # nobody has verified
    failed = markdown.runbook(evidence("t"))
    assert "- [ ] **failed**: Apply the 3 steps. Ticked by `run 7: failed, 1 of 3 steps" in failed
    assert "- [x] Roll back. Ticked by `run 8: done`." in failed


def test_a_verification_from_before_the_run_ticks_nothing() -> None:
    whole = evidence("t")
    assert whole.verification is not None
    assert whole.verified_after is whole.verification
    early = Sourced(whole.verification.content, "x", START)
    assert Evidence(whole.plan, whole.run, verification=early).verified_after is None


def test_html_needs_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        return None if name == "jinja2" else pytest.fail(name)

    monkeypatch.setattr(html, "find_spec", absent)
    assert util.find_spec is not absent
    with pytest.raises(SettingsError, match=r"pip install 'pg-reconciler\[report\]'"):
        html.plan(plan("t"))


# -- drawings -------------------------------------------------------------------------------------


def _units(needs: dict[int, tuple[int, ...]], lock: str = "ACCESS EXCLUSIVE") -> list[Unit]:
    made = plan("t")
    steps = tuple(
        step(
            n,
            f"public.t{n % 3}",
            depends_on=tuple(f"{d:02}" for d in found),
            lock=lock,
            locks=(),
        )
        for n, found in needs.items()
    )
    return units_of(made.model_copy(update={"steps": steps}))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 40), max_size=4), min_size=2, max_size=40).map(
        lambda lists: {
            n: tuple({d for d in found if d < n}) for n, found in enumerate(lists, start=1)
        }
    )
)
def test_the_graph_leads_from_left_to_right(needs: dict[int, tuple[int, ...]]) -> None:
    units = _units(needs)
    graph = draw_graph(units)
    assert graph is not None
    at = {node.unit.number: node for node in graph.nodes}
    assert at.keys() == {unit.number for unit in units}
    for unit in units:
        for need in unit.needs:
            assert at[need].x + at[need].width < at[unit.number].x
    boxes = {(node.x, node.y) for node in graph.nodes}
    assert len(boxes) == len(units)
    for node in graph.nodes:
        band = next(b for b in graph.bands if b.label == (next(iter(node.unit.locks)) or NO_LOCK))
        assert band.y <= node.y <= node.y + node.height <= band.y + band.height
        assert 0 <= node.x <= node.x + node.width <= graph.width
    assert len(graph.edges) <= sum(len(unit.needs) for unit in units)


def test_an_edge_that_follows_from_others_is_not_drawn() -> None:
    graph = draw_graph(_units({1: (), 2: (1,), 3: (1, 2)}))
    assert graph is not None
    assert len(graph.edges) == 2


def test_locks_are_drawn_in_order_and_in_time() -> None:
    made = plan("t")
    units = units_of(made, application("t", made))
    order, times = draw_order(units), draw_times(units)
    assert order is not None and times is not None
    assert [bar.level for bar in order.bars] == ["all", "writes", "all"]
    first, second = times.bars  # the third step is not recorded
    assert first.width == pytest.approx(second.width)
    assert second.x - first.x == pytest.approx(2 * first.width, abs=0.1)
    assert [label for _, label in times.ticks][:3] == ["0 s", "0.2 s", "0.4 s"]
    for drawing in (order, times):
        assert all(bar.x >= 0 and bar.x + bar.width <= drawing.width for bar in drawing.bars)


def test_steps_that_need_later_ones_or_none_at_all_are_drawn() -> None:
    made = plan("t")
    steps = tuple(s.model_copy(update={"depends_on": ("03", "01", "nowhere")}) for s in made.steps)
    page = html.plan(made.model_copy(update={"steps": steps}))
    assert page.count('class="tip"') == 2  # to the second and the third from the first


def test_too_much_to_draw_is_said() -> None:
    units = _units(dict.fromkeys(range(1, 300), ()))
    assert draw_graph(units) is None
    assert draw_order(units) is None
    steps = tuple(s for unit in units for s in unit.steps)
    page: Document = html.plan(plan("t").model_copy(update={"steps": steps}))
    assert "299 commits are too many to draw" in page
    assert not (Path(html.TEMPLATES) / "missing").exists()
