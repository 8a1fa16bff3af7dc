"""Imitate a network that loses a COMMIT, or the answer to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from psycopg import conninfo

Fault = Literal["answer lost", "answer lost, no end", "request lost", "everything lost"]


@dataclass
class Network:
    """A way to a database; the COMMIT after `statement` meets the fault."""

    target: str
    statement: bytes
    fault: Fault
    happened: bool = False
    closed: bool = False
    _kept: list[socket.socket] = field(default_factory=list[socket.socket])

    def serve(self, client: socket.socket) -> None:
        """Carry a connection both ways."""
        parts = conninfo.conninfo_to_dict(self.target)
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(Path(str(parts["host"])) / f".s.PGSQL.{parts.get('port', 5432)}"))
        self._kept += [client, server]
        here = threading.Event()  # the fault is on this connection
        threading.Thread(target=self._answers, args=(server, client, here), daemon=True).start()
        seen = False
        with suppress(OSError):
            while data := client.recv(65536):
                seen = seen or self.statement in data
                if seen and b"COMMIT" in data and not self.happened:
                    here.set()
                    self._meet(server, client, data)
                    return
                server.sendall(data)
        server.close()

    def _meet(self, server: socket.socket, client: socket.socket, data: bytes) -> None:
        self.happened = True
        self.closed = self.fault == "everything lost"
        if self.fault != "request lost":
            server.sendall(data)
        if self.closed:
            server.shutdown(socket.SHUT_WR)
        if self.fault != "answer lost, no end":
            client.shutdown(socket.SHUT_RDWR)

    def _answers(self, server: socket.socket, client: socket.socket, here: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if not here.is_set():
                    client.sendall(data)
        if not here.is_set():
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


@contextmanager
def network(target: str, statement: bytes, fault: Fault) -> Generator[tuple[str, Network]]:
    """Yield a connection string that leads through a network with a fault."""
    way = Network(target, statement, fault)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client = listening.accept()[0]
                    if way.closed:
                        client.close()
                        continue
                    threading.Thread(target=way.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        port = listening.getsockname()[1]
        yield (
            conninfo.make_conninfo(
                target, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
            ),
            way,
        )
