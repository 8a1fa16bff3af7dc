"""Read the settings and the YAML files into a job."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from reconciler import settings
from reconciler.cache import open_cache
from reconciler.canonicalise.known_forms import Forms
from reconciler.cli.execution_options import ExecutionOptions
from reconciler.cli.options import DeclarationOptions, ReadingOptions
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, Problem, SettingsError
from reconciler.file_faults import with_faults_of_sql
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Declaration, Scope
from reconciler.pipeline import Job
from reconciler.planning import scope_of
from reconciler.server.scratch import OWN
from reconciler.settings import ResolvedTarget, Settings
from reconciler.shapes import Shapes


@dataclass(frozen=True)
class Declared:
    """The settings, and the YAML files of a command: one declaration for any number of targets."""

    file: Settings
    options: DeclarationOptions
    declaration: Declaration
    scope: Scope
    forms: Forms | None
    shapes: Shapes | None = None

    @property
    def scratch(self) -> str:
        """The choice of a scratch server."""
        return self.options.scratch or self.file.scratch

    def assert_not_empty(self) -> None:
        """Raise DeclarationError for files that declare nothing, unless that is accepted."""
        if self.declaration.is_empty and not self.options.allow_empty:
            state = self.options.state or self.file.state_folder()
            message, hint = f"{state} declares nothing", "--allow-empty accepts that"
            raise DeclarationError([Problem(message, None, hint, "no-declaration")])

    def job(self, target: ResolvedTarget, *, to_apply: bool = False) -> Job:
        """Return the job of a target."""
        return Job(
            target.url,
            self.declaration,
            self.scope,
            self.scratch,
            session=target.lock_policy.session,
            questions=not self.options.no_questions,
            to_apply=to_apply,
            forms=self.forms,
            shapes=self.shapes,
            journal=target.journal or JOURNAL,
        )


def read_declared(options: DeclarationOptions, *, several: bool = False) -> Declared:
    """Read the settings and the YAML files; options override settings.

    `several` targets share what is found equal, and the scratch server, even without a cache; those
    in the same state are planned once.
    """
    file = settings.read()
    state = options.state or file.state_folder()
    cache = None if options.no_cache else open_cache()
    declaration = load(state, files_root=options.files_root, cache=cache)
    scope = scope_of(declaration, options.schemas or file.schemas, prune=options.prune)
    scratch = options.scratch or file.scratch
    forms = Forms(cache, scratch) if scratch in OWN and (cache or several) else None
    shapes = Shapes() if several else None
    return Declared(file, options, declaration, scope, forms, shapes)


def make_job(
    options: DeclarationOptions,
    execution: ExecutionOptions | None = None,
    session: Sequence[str] = (),
) -> tuple[Job, ResolvedTarget]:
    """Read the settings and the YAML files into the job of one target."""
    try:
        declared = read_declared(options)
    except DeclarationError as error:
        raise _with_faults_of_sql(error, options, session) from None
    target = ReadingOptions(options.target, session).resolve()
    declared.assert_not_empty()
    if execution is not None:
        target = execution.override(target)
    return declared.job(target, to_apply=execution is not None), target


def _with_faults_of_sql(
    error: DeclarationError, options: DeclarationOptions, session: Sequence[str]
) -> DeclarationError:
    """Return an error of files with what PostgreSQL refuses in the rest, if a target is named."""
    if error.rest is None or not error.rest.objects:
        return error
    with suppress(SettingsError):
        file = settings.read()
        scope = scope_of(error.rest, options.schemas or file.schemas, prune=False)
        target = ReadingOptions(options.target, session).resolve()
        scratch = options.scratch or file.scratch
        session_of_target = target.lock_policy.session
        job = Job(target.url, error.rest, scope, scratch, session=session_of_target)
        return with_faults_of_sql(error, job)
    return error
