"""Start a real PgBouncer before a database; all its clients share a few sessions of the server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from psycopg import conninfo

from tests.installations import USER
from tests.network import network

Mode = Literal["session", "transaction", "statement"]
PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
# Without a reset query, the next client gets the session as the last one left it, in every mode.
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user={user}
checks = host=127.0.0.1 port={server} user={checker} dbname={database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
server_round_robin = {round_robin:d}
server_reset_query =
"""


@contextmanager
def bouncer(
    target: str,
    mode: Mode,
    folder: Path,
    *,
    size: int = 1,
    round_robin: bool = False,
    checker: str = "",
) -> Generator[str]:
    """Start PgBouncer; yield the connection string of the database behind it.

    Its database `checks` is the same one, with the user `checker`.
    The server's socket admits the user of the tests, and PgBouncer refuses to run as root: a thread
    of the tests leads to the socket.
    """
    if PROGRAM is None:
        pytest.skip("needs PgBouncer: apt-get install pgbouncer")
    file = folder / "pgbouncer.ini"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with network(target, b"no such statement", "answer lost") as (way, _):
        parts = conninfo.conninfo_to_dict(way)
        file.write_text(
            CONFIGURATION.format(
                server=parts["port"],
                user=parts["user"],
                checker=checker or parts["user"],
                database=parts["dbname"],
                port=port,
                mode=mode,
                size=size,
                round_robin=round_robin,
            )
        )
        url = conninfo.make_conninfo(way, port=port)
        with _running(file, url):
            yield url


@contextmanager
def _running(file: Path, url: str) -> Generator[None]:
    user = USER if os.geteuid() == 0 else None
    log = file.with_suffix(".log")
    with file.open() as configuration, log.open("w") as output:
        process = subprocess.Popen(
            [str(PROGRAM), "/dev/stdin"],
            stdin=configuration,
            stdout=output,
            stderr=output,
            user=user,
            env={},
        )
    try:
        end = time.monotonic() + 60
        while not _answers(url):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
