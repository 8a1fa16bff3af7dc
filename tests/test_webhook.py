"""Test what a webhook is told, when, and what is refused."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from reconciler import webhook
from reconciler.drift.result import DriftReport, TargetDrift
from reconciler.errors import SettingsError, WebhookFailed
from reconciler.report.notification import slack
from tests.conftest import Database
from tests.test_three_way import applied, declare, folder, run

__all__ = ["applied", "folder"]


@dataclass
class Hook:
    """A server on this machine that answers with `status`, and keeps what it was told."""

    url: str = ""
    status: int = 200
    location: str = ""
    told: list[Any] = field(default_factory=list[Any])


@contextmanager
def listening() -> Generator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            hook.told.append(json.loads(content))
            self.send_response(hook.status)
            if hook.location:
                self.send_header("Location", hook.location)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - a name of http.server

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    hook.url = f"http://127.0.0.1:{server.server_port}/secretpath"
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as found:
        yield found


def test_a_webhook_is_told_of_each_change_of_state_once(
    applied: tuple[object, ...], database: Database, hook: Hook, folder: Path
) -> None:
    options = (*applied, "--webhook", hook.url, "--state-file", "state.json")
    assert run("drift", *options).exit_code == 0
    assert hook.told == [], "all is well, and was"
    database.run("DROP POLICY p ON t")
    for _ in range(2):
        assert run("drift", *options).exit_code == 2
    (told,) = hook.told
    assert (told["status"], told["targets"][0]["security"]) == ("different", 1)
    assert told["targets"][0]["objects"] == [
        {"kind": "policy", "identity": "p on public.t", "class": "missing", "security": True}
    ]
    database.run("COMMENT ON COLUMN t.a IS 'hand'")
    for _ in range(2):
        assert run("drift", *options).exit_code == 2
    assert len(hook.told) == 2, "more differs than before"
    assert run("apply", *applied, "--yes").exit_code == 0
    for _ in range(2):
        assert run("drift", *options).exit_code == 0
    assert [t["status"] for t in hook.told] == ["different", "different", "ok"]
    assert not [*folder.glob(".state*")]


def test_without_a_file_each_difference_is_told(
    applied: tuple[object, ...], database: Database, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_WEBHOOK", hook.url)
    run("drift", *applied)
    assert hook.told == []
    database.run("DROP INDEX t_a")
    for _ in range(2):
        run("drift", *applied)
    assert len(hook.told) == 2


def test_slack_is_told_in_its_own_form(
    applied: tuple[object, ...], database: Database, hook: Hook
) -> None:
    database.run('DROP INDEX t_a; CREATE POLICY "<!channel> &" ON t')
    run("drift", *applied, "--webhook", hook.url, "--webhook-form", "slack")
    (told,) = hook.told
    assert told.keys() == {"text"}
    assert "2 of 9 objects differ: 1 missing, 1 unmanaged; 1 about security" in told["text"]
    assert "• unmanaged [security]: `policy &lt;!channel&gt; &amp; on public.t`" in told["text"]
    long = [TargetDrift(f"{n}" * 100, error="x") for n in range(100)]
    assert len(slack(DriftReport(long))["text"]) < 3100


def test_no_secret_is_told(database: Database, folder: Path, hook: Hook) -> None:
    declare(folder, "functions: {f(): {returns: text, language: sql, body: SELECT 's3cretword'}}")
    url = f"{database.url} password=s3cretword"
    for form in ("json", "slack"):
        run(
            "drift",
            "--target",
            url,
            "--state",
            "state",
            "--webhook",
            hook.url,
            "--webhook-form",
            form,
        )
        run(
            "drift",
            "--target",
            "host=/nowhere password=s3cretword",
            "--state",
            "state",
            "--webhook",
            hook.url,
            "--webhook-form",
            form,
        )
    assert len(hook.told) == 4
    assert "s3cretword" not in json.dumps(hook.told)
    assert "public.f()" in json.dumps(hook.told)


def test_a_failure_is_said_and_hides_no_result(
    applied: tuple[object, ...], database: Database, hook: Hook
) -> None:
    database.run("DROP INDEX t_a")
    failure = "error: the webhook on 127.0.0.1 was not told"
    hook.status = 500
    options = (*applied, "--webhook", hook.url, "--state-file", "state.json")
    failed = run("drift", *options)
    assert failed.exit_code == 2
    assert "index public.t_a" in failed.stdout
    assert (
        failed.stderr
        == "error: the webhook on 127.0.0.1 was not told: it answered with status 500\n"
    )
    hook.status = 200
    assert run("drift", *options).stderr == ""
    assert len(hook.told) == 2, "what was not told is told by the next run"
    gone = run("drift", *applied, "--webhook", "http://127.0.0.1:1/secretpath")
    assert gone.exit_code == 2
    assert gone.stderr == f"{failure}: Connection refused\n"


def test_no_redirect_is_followed(hook: Hook) -> None:
    with listening() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            hook.status, hook.location = status, elsewhere.url
            with pytest.raises(WebhookFailed, match=f"status {status}, which leads elsewhere"):
                webhook.send(hook.url, {"a": 1})
        assert elsewhere.told == []


def test_an_answer_is_not_waited_for_without_end() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(50):
                try:
                    client.sendall(b"X-More: 1\r\n")
                except OSError:
                    return
                time.sleep(0.05)

    Thread(target=drip, daemon=True).start()
    start = time.monotonic()
    with listener, pytest.raises(WebhookFailed, match=r"no answer within 0.3 s"):
        webhook.send(f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, seconds=0.3)
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1@example.org/",
        "http://[::ffff:8.8.8.8]/",
        "file:///etc/passwd",
        "ftp://localhost/",
        "https:///path",
        "https://[x",
        "https://a:port/",
        "s3cretword",
        "https://user:s3cret@example.org/",
        "https://user@example.org/",
        "https://example.org/a b",
        "https://example.org/a\n",
        "https://example.org/a\r\nX-Other: b",
        "https://example.org/größe",
        "https://größe.example.org/",
    ],
)
def test_only_https_and_this_machine_are_told(url: str, folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected an address https://") as refused:
        webhook.checked_address(url)
    assert url not in str(refused.value)


def test_addresses_of_this_machine_and_https_are_accepted() -> None:
    for url in (
        "https://hooks.slack.com/services/T/B/x",
        "http://localhost:80/",
        "http://127.0.0.9/",
        "http://[::1]:8080/",
    ):
        assert webhook.checked_address(url) == url


def test_no_file_of_the_repository_names_a_webhook(
    applied: tuple[object, ...], folder: Path, hook: Hook
) -> None:
    (folder / "reconcile.yml").write_text(f"webhook: {hook.url}\n")
    refused = run("drift", *applied)
    assert refused.exit_code == 1
    assert "webhook: unknown key" in refused.stderr


def test_the_state_is_written_through_no_link_and_read_with_care(
    applied: tuple[object, ...], folder: Path, hook: Hook, database: Database
) -> None:
    database.run("DROP INDEX t_a")
    options = (*applied, "--webhook", hook.url, "--state-file")
    (folder / "link").symlink_to("target")
    linked = run("drift", *options, "link")
    assert linked.exit_code == 1
    assert "symbolic link" in linked.stderr
    assert not (folder / "target").exists()
    for wrong in ("", "[]", "{}", '{"targets": []}', "[" * 100_000):
        (folder / "wrong").write_text(wrong)
        refused = run("drift", *options, "wrong")
        assert refused.exit_code == 1
        assert "it holds no state of targets" in refused.stderr
    assert hook.told == []
    assert run("drift", *applied, "--state-file", "f").exit_code == 2
    assert not (folder / "f").exists(), "nobody was told"
