"""Read the files of a declaration: regular files below the state folder, of limited size.

A declaration may come out of a pull request, so a path in the declaration, or a link beside the
declaration, must not lead to other files of the machine.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

SUFFIXES = (".yml", ".yaml")
MAX_SQL_SIZE = 1 << 20  # bytes of a file with SQL, or of the settings
MAX_YAML_SIZE = 64 << 20
MAX_TOTAL_SIZE = 256 << 20  # bytes of all files of a declaration
MAX_FILES = 20_000

_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0)  # Windows has none of them
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
)


class FileRefused(Exception):
    """A file cannot or must not be read; `hint` says what would do."""

    def __init__(self, reason: str, hint: str = "") -> None:
        self.reason, self.hint = reason, hint
        super().__init__(reason)


@dataclass
class Files:
    """The folders with files that may be read, and the bytes that may still be read.

    `digests` are the SHA-256 of the files that were read.
    """

    roots: tuple[Path, ...]
    left: int = MAX_TOTAL_SIZE
    digests: dict[Path, str] = field(default_factory=dict[Path, str])
    _sql: dict[Path, str] = field(default_factory=dict[Path, str])

    def read(self, path: Path, limit: int) -> bytes:
        """Read a file once links are resolved; raises FileRefused."""
        real = _resolved(path)
        roots = [root for root in self.roots if real.is_relative_to(root)]
        if not roots:
            raise FileRefused(
                "it leads out of the state folder",
                f"move the file into {self.roots[0]}, or name a further folder by --files-root",
            )
        if all(_is_hidden(real.relative_to(root)) for root in roots):
            raise FileRefused("it is hidden, by a name that begins with a dot", "rename it")
        content = read_regular(real, limit)
        if _resolved(path) != real:
            raise FileRefused("it has been replaced meanwhile", "run the command again")
        self.left -= len(content)
        if self.left < 0:
            raise FileRefused(f"it brings the declaration over {MAX_TOTAL_SIZE:,} bytes")
        self.digests[path] = sha256(content).hexdigest()
        return content

    def read_sql(self, path: Path) -> str:
        """Read a file with SQL once; raises FileRefused."""
        if path not in self._sql:
            content = self.read(path, MAX_SQL_SIZE)
            try:
                sql = content.decode("utf-8-sig")
            except UnicodeDecodeError as e:
                raise FileRefused(
                    f"it is not UTF-8 at byte {e.start}", "save it in UTF-8"
                ) from None
            if "\0" in sql:
                raise FileRefused("it holds a NUL character", "remove it: PostgreSQL takes none")
            self._sql[path] = sql
        return self._sql[path]


def files_in_folder(path: Path, further: Path | None = None) -> Files:
    """Allow the files of a folder, or of the folder of a file, and of a further folder.

    A link that a person names is followed: the folders are those that the link leads to.
    """
    folders = [path] if path.is_dir() else [path.parent, _resolved(path).parent]
    return Files(tuple(_resolved(f) for f in (*folders, *([further] if further else []))))


def _is_hidden(path: Path) -> bool:
    """Tell whether a file or folder such as `.git` or `.env` is on the way.

    Kubernetes names the folders behind its links `..2026_01_01`.
    """
    return any(re.match(r"\.(?!\.)", part) for part in path.parts)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as e:  # a loop of links, a NUL byte, no directory
        raise FileRefused("it is no usable path") from e


def read_regular(path: Path, limit: int) -> bytes:
    """Read a regular file, and not a link, pipe or device that takes the file's place."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise FileRefused("it is no regular file")
        opened = os.open(path, _FLAGS)
    except OSError as e:
        raise FileRefused(e.strerror or "cannot be opened") from e
    with os.fdopen(opened, "rb") as file:
        if not os.path.samestat(os.fstat(opened), found):
            raise FileRefused("it has been replaced meanwhile", "run the command again")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise FileRefused(f"it is larger than {limit:,} bytes", "split it")
    return content


def yaml_files_below(folder: Path) -> list[Path]:
    """List what has the name of a YAML file, in this folder and all below except the hidden.

    A link to a folder is not followed. A pipe or a broken link is listed: reading it is an error.
    """
    found: list[Path] = []
    folders = [folder] if folder.is_dir() else []
    while folders:
        folder = folders.pop()
        try:
            entries = [e for e in os.scandir(folder) if not e.name.startswith(".")]
        except OSError as e:
            raise FileRefused(e.strerror or "no folder") from e
        folders += [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
        named = (e for e in entries if e.name.endswith(SUFFIXES) and not e.is_dir())
        found += [Path(e.path) for e in named]
        if len(found) > MAX_FILES:
            raise FileRefused(f"it holds more than {MAX_FILES:,} YAML files")
    return found


def yaml_files(path: Path) -> list[Path]:
    """List the file, or the YAML files of the folder, in order; raises FileRefused."""
    return [path] if path.is_file() else sorted(yaml_files_below(path))


@dataclass(frozen=True)
class Sources:
    """The files of a declaration at the time of reading: `path` is the user's argument.

    `further` is the folder of --files-root. `digests` maps each file to its SHA-256.
    """

    path: Path
    further: Path | None
    digests: Mapping[Path, str]

    def are_unchanged(self) -> bool:
        """Tell whether the same files are there, and may still be read, with the same content."""
        try:
            files = files_in_folder(self.path, self.further)
            if not self.digests.keys() >= {*yaml_files(self.path)}:
                return False
            for path in self.digests:
                files.read(path, MAX_YAML_SIZE if path.suffix in SUFFIXES else MAX_SQL_SIZE)
        except (FileRefused, OSError, ValueError):
            return False
        return files.digests == self.digests

    def as_json(self) -> dict[str, Any]:
        """Return the sources as JSON holds them."""
        further = None if self.further is None else str(self.further)
        digests = {str(path): digest for path, digest in self.digests.items()}
        return {"path": str(self.path), "further": further, "digests": digests}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sources:
        """Return the sources that `as_json` wrote; raises KeyError, TypeError, ValueError."""
        further = None if data["further"] is None else Path(str(data["further"]))
        digests = {Path(path): str(digest) for path, digest in dict(data["digests"]).items()}
        return cls(Path(str(data["path"])), further, digests)
