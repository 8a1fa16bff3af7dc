"""The scratch servers of this process.

Each process gets fresh data, copied from a data folder that `initdb` made once. The server listens
on a Unix socket in a folder that only this user enters, asks for a random password, runs as a user
without an account where this process is root, is confined by `reconciler.server.confine`, and ends
with this process, however that ends.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from psycopg import conninfo

from reconciler.errors import ScratchError
from reconciler.server.elevation import TEMPLATE
from reconciler.server.environment import without_environment
from reconciler.server.installation import Installation
from reconciler.server.process import (
    CONFINE,
    copy_private,
    data_folder,
    give,
    hold,
    initdb,
    locked,
    make_folder,
    reachable,
    says_ready,
    socket_folder,
    start_order,
    try_lock,
    unused_uid,
    wait_until_ready,
    write_private,
)

FILE_SIZE = 4 << 30  # bytes that one file of a scratch server may hold
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "shared_buffers": "64MB",
    "max_connections": "40",
    "max_locks_per_transaction": "1024",
    "max_wal_size": "1GB",  # the default grows with the size of a segment
    "dynamic_shared_memory_type": "mmap",
    "temp_file_limit": "1GB",
    "statement_timeout": "5min",
}
SEGMENT = "--wal-segsize=1"  # megabytes: each start copies a segment
# Many iterations make passwords slow to guess, and to use; these are random and as long as keys.
SETTINGS_SINCE_16 = {"scram_iterations": "1"}


@dataclass(frozen=True)
class Running:
    """A running server, with the URL of a superuser."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path
    installation: Installation


_SCRATCH: dict[tuple[Path, str], Running] = {}
# Linux ends a server with the thread that has started it: this thread stays until the process ends.
# https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
_STARTER = ThreadPoolExecutor(1)


def scratch_server(
    installation: Installation, settings: Mapping[str, str] | None = None
) -> Running:
    """Start the process's scratch server with the settings, or return the running server.

    `settings` take the place of some of SETTINGS. Raises ScratchError.
    """
    key = installation.folder, json.dumps(settings, sort_keys=True)
    known = _SCRATCH.get(key)
    if known is not None and known.process.poll() is None:
        return known
    _SCRATCH[key] = _start_scratch(installation, settings or {})
    return _SCRATCH[key]


def _start_scratch(installation: Installation, settings: Mapping[str, str]) -> Running:
    runs = data_folder() / "scratch"
    try:
        make_folder(data_folder())
        make_folder(runs)
        pristine, admin, password = _pristine(installation)
        folder, lock = _new_folder(runs)
    except OSError as e:
        raise ScratchError(f"{installation.title} cannot keep data in {data_folder()}: {e}") from e
    uid = unused_uid()
    sockets = socket_folder(folder)
    copy_private(pristine / "data", folder / "data", uid)
    for path in (folder, sockets):
        give(path, uid)
    process = _STARTER.submit(_launch, installation, folder, sockets, uid, settings).result()
    atexit.register(_end_scratch, process, folder, sockets, lock)
    url = _url(sockets, admin, password)
    wait_until_ready(
        lambda: says_ready(folder / "data"),
        folder,
        installation.title,
        lambda: process.poll() is not None,
    )
    return Running(url, process, folder, installation)


def _end_scratch(
    process: subprocess.Popen[bytes], folder: Path, sockets: Path, lock: IO[bytes]
) -> None:
    process.send_signal(signal.SIGQUIT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    for path in (folder, sockets):
        shutil.rmtree(path, ignore_errors=True)
    lock.close()


def _pristine(installation: Installation) -> tuple[Path, str, str]:
    """A data folder fresh from initdb, with the superuser's name and password; made once.

    The name is a random one, so that every role of a target can be an ordinary one.
    """
    program = (installation.tools / "postgres").stat()
    settings = _password_settings(installation)
    options = (SEGMENT, *(f"--set={name}={value}" for name, value in settings.items()))
    key = f"{installation.folder} {program.st_size} {program.st_mtime_ns} {TEMPLATE} {options}"
    home = data_folder() / f"pristine-{installation.major}-{sha256(key.encode()).hexdigest()[:12]}"
    with locked(data_folder() / "pristine.lock"):
        if not (home / "admin").exists():
            shutil.rmtree(home, ignore_errors=True)
            made = Path(tempfile.mkdtemp(dir=data_folder(), prefix="initdb-"))
            admin, password = f"reconcile_{secrets.token_hex(8)}", secrets.token_urlsafe(24)
            initdb(reachable(installation), made, admin, password, TEMPLATE, options)
            write_private(made / "admin", f"{admin} {password}")
            made.rename(home)
    admin, password = (home / "admin").read_text().split()
    return home, admin, password


def _password_settings(installation: Installation) -> dict[str, str]:
    return SETTINGS_SINCE_16 if installation.major >= 16 else {}


def _new_folder(runs: Path) -> tuple[Path, IO[bytes]]:
    """Make and lock the folder of a run.

    Between the two nobody else looks for abandoned folders, of which it would be one.
    """
    with locked(runs / "lock"):
        _remove_abandoned(runs)
        folder = Path(tempfile.mkdtemp(dir=runs, prefix="run-"))
        return folder, hold(folder / "lock")


def _remove_abandoned(runs: Path) -> None:
    """Remove the folders of killed runs."""
    for folder in runs.glob("run-*"):
        with suppress(FileNotFoundError):  # its process has ended, and removed it meanwhile
            lock = try_lock(folder / "lock")
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                lock.close()


def _launch(
    installation: Installation,
    folder: Path,
    sockets: Path,
    uid: int | None,
    settings: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    settings = {**SETTINGS, **_password_settings(installation), **settings}
    order = start_order(reachable(installation), folder / "data", sockets, uid, settings)
    order |= {"parent": os.getpid(), "file_size": FILE_SIZE}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", CONFINE, json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={},
            cwd="/",
        )


def _url(sockets: Path, user: str, password: str) -> str:
    url = conninfo.make_conninfo(host=str(sockets), user=user, password=password, dbname="postgres")
    return without_environment(url)
