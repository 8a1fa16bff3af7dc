"""Measure reconcile beside pg_dump, psql and its peers: `python -m benchmarks [--tables N]`.

All tools run in turn on one server, `--runs` times; the table shows medians, the ratio to
`pg_dump -s`, the CPU of the processes and of the server's sessions, the same ratio for it, which
suffers less where others use the machine, the memory of the largest process, and for reconcile the
statements sent to the target and to scratch. Each line of the table is printed in the last round,
once its command has ended. Nothing is remembered between runs; with `--cached`, each command runs
once beforehand, and remembers what it can. `--reconcile PROGRAM` measures another version beside
this one. The server is embedded and not durable, or that of `--server URL`.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import reconciler
from benchmarks.counts import DATABASES, SCRATCH, TARGET, TRIPS_SCRATCH, TRIPS_TARGET
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
COUNTED = (TARGET, TRIPS_TARGET, SCRATCH, TRIPS_SCRATCH, DATABASES)
HEADS = ("", "seconds", f"× {RULE}", "CPU seconds", f"× {RULE}", "MiB", *COUNTED)


def main() -> None:
    """Prepare the databases, measure in turn, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="scenarios, as the table names them")
    parser.add_argument("--server", help="the URL of a superuser on a server of PostgreSQL 18")
    parser.add_argument("--reconcile", type=Path, help="another version of reconcile")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--without-counts", action="store_true", help="do not run plans again")
    parser.add_argument("--cached", action="store_true", help="let runs use what others remember")
    options = parser.parse_args()
    if not options.cached:
        os.environ[SWITCH] = "1"
    # as pip does with what it installs
    compileall.compile_dir(Path(reconciler.__file__).parent, quiet=1)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        databases = prepare(options.tables, folder, options.server, (*CHANGES, "spelled"))
        only = [RULE, *options.only] if options.only else [""]
        other = options.reconcile and options.reconcile.absolute()
        commands = _commands(databases, other, [] if options.without_peers else only)
        chosen = {n: c for n, c in commands.items() if _is_among(n, only)}
        counted = [] if options.without_counts else [n for n in chosen if _is_counted(n)]
        _measure(databases, chosen, options.runs, counted, warm_up=options.cached)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_among(name: str, only: Sequence[str]) -> bool:
    return any(name.endswith(ending) for ending in only)


def _commands(
    databases: Databases, other: Path | None, of_peers: Sequence[str]
) -> dict[str, Command]:
    """Return all commands of reconcile by name, and those of peers that end as `of_peers` say."""
    commands = {**own_tools(databases)}
    commands |= {f"reconcile: {n}": c for n, c in reconcile_commands(databases).items()}
    if other is not None:
        before = reconcile_commands(databases, other)
        commands |= {f"{other}: {name}": command for name, command in before.items()}
    if any(map(shutil.which, PEERS)):
        for change in (c for c in (*CHANGES, "from empty") if _is_among(f"plan, {c}", of_peers)):
            _make_desired(databases, change)
            found = peer_commands(databases, change)
            commands |= {f"{peer}: plan, {change}": c for peer, c in found.items()}
    return commands


def _make_desired(databases: Databases, change: str) -> None:
    """Make the database in which a peer finds what is desired, and its SQL in a file."""
    desired = databases.filled
    if change in SCENARIOS and change != "nothing":
        desired = databases.create(desired_database(change), "bench_filled")
        state = ("--state", databases.declaration(change), "--schema", "*", "--allow", "all")
        apply = (Path(sys.executable).with_name("reconcile"), "apply", "--target", desired)
        done = subprocess.run([*apply, *state, "--yes"], check=True, capture_output=True)
        assert b"failed=0" in done.stdout
    name = "bench_filled" if change == "from empty" else desired_database(change)
    if change == "nothing":
        desired = databases.create(name, "bench_filled")
    dump = [databases.tools / "pg_dump", "-s", "-N", "reconcile", "-d", desired]
    subprocess.run([*dump, "-f", databases.folder / f"{name}.sql"], check=True)


def _measure(
    databases: Databases,
    commands: Mapping[str, Command],
    runs: int,
    counted: Sequence[str],
    *,
    warm_up: bool,
) -> None:
    """Run every command once per round, and print its line in the last round.

    A failure ends the rounds of a command.
    """
    found: dict[str, list[Measured]] = {name: [] for name in commands}
    failed: dict[str, str] = {}
    for round_ in range(0 if warm_up else 1, runs + 1):
        if round_ == runs:
            _print_head(databases.tables, runs)
        for name, command in commands.items():
            if name not in failed:
                _clean(databases)
                try:
                    measured = measure(command, databases.postmaster, databases.folder)
                except CommandFailed as error:
                    failed[name] = str(error)
                    sys.stderr.write(f"{name}: {error}\n")
                else:
                    found[name] += [measured] if round_ else []
                    sys.stderr.write(f"round {round_}: {name}: {measured.wall:.2f} s\n")
            if round_ == runs:
                if name in failed:
                    _print_failure(name, failed[name])
                    continue
                counts = _counted(databases, command) if name in counted else {}
                _print_line(name, middle(found[name]), middle(found[RULE]), counts)


def _print_failure(name: str, message: str) -> None:
    _print_row([name, f"failed: {message.splitlines()[0]}", *[""] * (len(HEADS) - 2)])


def _print_line(name: str, m: Measured, unit: Measured, counts: Mapping[str, int]) -> None:
    """Print the medians of a command, and multiples of those of pg_dump."""
    wall = (f"{m.wall:.2f}", f"{m.wall / unit.wall:.1f}")
    figures = (*wall, f"{m.cpu:.2f}", f"{m.cpu / unit.cpu:.1f}", f"{m.memory:.0f}")
    _print_row([name, *figures, *(str(counts.get(c, 0)) if counts else "" for c in COUNTED)])


def _clean(databases: Databases) -> None:
    shutil.rmtree(databases.folder / "exported", ignore_errors=True)
    databases.create("bench_loaded")


def _is_counted(name: str) -> bool:
    return name.startswith("reconcile: ") and "--" not in name


def _counted(databases: Databases, command: Command) -> dict[str, int]:
    """Run a command of reconcile again, and count its statements."""
    _clean(databases)
    counts = databases.folder / "counts.json"
    program = [sys.executable, "-m", "benchmarks.counts", counts, *command.arguments[1:]]
    subprocess.run(program, check=False, capture_output=True)
    return json.loads(counts.read_text())


def _print_head(tables: int, runs: int) -> None:
    sys.stdout.write(f"{tables:,} tables; medians of {runs} runs\n\n")
    _print_row(HEADS)
    _print_row(["---", *["---:"] * (len(HEADS) - 1)])


def _print_row(cells: Sequence[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
