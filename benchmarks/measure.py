"""Run a program, and measure its seconds, its CPU and the server's, and its peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SETTLING = 0.1  # seconds until a server has seen the end of a session
# A small process starts the program: its memory, which Linux counts as the program's, is small too.
LAUNCHER = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
wall = time.perf_counter() - start
status = os.waitstatus_to_exitcode(status)
print(json.dumps([status, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True)
class Command:
    """A program with its arguments, its input, and the exit statuses of a success."""

    arguments: Sequence[str | Path]
    stdin: Path = Path(os.devnull)
    accepted: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Measured:
    """Seconds by the clock, CPU seconds, and MiB of the largest process."""

    wall: float
    cpu: float
    memory: float


class CommandFailed(Exception):
    """A program failed: its exit status, and the end of its messages."""


def measure(
    command: Command, postmaster: int | None = None, folder: Path | None = None
) -> Measured:
    """Run a program in a folder, by default the current one; raises CommandFailed.

    The CPU is that of the program, of the scratch servers that it starts, and of the sessions that
    end meanwhile on the server with the process ID `postmaster`.
    """
    before = _cpu_of_sessions(postmaster)
    with command.stdin.open("rb") as source:
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER]
        done = subprocess.run(
            [*launcher, *map(str, command.arguments)],
            stdin=source,
            capture_output=True,
            check=True,
            cwd=folder,
        )
    time.sleep(SETTLING)
    status, wall, cpu, memory = json.loads(done.stdout)
    if status not in command.accepted:
        messages = done.stderr.decode(errors="replace")[-2000:]
        raise CommandFailed(f"exit status {status}\n{messages}")
    return Measured(wall, cpu + _cpu_of_sessions(postmaster) - before, memory)


def _cpu_of_sessions(postmaster: int | None) -> float:
    """Return the CPU seconds of all ended processes of a server; 0 outside Linux."""
    status = Path(f"/proc/{postmaster}/stat")
    if postmaster is None or not status.exists():
        return 0.0
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def middle(measured: Sequence[Measured]) -> Measured:
    """Return the median of each figure."""
    return Measured(
        median(m.wall for m in measured),
        median(m.cpu for m in measured),
        median(m.memory for m in measured),
    )
