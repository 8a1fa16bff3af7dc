"""Keep what could be read of files with faults, and the names of what is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from reconciler.declare.files import MAX_YAML_SIZE, FileRefused, Files
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration

# A key before a colon: quoted or not, with arguments or without. No part of the text is tried more
# than a few times, whatever it holds.
_KEY = re.compile(
    r"""(?:^[ ]*+(?:-[ ]++)*+|[{,]\s*+)
        (?:"((?:[^"\\\n]|\\.)+)" | '((?:[^'\n]|'')+)' | ([^\s{},:#'"][^{},:#\n(]*+))
        (?:\([^\n(){}]*+(?:\([^\n(){}]*+\)[^\n(){}]*+)*+\))?[ ]*:(?=\s|$)""",
    re.MULTILINE | re.VERBOSE,
)


def without_faults(
    declaration: Declaration, faulty: Set[Ref], files: Iterable[Path], read: Files
) -> Declaration:
    """Return the declaration without objects at fault; `lost` are the other names in `files`.

    The lists of `exclusive` are not complete without what is lost.
    """
    objects = {r: o for r, o in declaration.objects.items() if r not in faulty}
    known = {r.name for r in objects}
    lost = {key for file in files for key in _keys(file, read)} - known
    lost |= {r.name for r in faulty}
    return replace(declaration, objects=objects, exclusive={}, lost=frozenset(lost))


def _keys(file: Path, read: Files) -> Iterator[str]:
    """Yield the keys of a YAML file that may not be one, without schemas and arguments."""
    with suppress(FileRefused, OSError):
        content = read.read(file, MAX_YAML_SIZE).decode(errors="replace")
        for double, single, bare in _KEY.findall(content):
            key = double or single or bare.strip()
            yield key.partition("(")[0].strip().rpartition(".")[2].strip('"')
