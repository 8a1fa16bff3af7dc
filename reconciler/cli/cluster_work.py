"""The work of a command in the workers of a cluster: no credentials travel there.

A worker takes targets by name from its own reconcile.yml and environment; it has the same files,
and the same variables of the targets.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from reconciler import settings
from reconciler.cache import open_cache
from reconciler.checks import access
from reconciler.cli.options import DeclarationOptions
from reconciler.cli.target_work import Order, Work, work_on
from reconciler.cli.targets import NamedTarget, digest_of_variables
from reconciler.declare.files import Sources
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, ReconcileError, SettingsError
from reconciler.fleet.cluster import OPTION
from reconciler.inventory.source_answers import keep_for
from reconciler.rollout.result import ERROR, TargetResult
from reconciler.server.redaction import is_url
from reconciler.server.scratch import OWN
from reconciler.settings import Settings

SCRATCH = "RECONCILE_SCRATCH"
MAX_TRIED = 10  # targets for which the files are read, until there is one without faults


def for_workers(work: Work, named: Sequence[NamedTarget]) -> Work:
    """Return the work without URLs, which may hold passwords; raises SettingsError."""
    assert_no_secrets(named, work.execution.session)
    declaration = without_urls(work.declaration)
    checks = replace(work.checks, verify_target=None)
    files = "" if work.undo else digest_of_files(work.declaration, named)
    return replace(work, declaration=declaration, checks=checks, files=files)


def assert_no_secrets(named: Sequence[NamedTarget], session: Sequence[str]) -> None:
    """Raise SettingsError for targets and settings that may hold a secret."""
    for target in named:
        if target.flag is None or is_url(target.flag):
            raise SettingsError(
                f"{OPTION}: target {target.name or 'without a name'} has no name in"
                " reconcile.yml, by which workers find its URL in their own environment"
            )
    for option in session:
        if "." in option.partition("=")[0]:
            raise SettingsError(
                f"{OPTION}: --set of an extension's parameter may hold a secret, and is not sent"
                " to workers"
            )


def without_urls(declaration: DeclarationOptions) -> DeclarationOptions:
    """Return the options without the URL of a scratch server."""
    scratch = declaration.scratch
    return replace(declaration, scratch=scratch if scratch in (*OWN, "target") else None)


def work_in_worker(order: Order, named: NamedTarget) -> TargetResult:
    """Carry out an order with the files and the environment of this worker."""
    work = order.work
    keep_for(work.id)
    try:
        declaration = declaration_of_worker(work.declaration, work.files, named)
    except (ReconcileError, OSError) as error:
        return TargetResult(named.name, "failed", ERROR, message=str(error))
    checks = replace(work.checks, verify_target=os.environ.get(access.VARIABLE))
    own = replace(work, declaration=declaration, checks=checks)
    return work_on(replace(order, work=own), named)


def declaration_of_worker(
    declaration: DeclarationOptions, digest: str, named: NamedTarget
) -> DeclarationOptions:
    """Return the options with the scratch server of this worker's environment.

    Raises SettingsError where the worker's files or the variables of the target are others than
    those of the command; a command that reads no files has an empty digest.
    """
    if digest:
        try:
            own = digest_of_files(declaration, [named])
        except (ReconcileError, OSError) as error:
            raise SettingsError(f"files of the worker: {error}") from None
        if own != digest:
            raise SettingsError(
                "the YAML files of the worker are others than those of the command, or a file that"
                " they name, or `schemas` of reconcile.yml"
            )
        if digest_of_variables(settings.read(), named.name) != named.variables:
            raise SettingsError(
                "the variables of the target are others in the worker than in the command, by"
                " `vars` of reconcile.yml or of an inventory"
            )
    return replace(declaration, scratch=declaration.scratch or os.environ.get(SCRATCH))


def digest_of_files(declaration: DeclarationOptions, named: Sequence[NamedTarget]) -> str:
    """Digest what decides beside the variables: the files of the declaration for some target.

    Which files are read does not depend on variables. Raises ReconcileError for files that cannot
    be read, and for a declaration with faults for the first few targets.
    """
    file = settings.read()
    folder = declaration.state or file.state_folder()
    sources = _sources(declaration, file, folder, named)
    content = sha256(repr(declaration.schemas or file.schemas).encode())
    below = sources.path if sources.path.is_dir() else sources.path.parent
    shown = {_shown(path, below, sources.further): d for path, d in sources.digests.items()}
    for name, digest in sorted(shown.items()):
        content.update(f"{name}\n{digest}\n".encode())
    return content.hexdigest()


def _shown(path: Path, *folders: Path | None) -> str:
    """Return a path below one of the folders, which may lie elsewhere on another machine."""
    below = [path.relative_to(f) for f in folders if f is not None and path.is_relative_to(f)]
    return str(below[0] if below else path)


_READ: dict[tuple[DeclarationOptions, Path], Sources] = {}  # of the command at work


def _sources(
    declaration: DeclarationOptions, file: Settings, folder: Path, named: Sequence[NamedTarget]
) -> Sources:
    """Return the files of the declaration, read again unless they are as they were."""
    key = declaration, folder.resolve()
    known = _READ.get(key)
    if known is None or not known.are_unchanged():
        known = _read_sources(declaration, file, folder, named)
        _READ.clear()
        _READ[key] = known
    return known


def _read_sources(
    declaration: DeclarationOptions, file: Settings, folder: Path, named: Sequence[NamedTarget]
) -> Sources:
    fault: ReconcileError = SettingsError("no target to read the files for")
    for target in named[:MAX_TRIED]:
        try:
            return load(
                folder,
                files_root=declaration.files_root,
                cache=None if declaration.no_cache else open_cache(),
                variables={**file.variables_of(target.name), **declaration.values()},
                tags=declaration.selected_tags(),
            ).sources
        except (DeclarationError, SettingsError) as error:
            fault = error
    raise fault
