"""The work of a command in the workers of a cluster: no credentials travel there.

A worker takes targets by name from its own reconcile.yml and environment, and has the same files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from reconciler import settings
from reconciler.checks import access
from reconciler.cli.options import DeclarationOptions
from reconciler.cli.target_work import Order, Work, work_on
from reconciler.cli.targets import NamedTarget
from reconciler.declare.files import MAX_YAML_SIZE, FileRefused, files_in_folder, yaml_files
from reconciler.errors import ReconcileError, SettingsError
from reconciler.fleet.cluster import OPTION
from reconciler.rollout.result import ERROR, TargetResult
from reconciler.server.redaction import is_url
from reconciler.server.scratch import OWN

SCRATCH = "RECONCILE_SCRATCH"


def for_workers(work: Work, named: Sequence[NamedTarget]) -> Work:
    """Return the work without URLs, which may hold passwords; raises SettingsError."""
    assert_no_secrets(named, work.execution.session)
    declaration = without_urls(work.declaration)
    checks = replace(work.checks, verify_target=None)
    files = "" if work.undo else digest_of_files(work.declaration)
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
    try:
        declaration = declaration_of_worker(work.declaration, work.files)
    except (ReconcileError, OSError) as error:
        return TargetResult(named.name, "failed", ERROR, message=str(error))
    checks = replace(work.checks, verify_target=os.environ.get(access.VARIABLE))
    own = replace(work, declaration=declaration, checks=checks)
    return work_on(replace(order, work=own), named)


def declaration_of_worker(declaration: DeclarationOptions, digest: str) -> DeclarationOptions:
    """Return the options with the scratch server of this worker's environment.

    Raises SettingsError where the worker's files have another digest than those of the command; a
    command that reads no files has an empty digest.
    """
    if digest:
        try:
            own = digest_of_files(declaration)
        except (ReconcileError, OSError) as error:
            raise SettingsError(f"files of the worker: {error}") from None
        if own != digest:
            raise SettingsError("the YAML files of the worker are others than those of the command")
    return replace(declaration, scratch=declaration.scratch or os.environ.get(SCRATCH))


def digest_of_files(declaration: DeclarationOptions) -> str:
    """Digest the YAML files of the declaration, and the files of SQL beside them.

    Raises SettingsError for a file that cannot or must not be read.
    """
    folder = declaration.state or settings.read().state_folder()
    content = sha256()
    try:
        files = files_in_folder(folder)
        names = [*yaml_files(folder), *(_files_of_sql(folder) if folder.is_dir() else ())]
        for path in sorted(names):
            content.update(f"{path.relative_to(folder)}\n".encode())
            content.update(sha256(files.read(path, MAX_YAML_SIZE)).digest())
    except FileRefused as error:
        raise SettingsError(f"cannot read {folder}: {error}") from None
    return content.hexdigest()


def _files_of_sql(folder: Path) -> Sequence[Path]:
    return [path for path in folder.rglob("*.sql") if path.is_file()]
