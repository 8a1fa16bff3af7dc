"""A listener that speaks the beginning of PostgreSQL's protocol and records what clients send.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

ENCRYPTION_REQUESTS = (80877103, 80877104)  # SSLRequest, GSSENCRequest
ASK_FOR_PASSWORD = b"R" + struct.pack("!ii", 8, 3)  # AuthenticationCleartextPassword


@dataclass
class Recorded:
    """The port of a listener, the startup packets and the password messages."""

    port: int
    startups: list[bytes] = field(default_factory=list[bytes])
    passwords: list[bytes] = field(default_factory=list[bytes])


@contextmanager
def listening() -> Generator[Recorded]:
    """Listen on a port of this machine, and ask each client for a password."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        recorded = Recorded(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, recorded))
        thread.start()
        try:
            yield recorded
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, recorded: Recorded) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, suppress(OSError, struct.error):
                client.settimeout(5)
                _talk(client, recorded)


def _talk(client: socket.socket, recorded: Recorded) -> None:
    while True:
        startup = client.recv(struct.unpack("!i", client.recv(4))[0] - 4)
        if struct.unpack("!i", startup[:4])[0] not in ENCRYPTION_REQUESTS:
            break
        client.sendall(b"N")
    recorded.startups.append(startup)
    client.sendall(ASK_FOR_PASSWORD)
    if client.recv(1) == b"p":
        recorded.passwords.append(client.recv(struct.unpack("!i", client.recv(4))[0] - 4))
