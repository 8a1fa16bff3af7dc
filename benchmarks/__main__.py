"""Measure reconcile beside pg_dump, psql and its peers: `python -m benchmarks [--tables N]`.

All tools run in turn on one server, `--runs` times; the table shows medians, the ratio to
`pg_dump -s`, the CPU of the processes and of the server's sessions, the same ratio for it, which
suffers less where others use the machine, the memory of the largest process, and for reconcile the
statements sent to the target and to scratch. Nothing is remembered between runs, unless with
`--cached`. `--reconcile PROGRAM` measures another version beside
this one. The server is embedded and not durable, or that of `--server URL`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.counts import DATABASES, SCRATCH, TARGET
from benchmarks.databases import Databases, prepare
from benchmarks.measure import Command, CommandFailed, Measured, measure, middle
from benchmarks.scenarios import SCENARIOS
from benchmarks.tools import (
    CHANGES,
    PEERS,
    desired_database,
    own_tools,
    peer_commands,
    reconcile_commands,
)
from reconciler.cache import SWITCH

RULE = "pg_dump -s"  # of which the others are multiples
COUNTED = (TARGET, SCRATCH, DATABASES)
Counts = Mapping[str, Mapping[str, int]]


def main() -> None:
    """Prepare the databases, measure in turn, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="scenarios, as the table names them")
    parser.add_argument("--server", help="the URL of a superuser on a server of PostgreSQL 18")
    parser.add_argument("--reconcile", type=Path, help="another version of reconcile")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--cached", action="store_true", help="let runs use what others remember")
    options = parser.parse_args()
    if not options.cached:
        os.environ[SWITCH] = "1"
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        databases = prepare(options.tables, folder, options.server, (*CHANGES, "spelled"))
        commands = _commands(databases, options.reconcile, peers=not options.without_peers)
        wanted = [RULE, *options.only] if options.only else list(commands)
        chosen = {n: c for n, c in commands.items() if any(n.endswith(w) for w in wanted)}
        results = _measured(databases, chosen, options.runs)
        counts = {n: _counted(databases, c) for n, c in chosen.items() if _is_plan(n)}
        _print(options.tables, results, counts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _commands(databases: Databases, other: Path | None, *, peers: bool) -> dict[str, Command]:
    commands = {**own_tools(databases)}
    commands |= {f"reconcile: {n}": c for n, c in reconcile_commands(databases).items()}
    if other is not None:
        before = reconcile_commands(databases, other)
        commands |= {f"{other}: {name}": command for name, command in before.items()}
    if peers and any(map(shutil.which, PEERS)):
        for change in (*CHANGES, "from empty"):
            _make_desired(databases, change)
            found = peer_commands(databases, change)
            commands |= {f"{peer}: plan, {change}": c for peer, c in found.items()}
    return commands


def _make_desired(databases: Databases, change: str) -> None:
    """Make the database in which a peer finds what is desired, and its SQL in a file."""
    desired = databases.filled
    if change in SCENARIOS and change != "nothing":
        desired = databases.create(desired_database(change))
        subprocess.run(databases.psql(desired), stdin=databases.dump.open(), check=True)
        state = ("--state", databases.declaration(change), "--schema", "*", "--allow", "all")
        apply = (Path(sys.executable).with_name("reconcile"), "apply", "--target", desired)
        done = subprocess.run([*apply, *state, "--yes"], check=True, capture_output=True)
        assert b"failed=0" in done.stdout
    name = "bench_filled" if change == "from empty" else desired_database(change)
    if change == "nothing":
        desired = databases.create(name)
        subprocess.run(databases.psql(desired), stdin=databases.dump.open(), check=True)
    dump = [databases.tools / "pg_dump", "-s", "-N", "reconcile", "-d", desired]
    subprocess.run([*dump, "-f", databases.folder / f"{name}.sql"], check=True)


def _measured(
    databases: Databases, commands: Mapping[str, Command], runs: int
) -> dict[str, list[Measured] | str]:
    """Run every command once per round; a failure ends the rounds of that command."""
    results: dict[str, list[Measured] | str] = {name: [] for name in commands}
    for round_ in range(runs):
        for name, command in commands.items():
            found = results[name]
            if isinstance(found, str):
                continue
            sys.stderr.write(f"round {round_ + 1}: {name}\n")
            _clean(databases)
            try:
                found.append(measure(command, databases.postmaster))
            except CommandFailed as e:
                results[name] = str(e)
    return results


def _clean(databases: Databases) -> None:
    shutil.rmtree(databases.folder / "exported", ignore_errors=True)
    databases.create("bench_loaded")


def _is_plan(name: str) -> bool:
    return name.startswith("reconcile: ") and "--" not in name


def _counted(databases: Databases, command: Command) -> dict[str, int]:
    """Run a command of reconcile again, and count its statements."""
    _clean(databases)
    counts = databases.folder / "counts.json"
    program = [sys.executable, "-m", "benchmarks.counts", counts, *command.arguments[1:]]
    subprocess.run(program, check=False, capture_output=True)
    return json.loads(counts.read_text())


def _print(tables: int, results: Mapping[str, list[Measured] | str], counts: Counts) -> None:
    sys.stdout.write(f"{tables:,} tables; medians of {max(map(_runs, results.values()))} runs\n\n")
    heads = ("", "seconds", f"× {RULE}", "CPU seconds", f"× {RULE}", "MiB", *COUNTED)
    _row(heads)
    _row(["---", *["---:"] * (len(heads) - 1)])
    rule = results[RULE]
    assert not isinstance(rule, str)
    unit = middle(rule)
    for name, found in results.items():
        if isinstance(found, str):
            _row([name, f"failed: {found.splitlines()[0]}", *[""] * (len(heads) - 2)])
            sys.stderr.write(f"{name}: {found}\n")
            continue
        m = middle(found)
        wall = (f"{m.wall:.2f}", f"{m.wall / unit.wall:.1f}")
        figures = (*wall, f"{m.cpu:.2f}", f"{m.cpu / unit.cpu:.1f}", f"{m.memory:.0f}")
        counted = [str(counts[name].get(c, 0)) if name in counts else "" for c in COUNTED]
        _row([name, *figures, *counted])


def _runs(found: list[Measured] | str) -> int:
    return 0 if isinstance(found, str) else len(found)


def _row(cells: Sequence[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
