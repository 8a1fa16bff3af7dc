"""A COMMIT, or the answer to it, is lost on the way: what happened is looked up and told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.apply import lost, observer
from tests.conftest import Database
from tests.network import Fault, network
from tests.test_conversations import reconcile

DECLARED = """
schema: public
tables:
  t:
    columns: {added: integer}
    indexes: {t_n: {on: n}}
    constraints: {positive: {check: n > 0}}
"""
STEPS = "SELECT step_id, status FROM reconcile.step ORDER BY step_id"
SAID = {
    "done": "it was committed, as a new connection shows",
    "not done": "it was rolled back, as a new connection shows",
    "unknown": "whether it is done is not known",
}


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ("answer lost", "done"),
        ("answer lost, no end", "done"),
        ("request lost", "not done"),
        ("everything lost", "unknown"),
    ],
)
def test_a_lost_commit_is_looked_up(
    fault: Fault,
    fate: str,
    new_database: Callable[..., Database],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = new_database("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)")
    state = tmp_path / "state.yml"
    state.write_text(DECLARED)
    monkeypatch.setattr(lost, "RECONNECT", 0.2)
    monkeypatch.setattr(lost, "GRACE", 0.2)
    monkeypatch.setattr(observer, "LOST_AFTER", 2)
    began = time.monotonic()
    with network(database.url, b"\0ALTER TABLE public.t ADD", fault) as (target, way):
        options = ("--state", str(state), "--yes", "--target", target)
        stopped = reconcile("apply", *options)
    assert way.happened
    assert stopped.exit_code == 1
    assert SAID[fate] in stopped.output
    assert "run again to continue" in stopped.output
    assert "Traceback" not in stopped.output
    assert time.monotonic() - began < 20
    added = "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'added'"
    if fate != "unknown":
        assert database.value(added) == (fate == "done")
        assert database.rows(STEPS) == [("1", "done" if fate == "done" else "failed")]
    again = reconcile("apply", *options[:3], "--target", database.url)
    assert again.exit_code == 0, again.output
    assert database.value(added) == 1
    assert database.rows("SELECT status FROM reconcile.run ORDER BY id") == [
        ("interrupted",),
        ("done",),
    ]
