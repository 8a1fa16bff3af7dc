"""Variables of libpq speak of the target, and lead no server of our own astray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from psycopg import conninfo

from reconciler.server.connection import connect, rows
from reconciler.server.environment import without_environment
from reconciler.server.kept import start_embedded
from tests.conftest import Database
from tests.test_three_way import declare, folder

__all__ = ["folder"]

ELSEWHERE = {
    "PGHOST": "nowhere",
    "PGPORT": "5999",
    "PGHOSTADDR": "192.0.2.1",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGOPTIONS": "-c search_path=nowhere",
    "PGREQUIREAUTH": "md5",
    "PGSSLMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
}


@pytest.mark.parametrize("by_service", [False, True])
def test_servers_of_our_own_are_reached(
    database: Database,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    by_service: bool,
) -> None:
    """The target's connection string says all that the variables would change."""
    declare(folder, "tables: {t: {columns: {a: int}, indexes: {i: a}}}")
    target = without_environment(conninfo.make_conninfo(database.url, port=5432))
    if by_service:
        (folder / "services").write_text("[other]\nport=5999\nhostaddr=192.0.2.1\n")
        monkeypatch.setenv("PGSERVICEFILE", str(folder / "services"))
        monkeypatch.setenv("PGSERVICE", "other")
        target = conninfo.make_conninfo(target, hostaddr="")
    else:
        for name, value in ELSEWHERE.items():
            monkeypatch.setenv(name, value)
        target = without_environment(target)
    arguments = ["apply", "--target", target, "--state", "state", "--yes", "--no-cache"]
    done = subprocess.run(
        [sys.executable, "-c", "from reconciler.cli import run; run()", *arguments],
        capture_output=True,
        check=False,
    )  # in a process of its own: servers of this one are known already
    assert done.returncode == 0, done.stderr
    with connect(start_embedded("target").url) as connection:
        assert rows(connection, "SELECT 1 AS one") == [{"one": 1}]
