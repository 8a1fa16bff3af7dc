"""No traceback reaches a user, whatever the standard streams, folders and variables are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import Database

FULL = Path("/dev/full")
NEEDS_FULL = pytest.mark.skipif(not FULL.exists(), reason="/dev/full is for Linux")
MAIN = "from reconciler.cli import run; run()"
DECLARED = "{schema: public, tables: {t: {columns: {größe: integer}}}}"
WITHOUT_STDOUT = f"""
import os, sys
os.close(1)
sys.stdout = None  # as Python does where the descriptor is closed
{MAIN}
"""
WITHOUT_UNIX = """
import importlib, os, pkgutil, sys
for name in ("fcntl", "pwd", "resource", "grp", "termios"):
    sys.modules[name] = None
for name in ("geteuid", "getuid", "fork", "setsid", "chown"):
    delattr(os, name)
import reconciler
for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
    if module.name not in ("reconciler.server.confine", "reconciler.server.keep"):
        importlib.import_module(module.name)
from reconciler.cli import run
run()
"""


def run(
    *arguments: str,
    program: str = MAIN,
    stdout: int | IO[bytes] = subprocess.PIPE,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=env,
        check=False,
    )
    for stream in (done.stdout or b"", done.stderr):
        assert b"Traceback" not in stream, stream
        assert b"Exception ignored" not in stream, stream
    return done


@pytest.fixture
def state(tmp_path: Path) -> str:
    file = tmp_path / "state.yml"
    file.write_text(DECLARED, encoding="utf-8")
    return str(file)


@NEEDS_FULL
def test_a_full_stdout_is_told() -> None:
    with FULL.open("wb") as full:
        for arguments in (["schema"], ["--help"]):
            done = run(*arguments, stdout=full)
            assert (done.returncode, b"No space left on device" in done.stderr) == (1, True)


def test_a_closed_stdout_is_told() -> None:
    done = run("schema", program=WITHOUT_STDOUT)
    assert (done.returncode, b"cannot write to stdout: it is closed" in done.stderr) == (1, True)


def test_a_reader_that_has_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = run("schema", stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@NEEDS_FULL
def test_a_run_without_streams_is_a_run(database: Database, state: str) -> None:
    """Apply with a full stdout, then plan with a closed stderr in a folder that is gone."""
    database.run("CREATE TABLE t ()")
    options = ("--target", database.url, "--state", state)
    with FULL.open("wb") as full:
        done = run("apply", *options, "--yes", stdout=full)
    assert b"ok=1 changed=1 failed=0 skipped=0" in done.stderr
    assert done.returncode == 0
    assert database.value("SELECT status FROM reconcile.run") == "done"
    with tempfile.TemporaryDirectory() as gone:
        program = f"import os; os.chdir({gone!r}); os.rmdir({gone!r}); os.close(2); {MAIN}"
        done = run("plan", *options, program=program)
        Path(gone).mkdir()
    assert done.returncode == 0, done.stdout


def test_a_poor_environment_suffices(
    new_database: Callable[..., Database], state: str, tmp_path: Path
) -> None:
    database = new_database("CREATE TABLE t ()")
    poor = {
        "PATH": os.environ["PATH"],
        "RECONCILE_HOME": os.environ["RECONCILE_HOME"],
        "LC_ALL": "C",
        "PYTHONIOENCODING": "iso-8859-5",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "TMPDIR": str(tmp_path / "missing"),
        "PGPASSFILE": str(tmp_path),
    }
    options = ("--target", database.url, "--state", state)
    done = run("plan", *options, "--format", "json", env=poor)
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout.decode())["changes"][0]["identity"] == "public.t.größe"
    done = run("plan", *options, env=poor)
    assert (done.returncode, rb"public.t.gr\xf6\xdfe" in done.stdout) == (2, True), done.stdout
    done = run("plan", *options, env={**poor, "RECONCILE_HOME": str(FULL / "home")})
    assert done.returncode == 1
    assert b"cannot keep data in /dev/full/home" in done.stderr


def test_modules_of_unix_are_not_needed_to_start() -> None:
    done = run("--help", program=WITHOUT_UNIX)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr


def test_a_program_that_calls_the_command_line_goes_on() -> None:
    program = """
from reconciler.cli import main
try:
    main()
except SystemExit as end:
    print("ended with", end.code)
"""
    assert run("explain", "index", program=program).stdout.endswith(b"ended with 0\n")


def test_a_profile_of_the_command_is_written(tmp_path: Path) -> None:
    file = tmp_path / "profile"
    program = f"""
import cProfile
cProfile.run({MAIN!r}, {str(file)!r})
"""
    run("explain", "index", program=program)
    assert file.exists()
