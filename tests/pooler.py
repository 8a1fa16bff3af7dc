"""Imitate a pooler: in transaction mode each transaction gets the other of two sessions."""

from __future__ import annotations

import re
import select
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from psycopg import conninfo

KEY = re.compile(rb"K\0\0\0\x0c.{4}", re.DOTALL)


class _Stream:
    """Detects ends of transactions in a server's messages."""

    def __init__(self) -> None:
        self._buffer = b""

    def ended(self, data: bytes) -> bool:
        """Return whether the last message is ReadyForQuery outside a transaction."""
        self._buffer += data
        idle = False
        while len(self._buffer) >= 5 and len(self._buffer) > (
            size := int.from_bytes(self._buffer[1:5], "big")
        ):
            message, self._buffer = self._buffer[: size + 1], self._buffer[size + 1 :]
            idle = message[:1] == b"Z" and message[5:6] == b"I"
        return idle and not self._buffer


def _session(target: str, startup: bytes) -> tuple[socket.socket, bytes]:
    parts = conninfo.conninfo_to_dict(target)
    server = socket.socket(socket.AF_UNIX)
    server.connect(str(Path(str(parts["host"])) / f".s.PGSQL.{parts.get('port', 5432)}"))
    server.sendall(startup)
    greeting, stream = b"", _Stream()
    while True:
        data = server.recv(65536)
        greeting += data
        if stream.ended(data):
            return server, greeting


def _serve(client: socket.socket, target: str, *, swaps: bool) -> None:
    startup = client.recv(65536)
    (one, greeting), (other, _) = _session(target, startup), _session(target, startup)
    with client, one, other, suppress(OSError):
        client.sendall(KEY.sub(b"K\0\0\0\x0cpool", greeting))  # poolers have numbers of their own
        stream = _Stream()
        while True:
            for readable in select.select([client, one], [], [])[0]:
                if not (data := readable.recv(65536)):
                    return
                if readable is client:
                    one.sendall(data)
                    continue
                client.sendall(data)
                if stream.ended(data) and swaps:
                    one, other = other, one


@contextmanager
def pooled(target: str, mode: Literal["session", "transaction"] = "transaction") -> Generator[str]:
    """Start a pooler before a database; yield its connection string."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(
                        target=_serve,
                        args=(listening.accept()[0], target),
                        kwargs={"swaps": mode == "transaction"},
                        daemon=True,
                    ).start()

        threading.Thread(target=accept, daemon=True).start()
        port = listening.getsockname()[1]
        yield conninfo.make_conninfo(
            target, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
        )
