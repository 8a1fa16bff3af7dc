"""The servers that reconcile keeps: listed, stopped and removed, and nobody else's files."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from reconciler.server.connection import connect
from reconciler.server.kept import Kept, start_embedded
from reconciler.server.process import running_pid
from tests.test_conversations import reconcile


@pytest.fixture(scope="module")
def server() -> Iterator[Kept]:
    """Start a server with a home of its own."""
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        Path(home).chmod(0o711)  # the server may run as another user
        patch.setenv("RECONCILE_HOME", home)
        made = start_embedded("test", idle=60)
        yield made
        made.stop(signal.SIGQUIT)


def listed() -> list[dict[str, object]]:
    return json.loads(reconcile("embedded", "status", "--format", "json").stdout)["servers"]


def test_servers_are_listed_stopped_and_removed(server: Kept) -> None:
    (found,) = listed()
    assert found["running"]
    assert (found["purpose"], found["pid"], found["idle_seconds"]) == ("test", server.pid, 60.0)
    assert found["data"] == str(server.folder / "data")
    shown = reconcile("embedded", "status").stdout
    assert f"process {server.pid}; stops 1 min after its last use" in shown
    assert str(found["socket"]) in shown

    unknown = reconcile("embedded", "stop", "nothing")
    assert unknown.exit_code == 1
    assert f"there are: {found['name']}" in unknown.output

    assert reconcile("embedded", "stop", found["name"]).stdout == f"{found['name']} stopped\n"
    assert running_pid(server.folder / "data") is None
    assert "was not running" in reconcile("embedded", "stop").stdout
    assert [s["running"] for s in listed()] == [False]
    assert f"{found['name']}: stopped" in reconcile("embedded", "status").stdout

    connect(start_embedded("test").url).close()  # its data are still there
    asked = reconcile("embedded", "clean")
    assert asked.exit_code == 1
    assert "--yes removes them without asking" in asked.output
    assert server.folder.exists()
    assert reconcile("embedded", "clean", "--yes").exit_code == 0
    assert not server.folder.exists()
    assert listed() == []
    assert reconcile("embedded", "status").stdout == "there are no embedded servers\n"


def test_nothing_of_others_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_HOME", str(tmp_path / "home"))
    servers, elsewhere = tmp_path / "home" / "servers", tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    (elsewhere / "data" / "precious").touch()
    servers.mkdir(parents=True)
    (servers / "linked-18").symlink_to(elsewhere)
    (servers / "notes").mkdir()
    (servers / "ours-18").mkdir()
    (servers / "ours-18" / "data").symlink_to(elsewhere / "data")
    if os.geteuid() == 0:
        (servers / "foreign-18").mkdir()
        os.chown(servers / "foreign-18", 61999, 61999)
    assert [s["name"] for s in listed()] == ["ours-18"]
    assert reconcile("embedded", "clean", "--yes").exit_code == 0
    kept = {f.name for f in servers.iterdir()}
    assert kept - {"foreign-18"} == {"linked-18", "notes"}
    assert ("foreign-18" in kept) == (os.geteuid() == 0)
    assert (elsewhere / "data" / "precious").exists()

    servers.rename(tmp_path / "moved")
    servers.symlink_to(tmp_path / "moved")
    refused = reconcile("embedded", "clean", "--yes")
    assert refused.exit_code == 1
    assert "is a symbolic link" in refused.output


def test_a_number_in_the_data_does_not_choose_a_process(tmp_path: Path) -> None:
    """A superuser of the server could write this process's ID, or that of any other."""
    pid = tmp_path / "postmaster.pid"
    pid.write_text(f"{os.getpid()}\n")
    assert running_pid(tmp_path) is None
    pid.unlink()
    os.mkfifo(pid)
    assert running_pid(tmp_path) is None
