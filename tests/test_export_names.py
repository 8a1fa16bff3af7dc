"""Test that exports are read back as they were, whatever the names and texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from reconciler import pipeline
from reconciler.declare.dump import Block, Section, dump_yaml
from reconciler.declare.export import _safe  # pyright: ignore[reportPrivateUsage]
from reconciler.declare.files import files_in_folder
from reconciler.declare.load import load
from reconciler.declare.nodes import plain
from reconciler.declare.parse import documents
from reconciler.errors import Problem, SettingsError
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.sql import compose, literal, name, text
from tests.conftest import Database

EVERYTHING = Scope(frozenset({"*"}), prune=True, everything=True)
WORDS = (
    *("<<", "=", "null", "~", "yes", "on", "true", "True", "1", "1.0", "1e3", "0x10", "0o7", "1_0"),
    *("2024-01-01", ".inf", ".nan", " ", "  a", "a ", "#", "a #b", "a: b", "a:", ":a", "- a", "-"),
    *("*a", "&a", "!a", "%a", "@a", "`a", "'", '"', '"a"', "''", "a'b", 'a"b', "[a", "{a", "a,b"),
    *("?", "? a", "|", ">", "a\nb", "\n", "a\n", "\ta", "a\tb", "a\r\nb", "\r", "a\x85b", "\x7f"),
    *("a\u2028b", "a\u2029", "\ufeff", "\ufeffa", "😀", "\ufffe", "\ue000", "é", "e\u0301", "ſ"),
    *(".", "..", ".x", "x", "x.", "a.b", "a/b", "/", "\\", "c:d", "%", "%2e", "A", "a", "É", "K"),
    *(
        "con",
        "CON",
        "nul",
        "com1",
        "lpt9",
        "tables.yml",
        "reconcile.yml",
        "a(b",
        "a(b)",
        "(",
        "---",
    ),
    *("\x01", "\x1b[1m", "é" * 31, "日" * 21, "😀" * 15, "\u202e", "ı", "İ", "ß", "ss", "state"),
)
IN_DATABASE = (  # each stands for a sort of name
    *("<<", "null", "1e3", "0o7", "true", " ", "  a", "a ", "a: b", "- a", "*a", '"', '"a"', "a'b"),
    *(
        'a"b',
        "a,b",
        "a\nb",
        "\t",
        "a\x85b",
        "\ufeffa",
        "é",
        "e\u0301",
        ".",
        ".x",
        "x",
        "a.b",
        "A",
        "a",
    ),
    *("/", "con", "tables.yml", "a(b", "(", "\x1b[1m", "日" * 21, "state"),
)
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXTS = st.sampled_from(WORDS) | st.text(CHARACTERS, max_size=20)
NAMES = TEXTS.filter(lambda t: 0 < len(t.encode()) <= 63)
ALWAYS = settings(deadline=None, derandomize=True, max_examples=40)


def read_by(parser: object, file: Path) -> object:
    """Read a file by one of PyYAML's parsers, without recourse to the other."""
    problems: list[Problem] = []

    def parsers(_: str) -> list[object]:
        return [parser]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reconciler.declare.parse._parsers", parsers)
        (found,) = documents(file, problems, files_in_folder(file))
    assert problems == []
    return plain(found)


@pytest.mark.parametrize("parser", ["CSafeLoader", "SafeLoader"])
@settings(ALWAYS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=1, max_size=6), st.text(CHARACTERS, max_size=40))
@example(list(WORDS), "\t\n a \n\n")
@example(["\n".join(WORDS)], " \n\n  \n a")
@example(["\tBEGIN\n  x \t\n"], "\n\n\tx")
@example([" " * 200, "a " * 200, "\n" * 50], "a" * 1200)
@example(["\ufffe" * 300], "x")
def test_texts_are_read_back(parser: str, tmp_path: Path, texts: list[str], key: str) -> None:
    loader = getattr(yaml, parser, None)
    if loader is None:
        pytest.skip("PyYAML was built without libyaml")
    content = {
        "list": [*texts],
        "blocks": Section({f"{n}": Block(t) for n, t in enumerate(texts)}),
        "blocks in a list": [{"a": Block(t), "b": t} for t in texts],
        "keys": Section(dict.fromkeys(texts, "x")),
        "flow": {t: t for t in texts},
        key: {"a": {key: {"b": key}}},
    }
    file = tmp_path / "a.yml"
    file.write_text(dump_yaml(content), encoding="utf-8", newline="")
    assert read_by(loader, file) == content


