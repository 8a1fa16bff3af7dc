"""Store results of computations in a folder of the user; a lost entry costs only time.

An entry is JSON, so that no entry can run code, below the SHA-256 of what it was computed from.
The folder may be deleted at any time, and several runs may use it at once.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

SWITCH = "RECONCILE_NO_CACHE"
OPTION = "--no-cache"
MAX_ENTRY = 64 << 20  # bytes
MAX_TOTAL = 512 << 20
KEPT_SHARE = 0.75  # of MAX_TOTAL, once entries are removed
MAX_WRITING = 3600  # seconds after which an unfinished entry was given up
_UNFINISHED = ".writing-"
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


class CacheRefused(Exception):
    """A folder or file is not safe to use."""


def digest_of(*parts: object) -> str:
    """Return the SHA-256 of the parts, written as JSON."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def program_stamps() -> Iterator[Sequence[object]]:
    """Yield the size and the time of every module of this program and of the interpreter."""
    yield sys.version, sys.executable
    yield from _stamps(Path(__file__).parent)


def _stamps(folder: Path) -> Iterator[Sequence[object]]:
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
            yield from _stamps(Path(entry.path))
        elif entry.name.endswith(".py"):
            yield entry.path, *stamp_of(entry.path)


def stamp_of(path: str) -> tuple[int, int, int]:
    """Return time, size and inode of a file or folder; zeros if the path does not exist."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def stamps_of(paths: Iterable[str]) -> dict[str, list[int]]:
    """Return the stamps of paths, as JSON has them."""
    return {path: [*stamp_of(path)] for path in paths}


def cache_folder() -> Path:
    """Return the folder of the cache: below RECONCILE_HOME, else the user's folder for caches."""
    if home := os.environ.get("RECONCILE_HOME"):
        return Path(home).expanduser().absolute() / "cache"
    if os.geteuid() == 0:
        return Path("/var/cache/reconcile")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "reconcile"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reconcile"


def open_cache() -> Cache | None:
    """Return the cache, None if RECONCILE_NO_CACHE or the system rules out a cache."""
    if os.environ.get(SWITCH) or os.name != "posix":
        return None
    with suppress(RuntimeError):  # of Path: the account has no home folder
        return Cache(cache_folder())
    return None


def encoded(value: object) -> bytes:
    """Return the content of an entry as it is stored."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Cache:
    """A folder of entries; a missing, damaged or foreign entry reads as None."""

    folder: Path

    def get(self, section: str, key: str) -> Any:
        """Return an entry; None for a missing or unusable entry."""
        try:
            with self._opened() as folder:
                return _content(_read(folder, _file_name(section, key)))
        except (OSError, CacheRefused, ValueError, RecursionError):
            return None

    def put(self, section: str, key: str, value: object) -> None:
        """Store an entry in one step; without success where the folder cannot be written."""
        self.put_encoded(section, key, encoded(value))

    def put_encoded(self, section: str, key: str, body: bytes) -> None:
        """Store an `encoded` entry as `put` does."""
        if len(body) > MAX_ENTRY:
            return
        with suppress(OSError, CacheRefused):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._opened() as folder:
                _write(folder, _file_name(section, key), body)
                _remove_oldest(folder)

    def refusal(self) -> str:
        """Explain why the folder is not used; "" for a usable or missing folder."""
        try:
            with self._opened():
                return ""
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"the cache {self.folder} is not used: {error.strerror or error}"
        except CacheRefused as error:
            return f"the cache {self.folder} is not used: it {error}"

    @contextmanager
    def _opened(self) -> Generator[int]:
        """Open the folder; raises CacheRefused unless only this user can write to the folder."""
        folder = os.open(self.folder, _FOLDER_FLAGS)
        try:
            _require_own(os.fstat(folder))
            yield folder
        finally:
            os.close(folder)


def _file_name(section: str, key: str) -> str:
    return f"{section}-{key}"


def _require_own(found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise CacheRefused("belongs to another user")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CacheRefused("can be written by others")


def _read(folder: int, name: str) -> bytes:
    opened = os.open(name, _READ, dir_fd=folder)
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        _require_own(found)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_ENTRY + 100:
            raise CacheRefused("is no entry")
        os.utime(opened)  # the entries used least recently are removed first
        return file.read(MAX_ENTRY + 100)


def _content(data: bytes) -> Any:
    """Return the content of an entry; raises ValueError for a damaged entry."""
    checksum, _, body = data.partition(b"\n")
    if checksum != sha256(body).hexdigest().encode():
        raise ValueError("another checksum")
    return json.loads(body)


def _write(folder: int, name: str, body: bytes) -> None:
    import secrets  # noqa: PLC0415 - slow to import

    unfinished = _UNFINISHED + secrets.token_hex(8)
    opened = os.open(unfinished, _WRITE, 0o600, dir_fd=folder)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(sha256(body).hexdigest().encode() + b"\n" + body)
        os.replace(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished, dir_fd=folder)
        raise


def _remove_oldest(folder: int) -> None:
    """Remove entries above MAX_TOTAL, and unfinished entries of killed runs."""
    found: list[tuple[float, int, str]] = []
    for entry in os.scandir(folder):
        with suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            age = time.time() - status.st_mtime
            if entry.name.startswith(_UNFINISHED):
                if age > MAX_WRITING:
                    os.unlink(entry.name, dir_fd=folder)
                continue
            found.append((status.st_mtime, status.st_size, entry.name))
    left = sum(size for _, size, _ in found)
    if left <= MAX_TOTAL:
        return
    for _, size, name in sorted(found):
        if left <= MAX_TOTAL * KEPT_SHARE:
            break
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
            left -= size
