"""Remember a result "no difference", and find it again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from reconciler.cache import Cache, open_cache, stamps_of
from reconciler.declare.files import Sources
from reconciler.errors import StatementFailed
from reconciler.model.variables import Values
from reconciler.recall import COMMANDS
from reconciler.recall.circumstances import SETTINGS_FILE, key_of, split_options
from reconciler.server.catalog_fingerprint import CatalogFingerprint, catalog_fingerprint
from reconciler.server.connection import Connection, connect_to_read
from reconciler.server.redaction import is_url

if TYPE_CHECKING:  # slow to import
    from reconciler.lint.rule import Finding
    from reconciler.settings import Settings

SECTION = "result"
DATED = frozenset({"prometheus"})  # formats that tell when the result was found
OF_SOME_TARGETS = frozenset({"lint"})  # commands for which a target is optional, and --all another
LINT_TARGET = "RECONCILE_LINT_TARGET"
MAX_AGE = 24 * 3600  # seconds: at least once a day all is read


@dataclass(frozen=True)
class Result:
    """The output of a command: a document, the name of the format, and the exit status.

    `measured` are findings of lint by statistics; None for commands that ask for none.
    """

    document: str
    format_name: str
    status: int = 0
    measured: Sequence[Finding] | None = None


@dataclass(frozen=True)
class Question:
    """A command line with a possibly remembered result; `key` is the key of the circumstances.

    `settings` are those of reconcile.yml, if they have been read.
    """

    command: str
    arguments: Sequence[str]
    cache: Cache
    key: str
    settings: Settings | None = None

    def result(self) -> Result | None:
        """Return the result if it is still the same; raises ReconcileError for a lost server."""
        try:
            return self._result(self.cache.get(SECTION, self.key))
        except (KeyError, TypeError, ValueError, AttributeError):  # an entry of another shape
            return None

    def _result(self, entry: Any) -> Result | None:
        if entry is None or not 0 <= time.time() - float(entry["time"]) < MAX_AGE:
            return None
        sources = entry["sources"] and Sources.from_json(entry["sources"])
        places: dict[str, list[int]] = entry["places"]
        if stamps_of(places) != places or (sources and not sources.are_unchanged()):
            return None
        target = self._target(dict(entry["variables"]))
        session = cast("dict[str, str]", dict(entry["session"]))
        if target is None:
            return None
        with connect_to_read(target, session) as connection:
            if not _is_unchanged(entry, connection):
                return None
        return Result(str(entry["document"]), str(entry["format"]), int(entry["status"]))

    def _target(self, used: Mapping[str, object]) -> str | None:
        """Return the target of the command line, of DATABASE_URL or of the settings.

        None for a target with other variables than those `used`. What the circumstances do not
        tell of them comes from sources outside reconcile.yml.
        """
        options, _ = split_options(self.arguments)
        (named,) = options["targets"] or (self._default(),)
        if self.command in OF_SOME_TARGETS and not named:
            return None
        choice = named or os.environ.get("DATABASE_URL") or ""
        if is_url(choice):
            return choice
        if not choice and not os.path.lexists(SETTINGS_FILE) and os.environ.get("PGHOST"):
            return ""
        from reconciler import settings  # noqa: PLC0415 - slow to import

        resolved = settings.resolve_target(self.settings or settings.read(), named)
        same = _are_same(used, resolved.variables, options["variables"])
        return resolved.url if same else None

    def _default(self) -> str | None:
        return os.environ.get(LINT_TARGET) if self.command in OF_SOME_TARGETS else None

    def remember(
        self,
        result: Result,
        fingerprint: CatalogFingerprint,
        sources: Sources | None,
        session: Mapping[str, str],
        places: Sequence[str],
        variables: Values,
    ) -> None:
        """Store a result, unless the circumstances have changed since the start.

        `variables` are those that the declaration lists. `places` are files and folders that helped
        to make the result, or that are not there.
        """
        if any("." in name for name in session):  # it may hold a secret of an extension
            return
        if key_of(self.command, self.arguments) != self.key:
            return
        entry = {
            "time": time.time(),
            "catalogs": fingerprint.digest,
            "transaction": fingerprint.transaction,
            "sources": sources and sources.as_json(),
            "session": dict(session),
            "places": stamps_of(places),
            "variables": _spelled(variables),
            "document": result.document,
            "format": result.format_name,
            "status": result.status,
            "measured": None if result.measured is None else _as_json(result.measured),
        }
        self.cache.put(SECTION, self.key, entry)


def fingerprint_for(question: Question | None, connection: Connection) -> CatalogFingerprint | None:
    """Take the fingerprint with which the answer to a question is remembered."""
    if question is not None:
        with suppress(StatementFailed):
            return catalog_fingerprint(connection)
    return None


def _is_unchanged(entry: Any, connection: Connection) -> bool:
    """Tell whether the catalogs are as they were, and what lint finds by statistics."""
    known = CatalogFingerprint(str(entry["catalogs"]), int(entry["transaction"]))
    try:
        found = catalog_fingerprint(connection)
        if found is None or not known.is_same(found):
            return False
        return entry["measured"] is None or entry["measured"] == _measured(connection)
    except StatementFailed:
        return False


def _measured(connection: Connection) -> list[list[str]]:
    """Return what lint finds now by statistics, as an entry holds it."""
    from reconciler.lint.look import findings_on  # noqa: PLC0415 - only for lint
    from reconciler.lint.rules import rules  # noqa: PLC0415 - only for lint

    return _as_json(findings_on(connection, (), rules(is_measured=True)))


def _as_json(findings: Iterable[Finding]) -> list[list[str]]:
    return sorted([f.rule, f.message, f.fix] for f in findings)


def question_of(arguments: Sequence[str]) -> Question | None:
    """Return the question of a command line; None where no result is remembered.

    What is written to a file, signed, dated, or told to others, is made anew, and so is what files
    of SQL start from.
    """
    if not arguments or arguments[0] not in COMMANDS or os.environ.get("RECONCILE_PLAN_KEY"):
        return None
    command, *others = arguments
    options, _ = split_options(others)
    several = options["limits"] or len(options["targets"]) > 1
    if command in OF_SOME_TARGETS:
        if options["write_baseline"]:
            return None
    elif options["every"]:
        return None
    told = options["webhook"] or os.environ.get("RECONCILE_WEBHOOK") or options["state_file"]
    dated = DATED & {*options["formats"]}
    if several or told or dated or options["out"] or options["start"]:
        return None
    return _question(command, others, no_cache=options["no_cache"])


def _are_same(used: Mapping[str, object], values: Values, flags: Sequence[str]) -> bool:
    """Tell whether the variables that were used have the same values, apart from those of --var."""
    of_flags = {flag.partition("=")[0] for flag in flags}
    return {n: v for n, v in used.items() if n not in of_flags}.items() <= _spelled(values).items()


def _spelled(variables: Values) -> dict[str, str]:
    """Return variables as an entry holds them, with the types of the values."""
    return {n: f"{type(v).__name__} {v}" for n, v in variables.items()}


def question_of_target(
    arguments: Sequence[str], target: str | None, file: Settings
) -> Question | None:
    """Return the question whether one target of a command line is still as declared.

    The result is a document in the format json, whatever the command line asks for.
    """
    command, *others = arguments
    options, more = split_options(others)
    own = ["--target", target] if target else []
    scratch = ["--scratch", options["scratch"]] if options["scratch"] else []
    variables = [word for option in options["variables"] for word in ("--var", option)]
    alone = [*own, *scratch, *variables, "--format", "json", *more]
    question = _question(command, alone, no_cache=options["no_cache"])
    return replace(question, settings=file) if question else None


def _question(command: str, arguments: Sequence[str], *, no_cache: bool) -> Question | None:
    cache = open_cache()
    if cache is None or no_cache:
        return None
    try:
        return Question(command, arguments, cache, key_of(command, arguments))
    except OSError:
        return None
