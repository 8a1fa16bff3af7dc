"""Run the collection for Ansible by ansible-playbook: `pytest -m heavy tests/test_ansible.py`.

Needs ansible-core, in the same virtual environment or on PATH. The modules run with an interpreter
that cannot import reconciler.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import ROOT, Database

COLLECTION = ROOT / "examples" / "ansible"
BIN = Path(sys.executable).parent
PATH = os.pathsep.join((str(BIN), os.environ.get("PATH", "")))
PLAYBOOK = shutil.which("ansible-playbook", path=PATH)
INTERPRETER = str(getattr(sys, "_base_executable", sys.executable))
STATE = "tables: {t: {columns: {a: int, b: text}, indexes: {i: {on: [a]}}}}\n"
DROPPED = "tables: {t: {columns: {b: {state: absent}}}}\n"
Done = subprocess.CompletedProcess[str]

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(PLAYBOOK is None, reason="needs Ansible: pip install ansible-core"),
]


def secret_url(database: Database, **changes: str) -> tuple[str, str]:
    """Return a URL of the database with its password, and the password."""
    given = conninfo_to_dict(database.url)
    lines = Path(str(given["passfile"])).read_text().splitlines()
    parts = {**given, "password": lines[0].rsplit(":", 1)[1], **changes}
    user, password, host = (quote(str(parts[n]), safe="") for n in ("user", "password", "host"))
    return f"postgresql://{user}:{password}@/{parts['dbname']}?host={host}", str(parts["password"])


@dataclass
class Controller:
    """A folder with the installed collection, a declaration and the secrets of the plays."""

    root: Path
    secrets: list[str] = field(default_factory=list[str])

    @property
    def temporary(self) -> Path:
        """The folder of temporary files, which holds the role's copy of a declaration."""
        folder = self.root / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def command(self, program: str, *arguments: str | Path, **more: str) -> Done:
        """Run a program of Ansible, and look for secrets and escape codes in its output."""
        kept = {n: os.environ[n] for n in ("RECONCILE_HOME",) if n in os.environ}
        environment = {
            **kept,
            "PATH": PATH,
            "HOME": str(self.root),
            "TMPDIR": str(self.temporary),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(self.root / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            **more,
        }
        done = subprocess.run(
            [program, *arguments],
            cwd=self.root,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
            timeout=900,
        )
        for secret in self.secrets:
            assert secret not in done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        return done

    def declare(self, text: str, name: str = "desired_state/t.yml") -> None:
        """Write a file of the declaration."""
        file = self.root / "app" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def play(self, *flags: str, **options: Any) -> tuple[dict[str, Any], str]:
        """Run the module with options; return its result and the output of ansible-playbook."""
        given = {"executable": str(BIN / "reconcile"), "chdir": str(self.root / "app"), **options}
        keep = {"content": "{{ result | to_json }}", "dest": str(self.root / "result.json")}
        tasks = [
            {
                "reconcile.postgresql.reconcile": given,
                "register": "result",
                "ignore_errors": True,
            },
            {
                "ansible.builtin.copy": keep,
                "check_mode": False,
                "diff": False,
                "changed_when": False,
            },
        ]
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": INTERPRETER},
            "tasks": tasks,
        }
        (self.root / "play.yml").write_text(json.dumps([play]))
        done = self.command("ansible-playbook", "play.yml", "-vvv", "--diff", *flags)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((self.root / "result.json").read_text()), done.stdout


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the collection and install it; return the folder of collections."""
    root = tmp_path_factory.mktemp("ansible")
    controller = Controller(root)
    for arguments in (
        ("build", COLLECTION),
        ("install", "--offline", "reconcile-postgresql-0.1.0.tar.gz", "-p", "collections"),
    ):
        done = controller.command("ansible-galaxy", "collection", *arguments)
        assert done.returncode == 0, done.stderr
    return root / "collections"


@pytest.fixture
def controller(tmp_path: Path, collections: Path) -> Controller:
    """Return a controller with a declaration."""
    (tmp_path / "collections").symlink_to(collections)
    made = Controller(tmp_path)
    made.declare(STATE)
    return made


def recap(output: str) -> dict[str, str]:
    """Return what Ansible's recap says of each host, of ok, changed and failed."""
    lines = output.split("PLAY RECAP")[1]
    found = re.findall(r"^(\w+) +: (ok=\d+ +changed=\d+) .*?(failed=\d+)", lines, re.MULTILINE)
    return {host: f"{' '.join(done.split())} {failed}" for host, done, failed in found}


