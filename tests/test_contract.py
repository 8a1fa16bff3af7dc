"""Every kind fulfils its contract: a member that is left out or contradicts another fails here."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from types import FunctionType

import pytest

from reconciler.declare.examples import TOPICS
from reconciler.declare.reference import keys_of, pages
from reconciler.kinds import KINDS
from reconciler.model.object import InlinePart, Object
from reconciler.model.record import Record
from reconciler.server.capabilities import Server

ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.kind)
LANGUAGE = Path(__file__).parents[1] / "docs" / "language"
REQUIRED = ("section", "oid_column", "omitted_is_default", "catalog", "define")


@ALL
@pytest.mark.parametrize("member", REQUIRED)
def test_a_kind_declares_the_members_without_default(kind: type[Object], member: str) -> None:
    declared = {m for c in kind.__mro__ if c not in (Object, Record) for m in vars(c)}
    assert member in declared, f"{kind.kind}: declare {member}"


@ALL
@pytest.mark.parametrize("server", [Server(140000), Server(180000)], ids=["14", "18"])
def test_the_catalog_query_of_a_kind_agrees_with_its_flags(
    kind: type[Object], server: Server
) -> None:
    # pg_user_mapping is readable by superusers only: servers without mappings are asked for nothing
    query = kind.catalog(server).replace("pg_user_mappings", "pg_foreign_server")
    assert "AS schema" in query or kind.schemaless, "schemaless, or no column `schema`"
    assert "addresses" in query
    catalog, _, column = kind.oid_column.partition(".")
    assert kind.oid_column == "" or (catalog in query and column)


@ALL
def test_the_fields_that_a_kind_names_exist(kind: type[Object]) -> None:
    assert {*kind.sql_fields, *kind.first_version} <= kind.model_fields.keys()


@ALL
def test_parents_of_a_kind_are_kinds(kind: type[Object]) -> None:
    assert {*kind.parent_kinds} <= KINDS.keys()
    assert kind.parent_kinds or not issubclass(kind, InlinePart)


def test_no_two_kinds_share_a_section_of_one_parent() -> None:
    sections = [(p, k.section) for k in KINDS.values() for p in k.parent_kinds or ("",)]
    assert len(sections) == len({*sections})


def test_capabilities_bring_no_kind_of_their_own() -> None:
    """A capability is an ability; a kind that subclasses another kind would be read twice."""
    for kind in KINDS.values():
        assert [c.__name__ for c in kind.__mro__ if "kind" in vars(c)] == [kind.__name__]


def _own_functions(cls: type) -> dict[str, FunctionType]:
    """Return the methods and properties that a class itself defines."""
    unwrapped = {
        name: member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        for name, member in [*vars(cls).items()]  # reading may add to pydantic's
    }
    return {n: f for n, f in unwrapped.items() if isinstance(f, FunctionType)}


@ALL
def test_an_override_takes_the_parameters_of_its_contract(kind: type[Object]) -> None:
    """Nothing else does: basedpyright lets `old: Self` narrow, and then checks no override."""
    for n, cls in enumerate(kind.__mro__):
        for name, function in _own_functions(cls).items():
            for base in kind.__mro__[n + 1 :]:
                inherited = _own_functions(base).get(name)
                if inherited is not None and base.__module__.startswith("reconciler."):
                    own, contract = signature(function).parameters, signature(inherited).parameters
                    assert [*own] == [*contract], (
                        f"{cls.__name__}.{name} and {base.__name__}.{name}"
                    )


@ALL
def test_no_default_of_a_capability_hides_the_answer_of_a_kind(kind: type[Object]) -> None:
    """The order of base classes matters: a capability before a base that answers wins."""
    classes = [c for c in kind.__mro__ if c.__module__.startswith("reconciler.")]
    for number, one in enumerate(classes):
        own = {m for m in vars(one) if not m.startswith(("__", "_abc", "model_"))}
        for other in classes[number + 1 :]:
            hidden = set[str]() if issubclass(one, other) else own & vars(other).keys()
            assert not hidden, f"{one.__name__} hides {hidden} of {other.__name__}"


def test_the_pages_are_what_the_models_give() -> None:
    """Where this fails, run `reconcile explain --out docs/language`, and review the difference."""
    written = {p.name: p.read_text() for p in LANGUAGE.iterdir()}
    assert written == pages()


@pytest.mark.parametrize("topic", TOPICS)
def test_every_key_has_a_line_of_help_and_an_example(topic: str) -> None:
    for key in keys_of(topic):
        assert key.help, f"{topic}.{key.name}: no description"
        assert key.example, f"{topic}.{key.name}: in no example"
