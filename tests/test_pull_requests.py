"""Run the example workflow from the pull request to the database, with GitHub's API replaced."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.api_server import Document, served
from tests.conftest import ROOT, Database
from tests.github_api import BOT, MAX_BODY, REPOSITORY, GitHub
from tests.roles import DEPLOYER, READER, create_roles, url_of
from tests.workflow import Repository, need_tools

SCRIPTS = ROOT / ".github" / "actions" / "scripts"
HEAD, MERGE, LATER = "a" * 40, "b" * 40, "c" * 40
PLAN, APPLY = "reconcile plan plan", "reconcile apply plan"
START = f"CREATE TABLE t (id int, n int); ALTER TABLE t OWNER TO {DEPLOYER};"
INDEX = f"tables:\n  t:\n    owner: {DEPLOYER}\n    indexes:\n      t_id: id\n"
DROP = "tables:\n  t:\n    columns:\n      n: {state: absent}\n"


@pytest.fixture
def repository(database: Database, tmp_path: Path) -> Iterator[Repository]:
    """Return the repository of a database, with comments of others on the pull request."""
    need_tools("bash", "curl", "jq", "unzip", "gzip", "base64")
    create_roles(database)
    database.run(START)
    secrets = {
        "reconcile-plan": {"PLAN_URL": url_of(database, READER)},
        "reconcile-apply": {
            "APPLY_URL": url_of(database, DEPLOYER),
            "VERIFY_URL": url_of(database, DEPLOYER),
        },
    }
    with served(GitHub()) as hub:
        hub.comment("somebody", f"<!-- {PLAN} -->\nnot of the workflow")
        hub.comment(BOT, "coverage: 80 %")
        hub.comment(BOT, f"coverage of `<!-- {PLAN} -->`")
        yield Repository(hub, tmp_path, secrets, {"ROLE": DEPLOYER})


def propose(repository: Repository, declared: str, *, head: str = HEAD, fork: bool = False) -> None:
    """Open a pull request, or push to it."""
    owner = "stranger/shop" if fork else REPOSITORY
    pull = {"number": 7, "head": {"sha": head, "repo": {"full_name": owner}}}
    files = {"desired_state/shop.yml": declared}
    repository.run("pull_request", MERGE, files, {"pull_request": pull})


def merge(repository: Repository, declared: str, head: str = HEAD) -> None:
    """Merge the pull request; the commit belongs to others as well."""
    others = [
        {"number": n, "merged_at": merged, "merge_commit_sha": commit, "head": {"sha": LATER}}
        for n, merged, commit in ((5, None, LATER), (6, "2026-01-01", LATER))
    ]
    ours = {"number": 7, "merged_at": "2026-01-02", "merge_commit_sha": MERGE}
    repository.hub.pulls = [*others, {**ours, "head": {"sha": head}}]
    repository.run("push", MERGE, {"desired_state/shop.yml": declared}, {})


def start_by_hand(repository: Repository, declared: str) -> None:
    """Start the workflow by hand on main."""
    repository.run("workflow_dispatch", MERGE, {"desired_state/shop.yml": declared}, {})


def only_comment(repository: Repository, marker: str) -> str:
    """Return the only comment of the workflow with a marker."""
    (body,) = repository.hub.own_comments(marker)
    return body


def saved_plan(repository: Repository) -> Document:
    """Return the plan that was saved last."""
    last = max(repository.hub.archives)
    with zipfile.ZipFile(BytesIO(repository.hub.archives[last])) as archive:
        return json.loads(archive.read("plan.json"))


def indexes(database: Database) -> list[object]:
    query = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    return [name for (name,) in database.rows(query)]


def test_the_plan_of_the_pull_request_is_applied_after_the_merge(
    repository: Repository, database: Database
) -> None:
    propose(repository, DROP, head=LATER)
    assert "data-loss" in only_comment(repository, PLAN)
    propose(repository, INDEX)
    assert repository.jobs == {"plan": "success", "plan-of-fork": "skipped", "apply": "skipped"}
    comment = only_comment(repository, PLAN)
    assert "public.t_id" in comment and "data-loss" not in comment
    assert f"Commit {HEAD}; [log](https://github.example/owner/shop/actions/runs/1)" in comment
    assert "[the whole plan](https://github.example/artifacts/2)" in comment
    assert [c["body"] for c in repository.hub.comments[:3]] == [
        f"<!-- {PLAN} -->\nnot of the workflow",
        "coverage: 80 %",
        f"coverage of `<!-- {PLAN} -->`",
    ]
    assert repository.installed == [f"install --quiet {ROOT}[embedded]"]
    assert comment.split("\n")[1] in repository.summary
    analysis = repository.hub.analyses[-1]
    assert (analysis["commit_sha"], analysis["ref"]) == (MERGE, "refs/pull/7/merge")
    assert analysis["sarif"]["runs"][0]["tool"]["driver"]["name"] == "reconcile"
    assert indexes(database) == []

    merge(repository, INDEX)
    assert repository.jobs == {"plan": "skipped", "plan-of-fork": "skipped", "apply": "success"}
    assert indexes(database) == ["t_id"]
    assert "## reconcile: applied" in only_comment(repository, APPLY)
    assert "structure is as declared" in repository.log


def test_a_hazard_stands_at_its_line_and_is_not_applied(
    repository: Repository, database: Database
) -> None:
    propose(repository, DROP)
    assert repository.jobs["plan"] == "success"
    at = "file=desired_state/shop.yml,line=4,col=7,title=data-loss"
    assert f"::warning {at}::column public.t.n: " in repository.log
    merge(repository, DROP)
    assert repository.jobs["apply"] == "failure"
    comment = only_comment(repository, APPLY)
    assert "## reconcile: not applied\n\n    error: data-loss: " in comment
    assert database.value("SELECT count(*) FROM pg_attribute WHERE attname = 'n'") == 1


def test_a_reviewed_line_lets_a_hazard_through_once(
    repository: Repository, database: Database
) -> None:
    propose(repository, DROP)
    (permission,) = saved_plan(repository)["permissions"]
    reason = "nobody reads it, ticket 7"
    reviewed = permission["line"].replace('reason: ""', f'reason: "{reason}"')
    repository.beside = {"approvals.yml": f"{reviewed}\n"}
    propose(repository, DROP)
    (permission,) = saved_plan(repository)["permissions"]
    assert permission["given_by"] == f"approvals.yml:1: {reason}"
    merge(repository, DROP)
    assert repository.jobs["apply"] == "success", repository.log
    assert database.value("SELECT count(*) FROM pg_attribute WHERE attname = 'n'") == 0

    database.run("ALTER TABLE t ADD COLUMN n int")
    propose(repository, DROP)
    merge(repository, DROP)
    assert repository.jobs["apply"] == "failure", "the line was used"
    assert database.value("SELECT count(*) FROM pg_attribute WHERE attname = 'n'") == 1


def test_an_error_takes_the_place_of_the_plan(repository: Repository, database: Database) -> None:
    propose(repository, INDEX)
    mistaken = INDEX.replace("t_id: id", "t_id: ids")
    propose(repository, mistaken)
    assert repository.jobs["plan"] == "failure"
    assert "::error file=desired_state/shop.yml,line=5,col=13," in repository.log
    comment = only_comment(repository, PLAN)
    assert "## reconcile: an error" in comment and "desired_state/shop.yml:5:13" in comment
    merge(repository, mistaken)
    assert repository.jobs["apply"] == "failure"
    assert f"The last planning for commit {HEAD} has failed." in only_comment(repository, APPLY)
    assert indexes(database) == []


def test_a_failure_without_a_document_is_commented_too(repository: Repository) -> None:
    repository.secrets = {"reconcile-plan": {}}
    propose(repository, INDEX)
    assert repository.jobs["plan"] == "failure"
    assert "error: no database: set database-url" in repository.log
    assert "## reconcile: the job failed" in only_comment(repository, PLAN)


def test_nothing_to_do_is_said_and_applied(repository: Repository, database: Database) -> None:
    database.run("CREATE INDEX t_id ON t (id)")
    propose(repository, INDEX)
    assert "nothing to do" in only_comment(repository, PLAN)
    merge(repository, INDEX)
    assert repository.jobs["apply"] == "success"
    assert "## reconcile: applied" in only_comment(repository, APPLY)


def test_a_target_that_moved_is_planned_again_by_hand(
    repository: Repository, database: Database
) -> None:
    declared = INDEX + "      t_n: n\n"
    propose(repository, declared)
    database.run("CREATE INDEX t_n ON t (n)")
    merge(repository, declared)
    assert repository.jobs["apply"] == "failure"
    comment = only_comment(repository, APPLY)
    assert "## reconcile: not applied" in comment
    assert "the target has moved since the plan was made: index public.t_n" in comment
    assert indexes(database) == ["t_n"]
    start_by_hand(repository, declared)
    assert repository.jobs == {"plan": "success", "plan-of-fork": "skipped", "apply": "success"}
    assert indexes(database) == ["t_id", "t_n"]


def test_other_files_than_the_reviewed_ones_are_not_applied(
    repository: Repository, database: Database
) -> None:
    propose(repository, INDEX)
    merge(repository, INDEX + "      t_n: n\n")
    assert repository.jobs["apply"] == "failure"
    comment = only_comment(repository, APPLY)
    assert "the saved plan is not the plan that would be made now" in comment
    assert "of the plan, start the workflow by hand on this branch.\n" in comment
    assert indexes(database) == []


def test_after_merges_in_quick_succession_the_last_run_is_refused_until_it_is_started_by_hand(
    repository: Repository, database: Database
) -> None:
    """GitHub has cancelled the run of the first merge, while it waited behind another."""
    second = INDEX + "      t_n: n\n"
    propose(repository, INDEX)
    propose(repository, INDEX.replace("t_id: id", "t_n: n"), head=LATER)
    merge(repository, second, LATER)
    assert repository.jobs["apply"] == "failure"
    assert "by hand on this branch" in only_comment(repository, APPLY)
    assert indexes(database) == []
    start_by_hand(repository, second)
    assert indexes(database) == ["t_id", "t_n"]


def test_a_fork_is_planned_without_secrets(repository: Repository, database: Database) -> None:
    propose(repository, "tables: {t: {indexes: {t_id: id}}}", fork=True)
    assert repository.jobs["plan-of-fork"] == "failure", "an empty database has no table t"
    declared = "tables: {visits: {columns: {at: timestamptz}}}"
    propose(repository, declared, fork=True)
    assert repository.jobs == {"plan": "skipped", "plan-of-fork": "success", "apply": "skipped"}
    assert "public.visits" in repository.summary
    assert not [r for r in repository.hub.requests if not r.startswith("GET")]

    merge(repository, declared)
    assert repository.jobs["apply"] == "failure"
    assert "it came from a fork" in only_comment(repository, APPLY)
    assert database.value("SELECT to_regclass('visits')") is None
    start_by_hand(repository, declared)
    assert repository.jobs["apply"] == "success"
    assert database.value("SELECT tableowner FROM pg_tables WHERE tablename = 'visits'") == DEPLOYER


def test_a_commit_that_merges_nothing_is_not_applied(
    repository: Repository, database: Database
) -> None:
    propose(repository, INDEX)
    repository.run("push", MERGE, {"desired_state/shop.yml": INDEX}, {})
    assert repository.jobs["apply"] == "failure"
    assert f"Commit {MERGE} merges no pull request" in repository.summary
    assert indexes(database) == []


def test_without_code_scanning_the_job_goes_on(repository: Repository) -> None:
    repository.hub.has_code_scanning = False
    propose(repository, INDEX)
    assert repository.jobs["plan"] == "success"
    assert "::warning title=code scanning::" in repository.log
    assert "Code scanning is not enabled for this repository." in repository.log


def comment_on(
    hub: GitHub, file: Path, token: str, marker: str = PLAN
) -> subprocess.CompletedProcess[str]:
    """Run comment.sh as the actions do."""
    environment = {
        "PATH": os.environ["PATH"],
        "GITHUB_API_URL": hub.url,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": "1",
        "GITHUB_SHA": HEAD,
        "GITHUB_TOKEN": token,
        "RECONCILE_AUTHOR": BOT,
        "RECONCILE_MORE": "https://github.example/artifacts/1",
    }
    return subprocess.run(
        ["bash", SCRIPTS / "comment.sh", "7", marker, file],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("length", [0, 10, 65_000, 65_300, 65_500, 200_000])
def test_a_comment_keeps_below_the_limit(tmp_path: Path, length: int) -> None:
    need_tools("bash", "curl", "jq")
    file = tmp_path / "plan.md"
    line = 'ä€😀 | \\ " ` $(touch pwned)\n'
    file.write_text((line * (length // len(line) + 1))[:length])
    with served(GitHub(tokens={"token": {"pull-requests": "write"}})) as hub:
        for _ in range(2):
            done = comment_on(hub, file, "token")
            assert done.returncode == 0, done.stderr
        body = only_comment(Repository(hub, tmp_path, {}, {}), PLAN)
    assert len(body) < MAX_BODY
    assert body.endswith("[the whole plan](https://github.example/artifacts/1)")
    assert ("does not fit into a comment" in body) == (length > 65_300)
    if 0 < length <= 65_300:
        assert file.read_text() in body


def test_an_api_that_refuses_fails_the_step(tmp_path: Path) -> None:
    need_tools("bash", "curl", "jq")
    (tmp_path / "plan.md").write_text("plan\n")
    with served(GitHub(tokens={"token": {"pull-requests": "read"}})) as hub:
        for token, told in (("token", "403"), ("another", "401")):
            done = comment_on(hub, tmp_path / "plan.md", token)
            assert done.returncode != 0
            assert told in done.stderr


def test_a_copy_of_the_actions_is_told_what_to_install(tmp_path: Path) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "copy" / "actions" / "scripts")
    environment = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_PATH": str(tmp_path / "path"),
        "PYTHON": "false",
    }
    done = subprocess.run(
        ["bash", tmp_path / "copy" / "actions" / "scripts" / "install.sh"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "name what to install by the input `install`" in done.stdout
    assert not (tmp_path / "path").exists()


def test_plans_of_several_databases_have_a_comment_each(tmp_path: Path) -> None:
    need_tools("bash", "curl", "jq")
    (tmp_path / "plan.md").write_text("plan\n")
    with served(GitHub(tokens={"token": {"pull-requests": "write"}})) as hub:
        for name in ("reconcile plan eu", "reconcile plan eu-2", "reconcile plan eu"):
            assert comment_on(hub, tmp_path / "plan.md", "token", name).returncode == 0
        assert [c["body"].split("\n")[0] for c in hub.comments] == [
            "<!-- reconcile plan eu -->",
            "<!-- reconcile plan eu-2 -->",
        ]


def test_the_artifact_holds_the_plan_for_apply_and_for_people(repository: Repository) -> None:
    propose(repository, INDEX)
    with zipfile.ZipFile(BytesIO(repository.hub.archives[1])) as archive:
        assert {*archive.namelist()} == {"plan.json", "plan.txt", "plan.md", "messages.txt"}
    assert saved_plan(repository)["steps"][0]["sql"].startswith("CREATE INDEX CONCURRENTLY")
