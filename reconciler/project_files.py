"""Name the files of a project, in the working directory."""

from __future__ import annotations

from pathlib import Path

SETTINGS_FILE = Path("reconcile.yml")
STATE_FOLDER = Path("desired_state")  # unless the settings or --state name another
