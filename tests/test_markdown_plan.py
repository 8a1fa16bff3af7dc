"""Test a plan in Markdown: the verdict first, the changes by table, and nothing that is obeyed."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.diff.diff import Difference
from reconciler.model.ref import Ref
from reconciler.model.statement import Hazard, HazardKind
from reconciler.plan.permission import permissions_needed
from reconciler.plan.plan import Answer, Plan, Planned
from reconciler.plan.step import Step
from reconciler.report import markdown
from reconciler.report.mermaid import MAX_STEPS, graph_lines
from tests.test_escape import outside_code

TABLE = Ref("table", "public", "t")
COLUMN = Ref("column", "public", "a", TABLE)
INDEX = Ref("index", "public", "i", TABLE)
VIEW = Ref("view", "public", "v")
LOSS = Hazard(hazard=HazardKind.DATA_LOSS, reason="its values go")


def _step(number: int, ref: Ref, *needed: str, hazard: Hazard | None = None) -> Step:
    return Step(
        id=str(number),
        action="alter",
        kind=ref.kind,
        identity=ref.identity,
        sql=f"ALTER {number}",
        transactional=True,
        transaction=f"t{number // 3}",
        lock="ACCESS EXCLUSIVE",
        relation="public.t",
        hazards=(hazard,) if hazard else (),
        depends_on=needed,
    )


BODY = "BEGIN\n" + "".join(f"  line {n};\n" for n in range(30)) + "END"
PLAN = Plan(
    target="here",
    in_sync=False,
    unchanged=3,
    scratch="scratch",
    touches=(VIEW, INDEX, TABLE, COLUMN),
    changes=(
        Planned(
            action="alter",
            kind="view",
            identity="public.v",
            differences=(
                Difference(field="query", live=BODY, wanted=BODY.replace("line 9", "line nine")),
            ),
        ),
        Planned(
            action="create",
            kind="index",
            identity="public.i",
            after={"on": ["a"], "unique": True, "method": "btree", "where": None, "comment": ""},
        ),
        Planned(
            action="alter",
            kind="column",
            identity="public.t.a",
            differences=(Difference(field="type", live="text", wanted="integer"),),
        ),
        Planned(action="drop", kind="table", identity="public.t"),
    ),
    steps=(_step(1, COLUMN, hazard=LOSS), _step(2, INDEX, "1"), _step(3, VIEW)),
    notes=("mind this",),
)


def _lines(plan: Plan) -> list[str]:
    return markdown.plan(plan).split("\n")


def test_the_verdict_comes_first_then_the_hazards_with_the_lines_to_add() -> None:
    shown = markdown.plan(PLAN)
    (needed,) = permissions_needed(PLAN)
    assert shown.split("\n")[2] == (
        "**`apply` refuses this plan as it stands:** 1 hazard to be let through."
    )
    order = ["## reconcile", "refuses", "[!CAUTION]", needed.line, "mind this", "### ", "<details>"]
    assert sorted(order, key=shown.index) == order
    allowed = needed.model_copy(update={"given_by": "approvals.yml:1: gone", "line": ""})
    runs = markdown.plan(PLAN.model_copy(update={"permissions": (allowed,)}))
    assert "**`apply` runs this plan as it stands:** 1 hazard, let through." in runs
    assert "let through by `approvals.yml:1: gone`" in runs
    assert "--allow" not in runs
    answer = Answer(step="2", message="2 rows are twice there", refuses=True)
    refused = markdown.plan(PLAN.model_copy(update={"answers": (answer,)}))
    assert "1 hazard to be let through and rows in the way of 1 step." in refused


def test_changes_stand_below_their_table_in_coloured_diffs() -> None:
    lines = _lines(PLAN)
    headings = [line for line in lines if line.startswith("### ")]
    assert headings == [
        "### `public.t`: 1 to create, 1 to alter, 1 to drop",
        "### Beside tables: 1 to alter",
    ]
    of_table = lines[lines.index(headings[0]) : lines.index(headings[1])]
    assert of_table[2] == "- dropped: table `public.t`"
    diff = of_table[of_table.index("```diff") + 1 : -2]
    assert diff == [
        "- table public.t",
        "+ index public.i",
        '+   on: ["a"]',
        "+   unique: true",
        "@@ column public.t.a @@",
        "- type: text",
        "+ type: integer",
    ]
    of_view = lines[lines.index(headings[1]) :]
    assert "-     line 9;" in of_view
    assert "+     line nine;" in of_view
    assert "      line 20;" not in of_view  # far from the difference


def test_long_diffs_are_folded() -> None:
    created = Planned(action="create", kind="function", identity="f()", after={"body": BODY * 2})
    shown = markdown.plan(PLAN.model_copy(update={"changes": (created,)}))
    assert re.search(
        r"<details><summary>Diff of \d+ lines</summary>\n\n```diff\n\+ function", shown
    )


def test_the_steps_are_drawn_with_transactions_dependencies_and_hazards() -> None:
    graph = graph_lines(PLAN)
    assert graph[0] == "flowchart TB"
    assert '    s1["1: alter column public.t.a<br/>ACCESS EXCLUSIVE"]' in graph
    assert [line.strip() for line in graph if "~~~" in line or "-->" in line] == [
        "t1 ~~~ s3",
        "s1 --> s2",
    ]
    assert graph[-1] == "  class s1 hazard"
    many = tuple(_step(n, COLUMN) for n in range(MAX_STEPS + 1))
    assert graph_lines(PLAN.model_copy(update={"steps": many})) == []
    assert graph_lines(PLAN.model_copy(update={"steps": many[:1]})) == []


@pytest.mark.parametrize("length", [10, 4000, 40_000])
def test_comments_are_cut_at_whole_blocks_and_the_hazards_stay(length: int) -> None:
    changes = tuple(
        c.model_copy(update={"identity": f"{c.identity}{n}"})
        for n in range(length // 10)
        for c in PLAN.changes
    )
    steps = tuple(_step(n, COLUMN, hazard=LOSS) for n in range(length // 10))
    shown = markdown.plan(PLAN.model_copy(update={"changes": changes, "steps": steps}))
    assert len(shown) < 65_536
    assert "[!CAUTION]" in shown
    interpreted = outside_code(shown)  # every fence is closed
    assert interpreted.count("<details>") == interpreted.count("</details>")


HOSTILE = st.text(
    alphabet=st.sampled_from("ab`\"'<>[](){}|#@;:%&*_-~=!\\/\n\r\t\x1b\u202e 1.é")
    | st.characters(),
    max_size=60,
) | st.sampled_from(
    [
        'x"] --> y["<img src=x onerror=alert(1)>"]; click s1 "javascript:alert(1)"',
        "%%{init: {'securityLevel': 'loose'}}%%",
        "```\n</details>\n# @somebody",
        "> [!NOTE]\n<!-- ",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HOSTILE)
def test_names_and_bodies_are_code_only_and_obeyed_nowhere(text: str) -> None:
    ref = Ref("column", "public", text, Ref("table", "public", text))
    change = Planned(
        action="alter",
        kind="column",
        identity=ref.identity,
        differences=(Difference(field="default", live=text, wanted=f"{text}\nx"),),
    )
    new = Planned(action="create", kind="column", identity=f"x{text}", after={"type": text})
    danger = Hazard(hazard=HazardKind.DATA_LOSS, reason=f"r{text}")
    steps = (_step(1, ref, hazard=danger), _step(2, ref, "1"))
    plan = PLAN.model_copy(
        update={"changes": (change, new), "steps": steps, "touches": (ref,), "notes": (text,)}
    )
    shown = markdown.plan(plan)
    interpreted = outside_code(shown)
    assert not re.search("somebody|img|onerror|javascript|<!--|securityLevel", interpreted)
    assert interpreted.count("<details>") == interpreted.count("</details>") == 1
    graph = shown.split("```mermaid\n")[1].split("\n```")[0]
    for line in graph.split("\n"):
        assert re.fullmatch(
            r'flowchart TB|  subgraph t1\["one transaction"\]|    direction LR|  end'
            r'|  +s\d\["\d: [\w .,()/·-]*<br/>ACCESS EXCLUSIVE"\]|  s1 --> s2'
            r"|  classDef hazard [#\w:,]+|  class s1 hazard",
            line,
        ), line
