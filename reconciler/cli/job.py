"""Read the settings and the YAML files into a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler import settings
from reconciler.cache import open_cache
from reconciler.canonicalise.known_forms import Forms
from reconciler.cli.options import DeclarationOptions, ExecutionOptions, ReadingOptions
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, Problem, SettingsError
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Declaration, Scope
from reconciler.pipeline import Job
from reconciler.server.scratch import OWN
from reconciler.settings import ResolvedTarget


def make_job(
    options: DeclarationOptions,
    execution: ExecutionOptions | None = None,
    session: Sequence[str] = (),
) -> tuple[Job, ResolvedTarget]:
    """Read the settings and the YAML files; options override settings."""
    file = settings.read()
    state = options.state or file.state_folder()
    cache = None if options.no_cache else open_cache()
    declaration = load(state, files_root=options.files_root, cache=cache)
    scope = _scope(declaration, options.schemas or file.schemas, prune=options.prune)
    target = ReadingOptions(options.target, session).resolve()
    if declaration.is_empty and not options.allow_empty:
        message, hint = f"{state} declares nothing", "--allow-empty accepts that"
        raise DeclarationError([Problem(message, None, hint, "no-declaration")])
    if execution is not None:
        target = execution.override(target)
    scratch = options.scratch or file.scratch
    forms = Forms(cache, scratch) if cache and scratch in OWN else None
    return Job(
        target.url,
        declaration,
        scope,
        scratch,
        session=target.lock_policy.session,
        questions=not options.no_questions,
        to_apply=execution is not None,
        forms=forms,
        journal=target.journal or JOURNAL,
    ), target


def _scope(declaration: Declaration, schemas: Iterable[str], *, prune: bool) -> Scope:
    """Return the schemas to compare; raises SettingsError for --prune that reaches none."""
    named = frozenset(schemas)
    scope = Scope(
        named or declaration.schemas,
        prune=prune,
        everything="*" in named,
        pruned=None if named else declaration.own_schemas,
    )
    if scope.prune and not (named or scope.pruned):
        raise SettingsError(
            "--prune reaches no schema: name one by --schema, under `schemas:` or as `schema:` of a"
            " file"
        )
    return scope
