"""Take the YAML files of a git revision out of the repository of the current folder."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from reconciler.errors import SettingsError

_FILES = ("100644", "100755")  # modes of a tree; others are links and submodules
SECONDS = 60


def write_revision(revision: str, folder: str, out: Path) -> Path:
    """Write a folder of a revision below `out`, and return its path; raises SettingsError."""
    title = f"{revision}:{folder}"
    commit = f"{revision}^{{commit}}"
    found = _git(title, ["rev-parse", "--verify", "--quiet", "--end-of-options", commit])
    sha = found.decode().strip()
    listing = ["--literal-pathspecs", "ls-tree", "-r", "-z", sha, "--", folder or "."]
    listed = _git(title, listing).decode(errors="replace")
    for entry in filter(None, listed.split("\0")):
        described, _, path = entry.partition("\t")
        mode, _, blob = described.split(" ")
        relative = PurePosixPath(path)
        if mode not in _FILES or relative.is_absolute() or ".." in relative.parts:
            continue
        place = out.joinpath(*relative.parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_git(title, ["cat-file", "blob", blob]))
    if not listed:
        raise SettingsError(f"{title}: that revision has no such folder")
    return out / folder


def _git(title: str, arguments: Sequence[str]) -> bytes:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(f"{title}: git cannot be run: {error}") from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or "git knows no such revision"
        raise SettingsError(f"{title}: {reason}")
    return done.stdout
