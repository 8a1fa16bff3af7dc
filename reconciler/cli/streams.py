"""Keep working when a standard stream is closed, full, or of another encoding.

stderr is for people: what cannot be written there is left out. What belongs on stdout must arrive,
except at the reader of a pipe who has closed it, as `head` does.
"""

from __future__ import annotations

import atexit
import errno
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO

from reconciler.errors import OutputFailed


def prepare_streams() -> None:
    """Escape characters that a stream cannot encode; occupy the descriptors of closed streams.

    A file or connection opened later would otherwise take the place of the closed stream.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_streams() -> None:
    """Write what is buffered; Python would complain at the end about a stream that fails."""
    for stream in _opened():
        try:
            stream.flush()
        except OSError:
            _abandon(stream)


def end_process(status: int) -> None:
    """End the process with all that is registered for its end, but without freeing its memory.

    The system frees all at once what Python would free object by object. Returns where further
    threads run, which Python waits for, and under a profiler or debugger.
    """
    if threading.active_count() == 1 and not (sys.getprofile() or sys.gettrace()):
        # nothing public calls them
        atexit._run_exitfuncs()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        flush_streams()
        os._exit(status)


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is open and a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


@contextmanager
def writing(*, stderr: bool = False, broken_pipe: bool = False) -> Generator[None]:
    """Raise OutputFailed if stdout fails; a pipe without reader counts with `broken_pipe` only."""
    stream: TextIO | None = sys.stderr if stderr else sys.stdout
    if stream is None and not stderr:
        raise OutputFailed("cannot write to stdout: it is closed")
    try:
        yield
    except OSError as error:
        if stream is not None:
            _abandon(stream)
        if not stderr and (broken_pipe or error.errno != errno.EPIPE):
            raise OutputFailed(f"cannot write to stdout: {error.strerror or error}") from None


def _abandon(stream: TextIO) -> None:
    """Let what is buffered, and all that follows, go nowhere."""
    with suppress(OSError):
        descriptor = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _opened() -> list[TextIO]:
    streams: tuple[TextIO | None, TextIO | None] = (sys.stdout, sys.stderr)
    return [s for s in streams if s is not None and not s.closed]
