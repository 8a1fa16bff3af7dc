"""The command line: `run` is the console script `reconcile`, `main` its group of commands."""

from reconciler.cli.group import main
from reconciler.cli.streams import end_process

__all__ = ["main", "run"]


def run() -> None:
    """Run the command line of the process, and end the process."""
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, int):
            end_process(end.code)
        raise
