"""Test composing SQL, quoting names, and splitting outside quotes."""

from __future__ import annotations

import pytest

from reconciler.server.connection import connect, rows
from reconciler.sql import (
    KEYWORDS,
    closing,
    compose,
    joined,
    literal,
    name,
    raw,
    split_commas,
    text,
)
from tests.conftest import Database


@pytest.mark.parametrize(
    ("parts", "quoted"),
    [
        (("public", "t"), "public.t"),
        (("T",), '"T"'),
        (("order",), '"order"'),
        (("a.b", 'c"d'), '"a.b"."c""d"'),
        (("", "t"), "t"),
        (("1a",), '"1a"'),
        (("a$1",), "a$1"),
        (("über",), '"über"'),
    ],
)
def test_name(parts: tuple[str, ...], quoted: str) -> None:
    assert text(name(*parts)) == quoted


def test_names_are_quoted_where_the_server_quotes_them(database: Database) -> None:
    with connect(database.url) as connection:
        needed = {
            r["word"]
            for r in rows(
                connection, "SELECT word FROM pg_get_keywords() WHERE quote_ident(word) <> word"
            )
        }
    assert needed <= KEYWORDS


def test_compose_quotes_strings_and_keeps_sql() -> None:
    assert (
        text(compose("COMMENT ON TABLE {} IS {}", "T", literal("it's")))
        == "COMMENT ON TABLE \"T\" IS 'it''s'"
    )
    assert text(joined(["a", raw("b + 1")])) == "a, b + 1"


@pytest.mark.parametrize(
    ("listed", "parts"),
    [
        ("a, b DESC", ["a", "b DESC"]),
        ("f(a, b), c", ["f(a, b)", "c"]),
        ("'a,b', \"c,d\"", ["'a,b'", '"c,d"']),
        ("ARRAY[1, 2], ((x ->> 'it''s, (ok'))", ["ARRAY[1, 2]", "((x ->> 'it''s, (ok'))"]),
        ("", []),
    ],
)
def test_split_commas(listed: str, parts: list[str]) -> None:
    assert split_commas(listed) == parts


def test_closing_bracket() -> None:
    definition = "USING btree (a, f(b, ')')) WHERE (c)"
    assert definition[closing(definition, 12) :] == ") WHERE (c)"
