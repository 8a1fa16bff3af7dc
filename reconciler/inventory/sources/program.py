"""Read targets from the JSON of a program.

Only the environment names the program: reconcile.yml may come out of a pull request.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

from reconciler.errors import SettingsError
from reconciler.escape import one_line
from reconciler.inventory.inventory import Entry
from reconciler.inventory.row import rows_of_json
from reconciler.inventory.sources.file import MAX_SIZE

SECONDS = 60.0
_SHOWN = 200  # characters of what the program says
_CHUNK = 1 << 16  # bytes
_PAUSE = 0.05  # seconds between looks whether the program has ended


def printed(command: str, title: str, base: str | None) -> list[tuple[str, Entry]]:
    """Run a program without a shell, and read the output; raises SettingsError."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SettingsError(f"{title}: {error}") from None
    if not words:
        raise SettingsError(f"{title} names no program")
    try:
        status, content, errors = _run(words)
    except OSError as error:
        raise SettingsError(f"{title}: {words[0]}: {error.strerror or error}") from None
    except subprocess.TimeoutExpired:
        raise SettingsError(f"{title}: {words[0]} has not ended after {SECONDS:.0f} s") from None
    if len(content) > MAX_SIZE:
        raise SettingsError(f"{title}: {words[0]} printed more than {MAX_SIZE:,} bytes")
    if status:
        said = one_line(errors.decode(errors="replace").strip())[:_SHOWN]
        raise SettingsError(f"{title}: {words[0]} ended with {status}: {said}")
    return rows_of_json(content, title, base)


def _run(words: list[str]) -> tuple[int, bytes, bytes]:
    """Run a program in a process group, which is ended; return exit status, output and errors.

    Of too much output a little more than allowed is read, and then the program is ended.
    """
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            return _read(process, time.monotonic() + SECONDS)
        finally:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)


def _read(process: subprocess.Popen[bytes], deadline: float) -> tuple[int, bytes, bytes]:
    """Read what a program prints until it ends, whoever holds its pipes open after that."""
    assert process.stdout is not None
    assert process.stderr is not None
    out, errors = process.stdout.fileno(), process.stderr.fileno()
    found = {out: bytearray(), errors: bytearray()}
    with DefaultSelector() as selector:
        selector.register(out, EVENT_READ)
        selector.register(errors, EVENT_READ)
        while len(found[out]) <= MAX_SIZE:
            has_ended = process.poll() is not None
            ready = selector.select(0 if has_ended else _PAUSE)
            for key, _ in ready:
                content = os.read(key.fd, _CHUNK)
                if not content:
                    selector.unregister(key.fd)
                elif key.fd == out or len(found[errors]) < _SHOWN:
                    found[key.fd] += content
            if has_ended and not ready:
                break
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(process.args, SECONDS)
    return process.returncode or 0, bytes(found[out]), bytes(found[errors])
