"""Imitate a network that loses a COMMIT, or the answer to it."""

from __future__ import annotations

import select
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
    over: threading.Event = field(default_factory=threading.Event)

    def serve(self, client: socket.socket) -> None:
        """Carry a connection both ways."""
        parts = conninfo.conninfo_to_dict(self.target)
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(Path(str(parts["host"])) / f".s.PGSQL.{parts.get('port', 5432)}"))
            seen = False
            while not self.over.is_set():
                for readable in select.select([client, server], [], [], 0.1)[0]:
                    if not (data := readable.recv(65536)):
                        return
                    seen = seen or (readable is client and self.statement in data)
                    if readable is client and seen and b"COMMIT" in data and not self.happened:
                        self._meet(server, client, data)
                        return
                    (server if readable is client else client).sendall(data)

    def _meet(self, server: socket.socket, client: socket.socket, data: bytes) -> None:
        self.happened = True
        self.closed = self.fault == "everything lost"
        if self.fault != "request lost":
            server.sendall(data)
        if self.closed:
            server.shutdown(socket.SHUT_WR)
        if self.fault != "answer lost, no end":
            client.shutdown(socket.SHUT_RDWR)
        self.over.wait()


@contextmanager
def network(target: str, statement: bytes, fault: Fault) -> Generator[tuple[str, Network]]:
    """Yield a connection string that leads through a network with a fault."""
    way = Network(target, statement, fault)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)

        def accept() -> None:
            while not way.over.is_set():
                with suppress(TimeoutError):
                    client = listening.accept()[0]
                    if way.closed:
                        client.close()
                        continue
                    serving = threading.Thread(target=way.serve, args=(client,))
                    threads.append(serving)
                    serving.start()

        threads = [threading.Thread(target=accept)]
        threads[0].start()
        port = listening.getsockname()[1]
        try:
            yield (
                conninfo.make_conninfo(
                    target, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
                ),
                way,
            )
        finally:
            way.over.set()
            for thread in threads:
                thread.join()
