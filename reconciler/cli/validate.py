"""The command `validate`."""

from __future__ import annotations

from pathlib import Path

from reconciler import settings
from reconciler.cli.group import DONE, main
from reconciler.cli.options import files_root_option, state_option
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.declare.load import load
from reconciler.declare.variables import Placeholders


@main.command()
@state_option
@files_root_option
@output_options("validation")
def validate(state: Path | None, files_root: Path | None, output: OutputOptions) -> int:
    """Check the YAML files, and reconcile.yml, without a server.

    For editors and commit hooks. SQL within the files is read by PostgreSQL only: `plan` and `lint`
    check that. Exit status: 0 no fault, 1 faults, each shown with its file and line.
    """
    file = settings.read()
    folder = state or file.state_folder()
    output.write(
        "validation", folder, load(folder, files_root=files_root, variables=Placeholders())
    )
    return DONE
