"""Offer databases of a declared state to the tests of an application: a plugin of pytest.

pytest imports the module in every run of every project, so it imports nothing slow before the
fixture is used. docs/python.md shows the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reconciler.templates import Templates

STATE, START, URL = "reconcile_state", "reconcile_start", "reconcile_url"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --reconcile-url, and the settings for pytest's configuration file."""
    parser.addini(STATE, "the folder or file of the declared state", default="desired_state")
    parser.addini(
        START, "SQL files to run before the state is applied: roles, fixtures", type="paths"
    )
    parser.addini(URL, "a database on the server for tests; default: the embedded server")
    parser.getgroup("reconcile").addoption(
        "--reconcile-url",
        metavar="URL",
        help="A database on the server for tests, by a role that may create databases."
        " Default: reconcile_url of the configuration file, else the embedded server.",
    )


@pytest.fixture(scope="session")
def reconcile_templates(pytestconfig: pytest.Config) -> Iterator[Templates]:
    """Return the templates of this run; they are dropped at its end."""
    from reconciler.errors import ReconcileError  # noqa: PLC0415 - not needed by every run
    from reconciler.templates import Templates  # noqa: PLC0415 - slow to import

    start: list[Path] = pytestconfig.getini(START)
    url = str(pytestconfig.getoption("--reconcile-url") or pytestconfig.getini(URL) or "")
    try:
        templates = Templates(url, start) if url else Templates.on_embedded_server(start)
    except ReconcileError as error:
        pytest.fail(str(error), pytrace=False)
    yield templates
    templates.close()


@pytest.fixture
def reconciled_database(
    reconcile_templates: Templates, pytestconfig: pytest.Config
) -> Iterator[Callable[[str | Path | None], str]]:
    """Return a function that makes a database of a declared state, and returns its URL.

    Each call makes another database, a copy of a template that is built once in a run. Without an
    argument, the state is the `reconcile_state` of pytest's configuration file. The databases are
    dropped after the test.
    """
    from reconciler.errors import ReconcileError  # noqa: PLC0415 - not needed by every run

    made: list[str] = []

    def make(state: str | Path | None = None) -> str:
        chosen = pytestconfig.rootpath / (pytestconfig.getini(STATE) if state is None else state)
        try:
            made.append(reconcile_templates.copy(chosen))
        except ReconcileError as error:
            pytest.fail(error.described(), pytrace=False)
        return made[-1]

    yield make
    for url in made:
        reconcile_templates.drop(url)
