"""Name the programs that a benchmark runs: reconcile, pg_dump, psql and whichever peers are found.

A peer gets the database, or a second one that holds the desired state, or that as SQL in a file.
Peers come from PyPI (migra), Go's module proxy (psqldef, pg-schema-diff) and npm (pg-delta).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

from psycopg import conninfo

from benchmarks.databases import Databases
from benchmarks.measure import Command

PLANNED = frozenset({0, 2})  # nothing to do, or a difference
CHANGES = ("nothing", "one index", "one table", "one policy", "1 % of tables")
RECONCILE = Path(sys.executable).with_name("reconcile")
Peer = Callable[[str, str, Path], Sequence[str | Path]]  # from a URL to a URL or a file with SQL


def reconcile_commands(databases: Databases, program: Path = RECONCILE) -> dict[str, Command]:
    """Return the calls of reconcile by scenario."""

    def planned(change: str, command: str = "plan", url: str = "") -> Command:
        target = ("--target", url or databases.filled, "--schema", "*", "--allow", "all")
        state = ("--state", databases.declaration(change))
        allow = target if command == "plan" else target[:-2]
        return Command([program, command, *allow, *state], accepted=PLANNED)

    everything = ("--schema", "*", "--allow", "all", "--state", databases.declaration("nothing"))
    loaded = ("--target", databases.url("bench_loaded"))
    applied = Command([program, "apply", *loaded, *everything, "--yes"])
    exported = databases.folder / "exported"
    lint = ("lint", "--target", databases.filled, "--all")
    export = [program, "export", "--target", databases.filled, "--schema", "*", "--out", exported]
    return {
        "--version": Command([program, "--version"]),
        "--help": Command([program, "--help"]),
        "export": Command(export),
        "lint --all": Command([program, *lint], accepted=PLANNED),
        "drift, nothing": planned("nothing", "drift"),
        **{f"plan, {change}": planned(change) for change in CHANGES},
        "plan, as people spell it": planned("spelled"),
        "plan, from empty": planned("nothing", url=databases.empty),
        "apply, from empty": applied,
    }


def own_tools(databases: Databases) -> dict[str, Command]:
    """Return the calls of PostgreSQL's own programs."""
    dump = [databases.tools / "pg_dump", "-s", "-d", databases.filled]
    return {
        "pg_dump -s": Command(dump),
        "psql loads it": Command(databases.psql(databases.url("bench_loaded")), databases.dump),
    }


def _migra(source: str, desired: str, _: Path) -> Sequence[str | Path]:
    return ["migra", "--unsafe", as_url(source), as_url(desired)]


def _psqldef(source: str, _: str, schema: Path) -> Sequence[str | Path]:
    given = conninfo.conninfo_to_dict(source)
    server = ["--host", str(given["host"]), "--user", str(given["user"])]
    return ["psqldef", *server, "--dry-run", "--file", schema, str(given["dbname"])]


def _pg_schema_diff(source: str, desired: str, _: Path) -> Sequence[str | Path]:
    return ["pg-schema-diff", "plan", "--from-dsn", as_url(source), "--to-dsn", as_url(desired)]


def _pg_delta(source: str, desired: str, _: Path) -> Sequence[str | Path]:
    return ["pgdelta", "plan", "--source", as_url(source), "--desired", as_url(desired)]


PEERS: Mapping[str, tuple[Peer, frozenset[int]]] = {
    "migra": (_migra, PLANNED),
    "psqldef": (_psqldef, frozenset({0})),
    "pg-schema-diff": (_pg_schema_diff, frozenset({0})),
    "pgdelta": (_pg_delta, PLANNED),
}


def peer_commands(databases: Databases, change: str) -> dict[str, Command]:
    """Return the calls of the peers that are on PATH, for a change."""
    source = databases.empty if change == "from empty" else databases.filled
    desired = "bench_filled" if change == "from empty" else desired_database(change)
    schema = databases.folder / f"{desired}.sql"
    return {
        name: Command(peer(source, databases.url(desired), schema), accepted=accepted)
        for name, (peer, accepted) in PEERS.items()
        if shutil.which(name)
    }


def desired_database(change: str) -> str:
    """Return the name of the database that holds the desired state."""
    return "bench_" + "".join(c if c.isalnum() else "_" for c in change)


def as_url(target: str) -> str:
    """Return a connection string as a URL, for programs that read no keywords.

    Some read no URL without a host; that of the query comes first.
    """
    given = conninfo.conninfo_to_dict(target)
    user, database = quote(str(given.pop("user", ""))), quote(str(given.pop("dbname", "")))
    return f"postgresql://{user}@localhost/{database}?{urlencode(given)}"