def as_file_system(file: str) -> str:
    """Fold a name as file systems that ignore case and normalization do."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFC", file).casefold()).upper()


@ALWAYS
@given(NAMES, NAMES)
@example("x", ".x")
@example("A", "a")
@example("é", "e\u0301")
@example("K", "k")
@example("%2e", ".")
def test_names_have_files_of_their_own(one: str, other: str) -> None:
    assume(one != other)
    files = [_safe(one), _safe(other)]
    assert as_file_system(files[0]) != as_file_system(files[1])
    for file in files:
        assert 0 < len(file.encode()) <= 240
        assert not set(file) & set('./\\:*?"<>| \n\0')
        assert file not in {"con", "nul", "com1", "lpt9"}


def test_plain_names_stay_plain() -> None:
    assert [_safe(n) for n in ("public", "app_2", "schéma", "App", "con", "v1.2")] == [
        *("public", "app_2", "schéma", "%41pp", "%63on", "v1%2e2")
    ]


@settings(
    deadline=None,
    derandomize=True,
    max_examples=1,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(NAMES, min_size=4, max_size=12, unique=True))
@example(list(IN_DATABASE))
def test_objects_of_any_name_are_exported(
    new_database: Callable[..., Database],
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
) -> None:
    database, folder = new_database(), tmp_path_factory.mktemp("export")
    schemas = [n for n in names if not n.startswith("pg_")]
    database.run(";".join(text(compose("CREATE SCHEMA {}", name(s))) for s in schemas))
    database.run(";".join(creations(names, schemas)))
    pipeline.export_state(database.url, EVERYTHING, folder)
    plan = pipeline.plan_changes(Job(database.url, load(folder), EVERYTHING))
    assert [(c.action, c.kind, c.identity) for c in plan.changes] == []


def creations(names: list[str], schemas: list[str]) -> list[str]:
    """Return statements that use each name for many kinds of object, and as a text."""
    columns = ", ".join(f"{text(name(n))} text DEFAULT {text(literal(n))}" for n in names)
    made = [f"CREATE TABLE all_names ({columns})"]
    made += [text(compose("CREATE TABLE {} (id int)", name(s, s))) for s in schemas]
    made += [
        f"CREATE SCHEMA {s}" for s in ("other", "views", "sequences", "domains", "types", "keys")
    ]
    made += [
        "CREATE TABLE other.indexed (a text, b text)",
        "CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ]
    values = ", ".join(text(literal(n)) for n in names)
    made.append(f"CREATE TYPE word AS ENUM ({values})")
    for n in names:
        column, quoted = text(name(n)), text(literal(n))
        made += [
            f"CREATE TABLE public.{column} ({column} int)",
            f"COMMENT ON COLUMN public.{column}.{column} IS {quoted}",
            f"CREATE FUNCTION public.{column}({column} int, second text DEFAULT {quoted})"
            f" RETURNS text LANGUAGE sql AS {text(literal(f'SELECT {quoted}::text'))}",
            f"ALTER TABLE all_names ADD CONSTRAINT {column} CHECK ({column} <> 'x')",
            f"CREATE POLICY {column} ON all_names USING ({column} <> '')",
            f"CREATE TRIGGER {column} BEFORE UPDATE OF {column} ON all_names"
            f" FOR EACH ROW EXECUTE FUNCTION changed({quoted})",
            f"CREATE INDEX {column} ON other.indexed (a, ({quoted} || a)) INCLUDE (b)",
            f"CREATE VIEW views.{column} AS SELECT {column} FROM public.{column}",
            f"CREATE SEQUENCE sequences.{column}",
            f"CREATE DOMAIN domains.{column} AS text CONSTRAINT {column} CHECK (VALUE <> {quoted})",
            f"CREATE TYPE types.{column} AS ({column} domains.{column})",
            f"CREATE STATISTICS other.{column} ON a, b FROM other.indexed",
            f"CREATE INDEX ON public.{column} ({column}) INCLUDE ({column})",
            f"ALTER TABLE public.{column} ADD PRIMARY KEY ({column})",
            f"CREATE TABLE keys.{column} (z domains.{column}, {column} int UNIQUE"
            f" REFERENCES public.{column} ({column}))",
            f"CREATE RULE {column} AS ON DELETE TO other.indexed WHERE old.a = {quoted} DO NOTHING",
            f"GRANT SELECT ({column}) ON all_names TO PUBLIC",
        ]
    return made


def test_a_link_in_the_folder_is_not_followed(database: Database, tmp_path: Path) -> None:
    database.run("CREATE TABLE t (id int)")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "public").symlink_to("../elsewhere")
    with pytest.raises(SettingsError, match="is a link"):
        pipeline.export_state(database.url, EVERYTHING, tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingsError, match="file"):
        pipeline.export_state(database.url, EVERYTHING, tmp_path / "file")
