"""Test changes under load: no failures, no lost rows, no long waits.

`python -m tests.online` measures the same at real size.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import conversations
from tests.conftest import Database
from tests.online import CHANGES, Change, compared, prepare

ROWS = 20_000


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.name)
def test_the_application_is_not_delayed(
    change: Change, new_database: Callable[..., Database]
) -> None:
    database = new_database()
    prepare(database.url, ROWS)
    ((_, _, seen),) = compared(database.url, ROWS, change, naive=False)
    assert seen.errors == []
    assert len(seen.seconds) > 100
    assert max(seen.seconds) < 1.0


def test_the_conversations_plan_does_not_delay_the_application(
    new_database: Callable[..., Database],
) -> None:
    database = new_database()
    conversations.prepare(database.url, 1)
    _, seen = conversations.applied(database.url)
    assert seen.errors == []
    assert len(seen.seconds) > 100
    assert max(seen.seconds) < 1.0
