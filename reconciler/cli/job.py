"""Read the settings and the YAML files into a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from reconciler import settings
from reconciler.cache import Cache, open_cache
from reconciler.canonicalise.known_forms import Forms
from reconciler.cli.execution_options import ExecutionOptions
from reconciler.cli.options import DeclarationOptions, ReadingOptions
from reconciler.declare.load import load
from reconciler.declare.variables import Placeholders
from reconciler.errors import DeclarationError, Problem, SettingsError
from reconciler.file_faults import with_faults_of_sql
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Declaration
from reconciler.model.variables import Values
from reconciler.pipeline import Job
from reconciler.planning import scope_of
from reconciler.recall.ahead import Ahead
from reconciler.server.scratch import OWN
from reconciler.settings import ResolvedTarget, Settings
from reconciler.shapes import Shapes


@dataclass(frozen=True)
class Declared:
    """The settings, and the YAML files of a command, for any number of targets.

    Targets with the same values of the variables that the files list share one declaration.
    """

    file: Settings
    options: DeclarationOptions
    cache: Cache | None
    forms: Forms | None
    shapes: Shapes | None = None
    _known: list[Declaration] = field(default_factory=list[Declaration])
    _lock: Lock = field(default_factory=Lock)

    @property
    def scratch(self) -> str:
        """The choice of a scratch server."""
        return self.options.scratch or self.file.scratch

    @property
    def state(self) -> Path:
        """The folder of the YAML files."""
        return self.options.state or self.file.state_folder()

    def declaration(self, target: ResolvedTarget) -> Declaration:
        """Return the declaration with the variables of a target; raises DeclarationError.

        Files that declare nothing are an error, unless that is accepted.
        """
        return self._declaration({**target.variables, **self.options.values()})

    def _declaration(self, values: Values) -> Declaration:
        with self._lock:
            for known in self._known:
                if known.variables.items() <= values.items():
                    return known
            found = load(
                self.state,
                files_root=self.options.files_root,
                cache=self.cache,
                variables=values,
                tags=self.options.selected_tags(),
            )
            if found.is_empty and not self.options.allow_empty:
                message, hint = f"{self.state} declares nothing", "--allow-empty accepts that"
                raise DeclarationError([Problem(message, None, hint, "no-declaration")])
            self._known.append(found)
            return found

    def check(self, flags: Iterable[str | None] = ()) -> None:
        """Read the files for the first target that can be resolved, else for none.

        Raises DeclarationError for faults, which other targets would have too.
        """
        for flag in flags:
            with suppress(SettingsError):
                self.declaration(ReadingOptions(flag).resolve(self.file))
                return
        try:
            self._declaration({**self.file.vars, **self.options.values()})
        except DeclarationError:
            root = self.options.files_root
            if not load(self.state, files_root=root, variables=Placeholders()).variables:
                raise

    def job(self, target: ResolvedTarget, *, to_apply: bool = False) -> Job:
        """Return the job of a target; raises DeclarationError."""
        declaration = self.declaration(target)
        schemas = self.options.schemas or self.file.schemas
        return Job(
            target.url,
            declaration,
            scope_of(declaration, schemas, prune=self.options.prune),
            self.scratch,
            session=target.lock_policy.session,
            questions=not self.options.no_questions,
            to_apply=to_apply,
            forms=self.forms,
            shapes=self.shapes,
            journal=target.journal or JOURNAL,
        )


def read_declared(options: DeclarationOptions, *, several: bool = False) -> Declared:
    """Read the settings; options override settings. The YAML files are read for each target.

    `several` targets share what is found equal, and the scratch server, even without a cache; those
    in the same state are planned once.
    """
    file = settings.read()
    cache = None if options.no_cache else open_cache()
    scratch = options.scratch or file.scratch
    forms = Forms(cache, scratch) if scratch in OWN and (cache or several) else None
    shapes = Shapes() if several else None
    return Declared(file, options, cache, forms, shapes)


def make_job(
    options: DeclarationOptions,
    execution: ExecutionOptions | None = None,
    session: Sequence[str] = (),
    ahead: Ahead | None = None,
) -> tuple[Job, ResolvedTarget]:
    """Read the settings and the YAML files into the job of one target; let `ahead` begin to read.

    Raises DeclarationError, SettingsError.
    """
    declared = read_declared(options)
    reading = ReadingOptions(options.target, session)
    if ahead is not None:
        begin(ahead, reading, declared.file)
    try:
        declared.check([options.target])
    except DeclarationError as error:
        if ahead is not None:
            ahead.close()
        raise _with_faults_of_sql(error, options, session) from None
    target = reading.resolve(declared.file)
    if execution is not None:
        target = execution.override(target)
    return declared.job(target, to_apply=execution is not None), target


def begin(ahead: Ahead, reading: ReadingOptions, file: Settings) -> None:
    """Begin to read a target, unless the settings do not tell which."""
    with suppress(SettingsError):
        target = reading.resolve(file)
        ahead.begin(target.url, target.lock_policy.session)


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
