"""Test that no part of a password is printed, wherever a target holds it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.cli import main
from reconciler.server.redaction import NO_TARGET, NOT_SHOWN, redacted

SECRET = "hunter2"
ENDS = st.text(st.sampled_from("/@%:?#&= '\\\"[]{}$;,é\t\n"), max_size=4)
TEMPLATES = (  # nothing listens on port 1
    "postgresql://u:{}@127.0.0.1:1/d",
    "postgresql://u:{}@127.0.0.1:1/d?connect_timeout=1",
    "postgresql://u@127.0.0.1:1/d?password={}",
    "postgresql://u@127.0.0.1:1/d?pass%77ord={}",
    "postgresql://u@127.0.0.1:1/d?sslpassword={}&nope=1",
    "postgres://u:{}@127.0.0.1:1,127.0.0.1:2/d",
    "postgresql:/u:{}@127.0.0.1/d",
    "postgresql:u:{}@127.0.0.1/d",
    "postgresql+psycopg://u:{}@127.0.0.1:1/d",
    "POSTGRESQL://u:{}@127.0.0.1:1/d",
    "jdbc:postgresql://127.0.0.1:1/d?user=u&password={}",
    "u:{}@127.0.0.1:1/d",
    "host=127.0.0.1 port=1 password={}",
    "host=127.0.0.1 port=1 password = '{}",
    "host=127.0.0.1 port=1 PASSWORD={}",
    "host=127.0.0.1 port=1 user=u\\ password={}",
    "host=127.0.0.1 port=1 passwort={}",
    "{}",
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(template=st.sampled_from(TEMPLATES), before=ENDS, after=ENDS)
@example(TEMPLATES[0], "", "/2")
@example(TEMPLATES[0], "p@", "")
@example(TEMPLATES[0], "1/", "")
@example(TEMPLATES[0], "%", "")
@example(TEMPLATES[0], "a ", " b")
@example(TEMPLATES[12], "a\\ ", "")
@example(TEMPLATES[0], "\0", "\udce4")
def test_no_part_of_a_password_is_printed(template: str, before: str, after: str) -> None:
    target = template.format(before + SECRET + after)
    done = CliRunner().invoke(main, ["history", "--target", target])
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit), done.output
    assert SECRET not in redacted(target) + done.output


def test_a_scratch_server_that_is_no_url_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "state.yml").write_text("tables: {t: {comment: x}}")
    arguments = ["plan", "-s", str(tmp_path), "--scratch", f"postgresql:/u:{SECRET}@h"]
    done = CliRunner().invoke(main, [*arguments, "-t", "postgresql://127.0.0.1:1/d"])
    assert done.exit_code == 1
    assert SECRET not in done.output


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("", NO_TARGET),
        ("postgresql://u:p@h/d", "postgresql://u@h/d"),
        ("postgresql://u@h:5433/d?password=p", "postgresql://u@h:5433/d"),
        ("host=h password='p q' user=u", "postgresql://u@h"),
        ("postgresql://u:p:q@h1:1,h2:2/d", "postgresql://u@h1:1,h2:2/d"),
        ("host=::1 port=5", "postgresql://[::1]:5"),
        ("host=/run/pg dbname=d", "host=/run/pg dbname=d"),
        ("service=x password=p", "the server of a service file"),
        ("postgresql://u:p@ss@h/d", NOT_SHOWN),
        ("postgresql://u:hunter/2@h/d", NOT_SHOWN),
        ("host=h PASSWORD=p", NOT_SHOWN),
    ],
)
def test_a_target_is_shown_by_its_server_database_and_user(target: str, shown: str) -> None:
    assert redacted(target) == shown
