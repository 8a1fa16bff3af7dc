"""Run a server until the last session ends: `python -I -S keep.py JSON`.

Every process that uses the server holds a shared lock on the file `users`. The keys of the JSON
object: `order`, how `confine.py` starts the server; `users`, the file; `idle`, the seconds after
which an unused server is stopped. A connected session keeps the server running as well, where
/proc lists the server's processes.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

POLL = 5.0  # seconds between two looks


def main() -> None:
    """Start the server, and stop the idle server."""
    order = json.loads(sys.argv[1])
    if os.fork():
        return  # whoever asked need not wait for the end
    os.setsid()
    command = [sys.executable, "-I", "-S", order["confine"]]
    command.append(json.dumps({**order["order"], "parent": os.getpid()}))
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, env={})
    idle = 0.0
    while server.poll() is None:
        time.sleep(min(POLL, order["idle"]))
        idle = 0.0 if in_use(order["users"], server.pid) else idle + min(POLL, order["idle"])
        if idle >= order["idle"]:
            server.send_signal(signal.SIGINT)  # a fast shutdown
            server.wait()


def in_use(users: str, pid: int) -> bool:
    """Whether a process holds the lock, or a session is connected."""
    with Path(users).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return any("[local]" in title for title in titles(pid))


def titles(pid: int) -> list[str]:
    """The titles of a server's processes, as set by PostgreSQL; none without /proc."""
    found: list[str] = []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return found
    for child in children:
        try:
            found.append(Path(f"/proc/{child}/cmdline").read_text())
        except OSError:
            continue  # it has just ended
    return found


if __name__ == "__main__":
    main()