def test_a_check_changes_nothing_a_run_all_and_the_next_run_nothing(
    controller: Controller, database: Database
) -> None:
    database.run("CREATE TABLE t (a int)")
    before = database.dump()
    url, password = secret_url(database)
    controller.secrets = [url, password]

    result, output = controller.play("--check", url=url)
    assert recap(output) == {"localhost": "ok=2 changed=1 failed=0"}
    assert (result["changed"], result["plan"]["in_sync"]) == (True, False)
    assert [step["sql"].split()[0] for step in result["plan"]["steps"]] == ["ALTER", "CREATE"]
    assert [d["before_header"] for d in result["diff"]] == [
        "column public.t.b (absent)",
        "index public.i (absent)",
    ]
    assert "+++ after: column public.t.b\n" in output
    assert "\n+type: text\n" in output
    assert "recap" not in result
    assert database.dump() == before

    result, output = controller.play(url=url)
    assert recap(output) == {"localhost": "ok=2 changed=1 failed=0"}
    assert result["recap"] == "ok=2 changed=2 failed=0 skipped=0"
    assert database.dump() != before

    result, output = controller.play(url=url)
    assert recap(output) == {"localhost": "ok=2 changed=0 failed=0"}
    assert (result["diff"], result["plan"]["in_sync"]) == ([], True)


def test_a_hazard_that_nothing_lets_through_fails_with_its_reason(
    controller: Controller, database: Database
) -> None:
    database.run('CREATE TABLE t (a int, b text); CREATE TABLE "\x1b[31m" ()')
    before = database.dump()
    controller.declare(DROPPED)
    url, password = secret_url(database)
    controller.secrets = [url, password]
    for flags in (["--check"], []):
        result, output = controller.play(*flags, url=url)
        assert (result["failed"], result["changed"]) == (True, False)
        assert re.match(r"data-loss: .*public\.t", result["msg"])
        assert "\n  - {hazard: data-loss, object: " in result["msg"]
        assert json.dumps(result["msg"])[1:40] in output
        assert database.dump() == before
    (permission,) = result["plan"]["permissions"]
    line = permission["line"].replace('reason: ""', "reason: no longer read")
    controller.declare(line + "\n", "approvals.yml")
    result, _ = controller.play("--check", url=url)
    assert result["changed"]
    result, _ = controller.play(url=url, prune=True, allow=["data-loss"], schemas=["public"])
    assert result["recap"] == "ok=1 changed=3 failed=0 skipped=0"
    assert database.value("SELECT count(*) FROM pg_class WHERE relname ~ '31m'") == 0


def test_a_declared_check_that_does_not_pass_fails_the_task(
    controller: Controller, database: Database
) -> None:
    database.run("CREATE TABLE t (a int, b text)")
    check = "{query: SELECT count(*) FROM t, equals: 5, apply: after}"
    controller.declare(f"{STATE}checks: {{has five: {check}}}\n")
    result, _ = controller.play(url=database.url)
    assert (result["failed"], result["changed"]) == (True, True)
    assert re.match(r"FAILED +has five .*\n.*gave 0, 5 was expected", result["msg"])


