"""Numbers agree with their nouns, and no message puts a plural behind a number by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import reconciler
from reconciler.counted import agreeing, as_they_should_be, counted

NOUNS = "check|column|constraint|finding|hazard|index|object|querie|row|session|step|table"
BARE = re.compile(rf"\{{[^{{}}]*\}} (?:declared )?(?:{NOUNS})e?s\b")


def test_nouns_agree_with_numbers() -> None:
    assert [counted(n, "row") for n in (0, 1, 2, 1200)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "1,200 rows",
    ]
    assert counted(2, "policy") == "2 policies"
    assert counted(3, "index") == "3 indexes"
    assert agreeing(1, "is", "are") == "is"
    assert as_they_should_be(1, "declared object") == "1 declared object is as it should be"
    assert as_they_should_be(2, "declared object") == "2 declared objects are as they should be"
    assert (as_they_should_be(1), as_they_should_be(0)) == (
        "1 as it should be",
        "0 as they should be",
    )


@pytest.mark.parametrize(
    "path",
    sorted(Path(reconciler.__file__).parent.rglob("*.py")),
    ids=lambda p: p.relative_to(Path(reconciler.__file__).parent).as_posix(),
)
def test_no_message_counts_by_itself(path: Path) -> None:
    found = BARE.findall(path.read_text())
    assert found == [], f"{path.name}: count with reconciler.counted"
