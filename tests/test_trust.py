"""Test which credentials are sent to servers that reconcile.yml names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.errors import SettingsError
from reconciler.server.redaction import parsed
from reconciler.settings import read, resolve_target
from tests.fake_server import Recorded, listening

SECRET = "hunter2"
Configure = Callable[[str], None]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Recorded]:
    """Listen, with a password in every place where libpq looks for one."""
    with listening() as recorded:
        passfile = tmp_path / "pgpass"
        passfile.write_text(f"*:*:*:*:{SECRET}\n")
        passfile.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(passfile))
        monkeypatch.setenv("PGPASSWORD", SECRET)
        monkeypatch.setenv("PGOPTIONS", f"-c application_name={SECRET}")
        monkeypatch.setenv("VARIABLE_URL", f"postgresql://u:{SECRET}@127.0.0.1:{recorded.port}/d")
        monkeypatch.setenv("VARIABLE", SECRET)
        yield recorded


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Configure:
    """Return a function that writes the url of the target `t` into reconcile.yml."""
    monkeypatch.chdir(tmp_path)

    def write(url: str) -> None:
        Path("reconcile.yml").write_text(f"targets: {{t: {{url: '{url}'}}}}")

    return write


def history() -> str:
    done = CliRunner().invoke(main, ["history", "--target", "t"], catch_exceptions=False)
    assert done.exit_code == 1
    assert SECRET not in done.output
    return done.output


URLS = (
    "postgresql://u@127.0.0.1:{port}/d",
    "host=127.0.0.1 port={port} dbname=d",
    "postgresql://u@db.example.com:{port}/d?hostaddr=127.0.0.1",
    "host=db.example.com,other hostaddr=127.0.0.1,127.0.0.1 port={port},{port}",
)


@pytest.mark.parametrize("url", URLS)
def test_a_server_that_the_file_names_gets_no_credentials(
    url: str, fake: Recorded, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(url.format(port=fake.port))
    monkeypatch.setenv("RECONCILE_TRUSTED_HOSTS", "db.example.com, 127.0.0.1:5432")
    assert "RECONCILE_TRUSTED_HOSTS" in history()
    assert fake.startups
    assert fake.passwords == []
    assert SECRET not in str(fake.startups)


def test_without_a_password_variable_the_password_file_is_not_read_either(
    fake: Recorded, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD")
    configure(URLS[0].format(port=fake.port))
    history()
    assert (len(fake.startups), fake.passwords) == (1, [])
    monkeypatch.setenv("RECONCILE_TRUSTED_HOSTS", "127.0.0.1")
    history()
    assert fake.passwords == [SECRET.encode() + b"\0"]


@pytest.mark.parametrize("hosts", ["127.0.0.1", "x, 127.0.0.1:{port}"])
def test_a_trusted_host_gets_the_credentials(
    hosts: str, fake: Recorded, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(URLS[0].format(port=fake.port))
    monkeypatch.setenv("RECONCILE_TRUSTED_HOSTS", hosts.format(port=fake.port))
    assert "RECONCILE_TRUSTED_HOSTS" not in history()
    assert fake.passwords == [SECRET.encode() + b"\0"]


def test_a_variable_holds_host_and_password(fake: Recorded, configure: Configure) -> None:
    configure("${VARIABLE_URL}")
    history()
    assert fake.passwords == [SECRET.encode() + b"\0"]


def test_a_password_that_the_file_holds_is_sent(fake: Recorded, configure: Configure) -> None:
    configure(f"postgresql://u:own@127.0.0.1:{fake.port}/d")
    history()
    assert fake.passwords == [b"own\0"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:${VARIABLE_URL}@127.0.0.1/d", "whole URL"),
        ("host=127.0.0.1 password=${VARIABLE}", "whole URL"),
        ("${VARIABLE}", "whole URL"),
        ("${PGPASSWORD}", "whole URL"),
        ("$VARIABLE_URL", "not a connection string"),
        ("${RECONCILE_NONE}", "no RECONCILE_NONE"),
        ("host=h passfile=/etc/passwd", "may not set passfile"),
        ("host=h sslkey=a sslcert=b", "may not set sslcert, sslkey"),
        ("postgresql://h/d?sslkeylogfile=x", "may not set sslkeylogfile"),
        ("postgresql://h/d?gssdelegation=1", "may not set gssdelegation"),
        ("service=other", "may not set service"),
        ("postgresql://u:hunter2@[::1/x", "not a connection string"),
    ],
)
@pytest.mark.usefixtures("fake")
def test_other_urls_are_refused(url: str, message: str, configure: Configure) -> None:
    configure(url)
    assert message in history()


@pytest.mark.usefixtures("fake")
def test_a_service_of_the_environment_adds_nothing_to_the_file(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSERVICE", "production")
    configure("host=127.0.0.1 port=1")
    assert "PGSERVICE" in history()


@pytest.mark.parametrize(
    ("url", "variable", "expected"),
    [
        ("host=h sslmode=disable", "", "prefer"),
        ("host=h sslmode=require", "", "require"),
        ("host=h sslmode=require", "verify-full", "verify-full"),
        ("host=h sslmode=verify-full", "require", "verify-full"),
    ],
)
def test_the_file_cannot_lower_the_sslmode(
    url: str, variable: str, expected: str, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv("PGSSLMODE", variable)
    for trusted in ("h", ""):
        monkeypatch.setenv("RECONCILE_TRUSTED_HOSTS", trusted)
        configure(url)
        options = parsed(resolve_target(read(), "t").url)
        assert options is not None
        assert options["sslmode"] == expected


@pytest.mark.parametrize("name", ["host=own", "postgresql://own", "embedded"])
def test_names_of_the_file_do_not_replace_urls(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reconcile.yml").write_text(f"targets: {{{name!r}: {{url: host=other}}}}")
    with pytest.raises(SettingsError, match=r"a name has 1 to 63 letters|choose another"):
        read()


@pytest.mark.parametrize("scratch", ["target", "postgresql://127.0.0.1/d", "${VARIABLE_URL}"])
def test_the_file_names_no_server_to_build_declared_objects_on(
    scratch: str, tmp_path: Path
) -> None:
    file = tmp_path / "reconcile.yml"
    file.write_text(f"scratch: {scratch!r}")
    with pytest.raises(SettingsError, match="RECONCILE_SCRATCH"):
        read(file)


@pytest.mark.parametrize(
    "state", ["..", "/", ".", "link", "link/x", "loop", "here", "reconcile.yml"]
)
def test_the_state_folder_is_below_that_of_the_file(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    Path("link").symlink_to(tmp_path)
    Path("loop").symlink_to("loop")
    Path("here").symlink_to(".")
    Path("reconcile.yml").write_text(f"state: {state}")
    with pytest.raises(SettingsError, match="--state"):
        read().state_folder()
    Path("reconcile.yml").write_text("state: inside/folder")
    assert read().state_folder() == Path("inside/folder")