def test_a_connection_string_is_never_shown(controller: Controller, database: Database) -> None:
    url, password = secret_url(database, password="s3cret/word", dbname="nowhere")
    controller.secrets = [url, password, quote(password, safe="")]
    result, _ = controller.play(url=url)
    assert result["failed"]
    result, _ = controller.play(target=url)
    assert "give a connection string as url" in result["msg"]
    result, _ = controller.play(url="")
    assert result["msg"] == "url is empty: leave it out, or give a value"
    keywords = database.url + " password='s3cret/word' port=1"
    controller.secrets = [keywords, password]
    assert controller.play(url=keywords)[0]["failed"]


def test_a_missing_folder_is_never_another_one(controller: Controller, database: Database) -> None:
    database.run("CREATE TABLE t (a int)")
    before = database.dump()
    missing = str(controller.root / "missing")
    controller.declare(STATE, "../desired_state/t.yml")  # in the folder in which Ansible runs
    result, _ = controller.play(url=database.url, chdir=missing)
    assert result["failed"]
    assert result["msg"] == f"chdir: no such folder: {missing}"
    assert database.dump() == before


@pytest.mark.parametrize("program", ["true", "false", "echo"])
def test_another_program_is_named(controller: Controller, database: Database, program: str) -> None:
    path = str(shutil.which(program))
    result, _ = controller.play(url=database.url, executable=path)
    assert result["failed"]
    assert re.fullmatch(r"executable: \S+ is not reconcile", result["msg"])


def test_the_playbook_brings_several_databases_forward_the_canary_first(
    controller: Controller, new_database: Callable[..., Database]
) -> None:
    databases = [new_database("CREATE TABLE t (a int)") for _ in range(3)]
    urls = [secret_url(database) for database in databases]
    controller.secrets = [secret for pair in urls for secret in pair]
    names = ("CANARY_URL", "CUSTOMER_A_URL", "CUSTOMER_B_URL")
    environment = {name: url for name, (url, _) in zip(names, urls, strict=True)}
    variables = {
        "reconcile_declaration": str(controller.root / "app"),
        "reconcile_executable": str(BIN / "reconcile"),
        "ansible_python_interpreter": INTERPRETER,
    }

    def run(*flags: str) -> Done:
        return controller.command(
            "ansible-playbook",
            *("-i", COLLECTION / "playbooks" / "inventory.yml"),
            COLLECTION / "playbooks" / "databases.yml",
            *("-e", json.dumps(variables), "-vvv", "--diff", *flags),
            **environment,
        )

    hosts = ("canary", "customer_a", "customer_b")
    before = databases[0].dump()
    for flags, changed, alike in (["--check"], 1, True), ([], 1, False), ([], 0, False):
        done = run(*flags)
        assert done.returncode == 0, done.stdout + done.stderr
        assert {h: r.split()[1] for h, r in recap(done.stdout).items()} == dict.fromkeys(
            hosts, f"changed={changed}"
        )
        assert [database.dump() == before for database in databases] == [alike] * 3
    controller.declare(DROPPED)
    after = databases[0].dump()
    done = run()
    assert done.returncode != 0
    assert [*recap(done.stdout)] == ["canary"]
    assert "data-loss" in done.stdout
    assert [database.dump() == after for database in databases] == [True] * 3
    assert not [*controller.temporary.glob("reconcile-*")]


def test_the_sanity_tests_of_ansible_pass(controller: Controller) -> None:
    copy = controller.root / "source" / "ansible_collections" / "reconcile" / "postgresql"
    shutil.copytree(COLLECTION, copy)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"

    def run() -> Done:
        line = f"cd {copy} && ansible-test sanity --color no --python {python}"
        return controller.command("/bin/sh", "-c", line)

    done = run()
    output = done.stdout + done.stderr
    if missing := re.search(r"downloaded and saved to: (\S+)", output):
        # Without Ansible's server, pip comes from the interpreter.
        Path(missing[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(missing[1]).write_text("import ensurepip; ensurepip.bootstrap()\n")
        done = run()
        output = done.stdout + done.stderr
    assert done.returncode == 0, output[-5000:]
    assert 'Running sanity test "validate-modules"' in output
