"""Read targets from the JSON of a program.

Only the environment names the program: reconcile.yml may come out of a pull request.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from contextlib import suppress

from reconciler.errors import SettingsError
from reconciler.escape import one_line
from reconciler.inventory.inventory import Entry
from reconciler.inventory.row import rows_of_json
from reconciler.inventory.sources.file import MAX_SIZE

SECONDS = 60.0
_SHOWN = 200  # characters of what the program says


def printed(command: str, title: str, base: str | None) -> list[tuple[str, Entry]]:
    """Run a program without a shell, and read the output; raises SettingsError."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SettingsError(f"{title}: {error}") from None
    if not words:
        raise SettingsError(f"{title} names no program")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            status = _run(words, out.fileno(), errors.fileno())
        except OSError as error:
            raise SettingsError(f"{title}: {words[0]}: {error.strerror or error}") from None
        except subprocess.TimeoutExpired:
            message = f"{title}: {words[0]} has not ended after {SECONDS:.0f} s"
            raise SettingsError(message) from None
        out.seek(0)
        errors.seek(0)
        content = out.read(MAX_SIZE + 1)
        if status:
            said = one_line(errors.read(_SHOWN).decode(errors="replace").strip())
            raise SettingsError(f"{title}: {words[0]} ended with {status}: {said}")
    if len(content) > MAX_SIZE:
        raise SettingsError(f"{title}: {words[0]} printed more than {MAX_SIZE:,} bytes")
    return rows_of_json(content, title, base)


def _run(words: list[str], out: int, errors: int) -> int:
    """Run a program in a process group, ended with the program; return the exit status."""
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, start_new_session=True
    ) as process:
        try:
            return process.wait(SECONDS)
        finally:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
