"""Test which files a declaration may name, and what of them is printed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler import settings
from reconciler.cli import main
from reconciler.cli.output import write_file
from reconciler.declare import files
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, SettingsError

SECRET = "hunter2"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a state folder beside a folder with a secret."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.sql").write_text(f"SELECT '{SECRET}'")
    (tmp_path / "outside" / "x.yml").write_text(f"{SECRET}: 1")
    (tmp_path / "state").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


def refusal(state: Path) -> str:
    with pytest.raises(DeclarationError) as e:
        load(state)
    assert SECRET not in str(e.value)
    return str(e.value)


def named(state: Path, path: str) -> str:
    """Return the error of a view whose query is in the file."""
    (state / "a.yml").write_text(f"views: {{v: {{query_file: {path!r}}}}}")
    return refusal(state)


def linked(path: str) -> Callable[[Path], None]:
    return lambda link: link.symlink_to(path)


def folder(path: Path) -> None:
    path.mkdir()


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(files.MAX_SQL_SIZE + 1)


@pytest.mark.parametrize(
    "path", ["../outside/x.sql", "/proc/self/environ", "/dev/zero", "/etc/shadow", "sub/../../no"]
)
def test_a_path_out_of_the_state_folder_is_refused(path: str, state: Path) -> None:
    message = named(state, path)
    assert message.startswith("state/a.yml:1:25: query_file: cannot read ")
    assert "it leads out of the state folder" in message
    assert "--files-root" in message


def invalid(path: Path) -> None:
    path.write_bytes(b"SELECT \xff")


def with_nul(path: Path) -> None:
    path.write_bytes(b"SELECT\0 1")


def hidden(path: Path) -> None:
    path.with_name(".env").write_text(f"SELECT '{SECRET}'")
    path.symlink_to(".env")


OUTSIDE = {
    "a link to a file outside": (linked("../outside/x.sql"), "leads out of the state folder"),
    "a link to the environment": (linked("/proc/self/environ"), "leads out of the state folder"),
    "a link to nothing outside": (linked("../outside/absent"), "leads out of the state folder"),
    "a link to a hidden file": (hidden, "it is hidden"),
    "a pipe": (os.mkfifo, "no regular file"),
}
UNUSABLE = {
    "a folder": (folder, "no regular file"),
    "a large file": (large, "larger than 1,048,576 bytes"),
    "other text than UTF-8": (invalid, "not UTF-8 at byte 7"),
    "a NUL character": (with_nul, "NUL character"),
    "a loop of links": (linked("file"), "no usable path"),
}


@pytest.mark.parametrize(("make", "reason"), (OUTSIDE | UNUSABLE).values(), ids=OUTSIDE | UNUSABLE)
def test_only_regular_files_hold_sql(
    make: Callable[[Path], None], reason: str, state: Path
) -> None:
    make(state / "file")
    assert reason in named(state, "file")


@pytest.mark.parametrize(("make", "reason"), OUTSIDE.values(), ids=OUTSIDE)
def test_only_regular_files_are_declarations(
    make: Callable[[Path], None], reason: str, state: Path
) -> None:
    (state / "a.yml").write_text("tables: {}")
    make(state / "x.yml")
    message = refusal(state)
    assert "cannot read state/x.yml" in message
    assert reason in message


def test_devices_are_not_opened(state: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    try:
        os.mknod(state / "x.yml", 0o020666, os.makedev(1, 5))  # /dev/zero
    except OSError as e:
        pytest.skip(f"no devices can be made here: {e}")
    assert "no regular file" in refusal(state)


def test_a_file_that_is_replaced_while_it_is_opened_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checked file gives way to a link at the last moment."""
    (state / "v.sql").write_text("SELECT 1")
    opened = os.open

    def replaced(path: Path, flags: int) -> int:
        if Path(path).name == "v.sql":
            Path(path).unlink()
            Path(path).symlink_to("../outside/x.sql")
        return opened(path, flags)

    monkeypatch.setattr(files.os, "open", replaced)
    assert "cannot read state/v.sql" in named(state, "v.sql")


def test_a_folder_that_is_replaced_while_a_file_is_opened_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state / "sub").mkdir()
    (state / "sub" / "x.sql").write_text("SELECT 1")
    opened = os.open

    def replaced(path: Path, flags: int) -> int:
        if Path(path).name == "x.sql":
            (state / "sub").rename(state / "old")
            (state / "sub").symlink_to("../outside")
        return opened(path, flags)

    monkeypatch.setattr(files.os, "open", replaced)
    assert "cannot read state/sub/x.sql: it has been replaced" in named(state, "sub/x.sql")


def test_a_hidden_file_is_refused(state: Path) -> None:
    """A checkout's `.git/config` holds a token."""
    (state / ".git").mkdir()
    (state / ".git" / "config").write_text(SECRET)
    assert "state/.git/config: it is hidden" in named(state, ".git/config")


def test_links_within_the_folder_work(state: Path) -> None:
    """Kubernetes mounts a ConfigMap as links to `..data`, a link to a folder with a date."""
    version = state / "..2026_01_01"
    version.mkdir()
    (version / "a.yml").write_text("views: {v: {query_file: v.sql}}")
    (version / "v.sql").write_text("SELECT 1")
    (state / "..data").symlink_to("..2026_01_01")
    for name in ("a.yml", "v.sql"):
        (state / name).symlink_to(f"..data/{name}")
    assert len(load(state).objects) == 1
    (state.parent / "link").symlink_to("state")
    for given in (Path("link"), Path("link/a.yml"), state.parent / "link"):
        assert len(load(given).objects) == 1


def test_a_further_folder_may_be_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "a.yml").write_text("views: {v: {query_file: ../outside/x.sql}}")
    assert len(load(state, files_root=Path("outside")).objects) == 1
    arguments = ["plan", "-s", str(state), "-t", "postgresql://127.0.0.1:1/d"]
    assert "leads out of" in CliRunner().invoke(main, arguments).output
    flagged = CliRunner().invoke(main, [*arguments, "--files-root", "outside"])
    monkeypatch.setenv("RECONCILE_FILES_ROOT", "outside")
    for done in (flagged, CliRunner().invoke(main, arguments)):
        assert "cannot connect" in done.output
        assert SECRET not in done.output


def test_the_settings_are_a_regular_file(state: Path) -> None:
    (state / "reconcile.yml").symlink_to("/proc/self/environ")
    with pytest.raises(SettingsError, match="leads out of"):
        settings.read(state / "reconcile.yml")


def test_no_output_is_written_through_a_symbolic_link(tmp_path: Path) -> None:
    """A pull request may add the link."""
    outside = tmp_path / "outside"
    outside.write_text("kept")
    page, picture = tmp_path / "pages" / "README.md", tmp_path / "picture.svg"
    page.parent.mkdir()
    for link in (page, picture):
        link.symlink_to(outside)
    done = CliRunner().invoke(main, ["explain", "--out", str(page.parent)])
    assert done.exit_code == 1
    assert f"--out {page}: it is a symbolic link" in done.output
    with pytest.raises(SettingsError, match=f"--picture {picture}: it is a symbolic link"):
        write_file(b"<svg>", picture, "--picture")
    assert outside.read_text() == "kept"
