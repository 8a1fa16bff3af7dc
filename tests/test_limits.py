"""Test that hostile YAML is refused quickly, in few words, by both of PyYAML's parsers."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.declare.load import load
from reconciler.errors import MAX_PROBLEMS, DeclarationError

SECONDS = 1.5  # each takes a few tenths at most; unbounded, they take minutes
OUTPUT = 60_000  # characters of all problems
MANY = 3_000

HOSTILE = {
    "open brackets": "[" * 20_000,
    "open brackets on lines": "[\n" * 20_000,
    "open braces": "{" * 20_000,
    "open braces with keys": "{a: " * 20_000,
    "lists in lists": "- " * 20_000,
    "items in a line": "- a " * MANY,
    "open calls in braces": "{a(" * MANY,
    "calls in a line": "a(" * MANY,
    "empty lines": "tables: {x: {y: 1}}" + "\n" * MANY + ":",
    "keys in keys": "? " * 20_000,
    "indents": "".join(f"{' ' * n}a:\n" for n in range(2_000)),
    "brackets after an error": "a: b: c\n" + "[" * 20_000,
    "unknown keys in a line": "{" + ", ".join(f"k{n}: 1" for n in range(MANY)) + "}",
    "unknown keys": "\n".join(f"k{n}: 1" for n in range(MANY)),
    "unknown fields": "tables: {t: {" + ", ".join(f"k{n}: 1" for n in range(MANY)) + "}}",
    "wrong values": "tables: {" + ", ".join(f"k{n}: 1" for n in range(MANY)) + "}",
    "long keys": "\n".join(f"{'k' * 900}{n}: 1" for n in range(MANY // 10)),
    "a long unknown key": f'? "{"k" * 100_000}"\n: 1',
    "a long name": f'tables: {{? "{"k" * 100_000}" : {{nope: 1}}}}',
    "a long value": f"schema: [{'k' * 100_000}]",
    "a long number": f"tables: {{t: {'1' * 100_000}}}",
    "the same key": "a: 1\n" * MANY,
    "aliases of aliases": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 900)),
    "aliases in themselves": "a: &a [*a, *a]\n" + "b: *none\n" * MANY,
    "merge keys": "x: &x {a: 1}\n" + "".join(f"k{n}: {{<<: *x}}\n" for n in range(1_000)),
    "documents": "---\n" * 10_001,
    "tags": "a: !!python/object/apply:os.system ['touch /tmp/x']\n" + "b: !x 1\n" * 5_000,
    "tabs": "\ta: 1\n" * MANY,
    "NUL": "a: \0\n" * MANY,
    "byte order marks": "\ufeff" * MANY,
    "quotes": "'" * MANY,
    "an open quote": '"' + "a\n" * MANY,
    "anchors": "&a " * 10_000,
    "line separators": "a: \u2028\n" * 10_000,
}
ENCODED = {
    "UTF-16": "schema: a".encode("utf-16"),
    "UTF-32": "schema: a".encode("utf-32"),
    "invalid UTF-8": b"schema: \xff\xfe" * MANY,
    "surrogates": b"schema: \xed\xa0\x80",
}
BYTES = {name: text.encode() for name, text in HOSTILE.items()} | ENCODED


@pytest.fixture(params=[True, False], ids=["libyaml", "pure"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param and not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(yaml, "__with_libyaml__", request.param)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES)
def test_hostile_yaml_is_refused_quickly(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(content)
    start = time.process_time()
    try:
        load(tmp_path)
    except DeclarationError as e:
        message = str(e)
        assert len(message) < OUTPUT
        assert message.count("a.yml:") <= MAX_PROBLEMS
    assert time.process_time() - start < SECONDS


def test_other_problems_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("\n".join(f"k{n}: 1" for n in range(100)))
    with pytest.raises(DeclarationError, match=r"\n… and 80 more\Z"):
        load(tmp_path)
    (tmp_path / "a.yml").write_text("\n".join(f"k{n}: 1" for n in range(1_000)))
    with pytest.raises(DeclarationError, match=r"\n… and at least 480 more\Z"):
        load(tmp_path)


def test_a_long_line_is_shown_around_the_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(f"tables: {{t: {{comment: {'x' * 500}, nope: {'y' * 500}}}}}")
    with pytest.raises(DeclarationError) as e:
        load(tmp_path)
    _, line, caret, *_ = str(e.value).split("\n")
    assert len(line) < 210
    assert line[caret.index("^") :].startswith("nope: yy")


TEXT = st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#,?~ \n\t\r\0\x85\u2028\ufeff0.<="), max_size=60)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(TEXT)
@example("tables: {t: {columns: {? [a] : b}}}")
@example("tables: {t: {columns: &a {a: *a}}}")
@example("a: !<tag:yaml.org,2002:int> x")
@example("%YAML 9.9\n---\na: 1")
@example("%TAG ! tag:x,2000:\n--- !a b")
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    for before in ("", "tables: {t: ", "functions:\n  f():\n    body: ", "checks:\n  a: "):
        (tmp_path / "a.yml").write_text(before + text, newline="")
        with suppress(DeclarationError):
            load(tmp_path)
