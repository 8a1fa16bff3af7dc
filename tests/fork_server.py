"""Run `reconcile` in forks of a process that has imported everything.

A command has its own process, environment, folder and streams, as if it were started by a shell;
only the imports are shared. What depends on how the process starts is tested without it.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import reconciler
from reconciler.cli import main

ROOT = Path(__file__).parents[1]
CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
order = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
socket.send_fds(server, [len(order).to_bytes(8, "big")], [0, 1, 2])
server.sendall(order)
sys.exit(int(server.recv(8) or b"137"))
"""


@cache
def program() -> Path:
    """Start the server, which ends with this process; return a program to call as `reconcile`."""
    folder = Path(tempfile.mkdtemp(prefix="reconcile-forks-"))
    address = folder / "socket"
    server = subprocess.Popen([sys.executable, "-m", "tests.fork_server", str(address)], cwd=ROOT)
    atexit.register(server.kill)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    until = time.monotonic() + 60
    while not address.exists():
        assert time.monotonic() < until, "the fork server does not start"
        time.sleep(0.05)
    client = folder / "reconcile"
    client.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    client.chmod(0o755)
    return client


def _serve(address: str) -> None:
    """Fork a process for each command until the process that started this one ends."""
    _import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    own = os.getppid()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{address}.new")
        server.listen(16)
        server.settimeout(1)
        Path(f"{address}.new").rename(address)
        while os.getppid() == own:
            try:
                client, _ = server.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                server.close()
                _obey(client)
            client.close()


def _import_everything() -> None:
    optional = ("reconciler.pytest_plugin", "reconciler.templates", "reconciler.fleet.cluster")
    for module in walk_packages(reconciler.__path__, "reconciler."):
        if module.name not in optional and not module.name.endswith("__main__"):
            import_module(module.name)


def _obey(client: socket.socket) -> None:
    """Run one command in this process, and send its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    client.settimeout(None)
    head, streams, _, _ = socket.recv_fds(client, 8, 3)
    order = b""
    while len(order) < int.from_bytes(head, "big"):
        order += client.recv(1 << 20)
    arguments, environment, folder = json.loads(order)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    ended: list[int] = []
    atexit.register(lambda: client.sendall(str(ended[0]).encode()))  # the last to be called
    ended.append(_run(arguments))
    sys.exit(ended[0])


def _run(arguments: list[str]) -> int:
    sys.argv = ["reconcile", *arguments]
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    status: Any
    try:
        main(arguments)  # without arguments, it would end the process before the answer
        status = 0
    except SystemExit as ended:
        status = ended.code
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else int(status is not None)


if __name__ == "__main__":
    _serve(sys.argv[1])
