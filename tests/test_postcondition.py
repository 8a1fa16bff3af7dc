"""Test the comparison of a changed object with the plan."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from reconciler.apply import step_checks
from reconciler.cli import main
from reconciler.server.connection import connect
from reconciler.server.kept import start_embedded
from reconciler.server.scratch import drop_database
from tests.conftest import Database


def test_an_undeclared_version_of_an_extension_may_be_any(
    database: Database, tmp_path: Path
) -> None:
    """PostgreSQL 17 and 18 have other default versions of pg_buffercache."""
    state = tmp_path / "state.yml"
    state.write_text("extensions: {pg_buffercache: {}}")
    server = start_embedded("target", 17)
    server.drop("versions")
    url = server.database("versions")
    arguments = ("apply", "-t", url, "-s", str(state), "--scratch", database.url, "--yes")
    try:
        first = CliRunner().invoke(main, [*arguments, "--schema", "*"], catch_exceptions=False)
        assert first.exit_code == 0, first.output
        with connect(url) as connection:
            row = connection.execute(
                "SELECT extversion FROM pg_extension WHERE extname = 'pg_buffercache'"
            ).fetchall()[0]
        default = database.value(
            "SELECT default_version FROM pg_available_extensions() WHERE name = 'pg_buffercache'"
        )
        assert row["extversion"] != default
        second = CliRunner().invoke(main, [*arguments, "--schema", "*"], catch_exceptions=False)
        assert "changed=0" in second.output
    finally:
        with connect(server.url) as connection:
            drop_database(connection, "versions")


def test_new_tables_are_checked_together(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transactions that only create objects share a check and a record in the journal."""
    monkeypatch.setattr(step_checks, "MAX_DELAY", 60.0)
    checks = Mock(side_effect=step_checks.unmet)
    monkeypatch.setattr(step_checks, "unmet", checks)
    tables = [f"  t{n}: {{columns: {{id: {{type: int, primary_key: true}}}}}}" for n in range(20)]
    state = tmp_path / "state.yml"
    state.write_text("\n".join(["tables:", *tables, ""]))
    arguments = ("apply", "-t", database.url, "-s", str(state), "--yes")
    done = CliRunner().invoke(main, [*arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert checks.call_count == 1
    assert database.rows("SELECT DISTINCT status FROM reconcile.step") == [("done",)]
