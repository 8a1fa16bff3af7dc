"""Let signals that ask a process to end stop a command as Ctrl-C does, with its clean-up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

# SIGHUP: the terminal was closed; Windows lacks it, and SIGQUIT.
_NAMES = ("SIGTERM", "SIGHUP", "SIGQUIT")


@contextmanager
def stopped_by_signals() -> Generator[None]:
    """Raise KeyboardInterrupt at the first of the signals, and ignore the following ones.

    A shell that ends may send SIGHUP twice, and the second must not stop the clean-up. A signal
    that is ignored already, as under nohup, stays ignored.
    """
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    replaced = [n for n in numbers if signal.getsignal(n) is signal.SIG_DFL]

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        for each in replaced:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in replaced:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stopping(stop: threading.Event) -> Generator[None]:
    """Set an event at the first of the signals, or Ctrl-C; the next one ends the command.

    Work that has begun goes on until its end.
    """
    numbers = [getattr(signal, name) for name in ("SIGINT", *_NAMES) if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {n: signal.getsignal(n) for n in numbers}
    replaced = [n for n, handler in before.items() if callable(handler)]

    def note(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()
        for each in replaced:
            signal.signal(each, before[each])

    for number in replaced:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, before[number])
