"""Positions of the keys of a declaration, by object."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import cast

from reconciler.errors import Position
from reconciler.model.ref import Ref


@dataclass(frozen=True, eq=False)
class Positions(Mapping[tuple[Ref, str], Position]):
    """Positions by object and YAML key; "" is the object's own key."""

    by_ref: dict[Ref, dict[str, Position]] = field(default_factory=dict[Ref, dict[str, Position]])

    def add(self, ref: Ref, positions: dict[str, Position]) -> None:
        """Add the positions of an object's keys, but of those that an earlier document has."""
        known = self.by_ref.setdefault(ref, positions)
        if known is not positions:
            for key, position in positions.items():
                known.setdefault(key, position)

    def put(self, ref: Ref, key: str, position: Position) -> None:
        """Add the position of a key, or replace it."""
        self.by_ref.setdefault(ref, {})[key] = position

    def __getitem__(self, key: tuple[Ref, str]) -> Position:
        ref, own = key
        return self.by_ref[ref][own]

    def __contains__(self, key: object) -> bool:
        ref, own = cast("tuple[Ref, str]", key)
        return own in self.by_ref.get(ref, ())

    def __iter__(self) -> Iterator[tuple[Ref, str]]:
        return ((ref, key) for ref, keys in self.by_ref.items() for key in keys)

    def __len__(self) -> int:
        return sum(map(len, self.by_ref.values()))


@dataclass
class Places:
    """Positions as JSON holds them, those of an object one after the other.

    `refs` are the numbers of the objects, and `keys` those of the lists of their keys in
    `key_lists`. Each position has its line and its column. The positions in one file end at an
    index in `ends`; `numbers` are those of these files in `files`.
    """

    refs: list[int] = field(default_factory=list[int])
    keys: list[int] = field(default_factory=list[int])
    key_lists: list[list[str]] = field(default_factory=list[list[str]])
    lines: list[int] = field(default_factory=list[int])
    columns: list[int] = field(default_factory=list[int])
    ends: list[int] = field(default_factory=list[int])
    numbers: list[int] = field(default_factory=list[int])
    files: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, positions: Positions, number: Callable[[Ref], int]) -> Places:
        """Return the positions, with a number for each ref."""
        found, files = cls(), dict[Path, int]()
        numbers, lines, columns = dict[tuple[str, ...], int](), found.lines, found.columns
        file = None
        for ref, of_keys in positions.by_ref.items():
            found.refs.append(number(ref))
            found.keys.append(numbers.setdefault((*of_keys,), len(numbers)))
            for at_file, line, column, _ in of_keys.values():
                if at_file is not file:
                    found.ends += [len(lines)] if lines else []
                    file = at_file
                    found.numbers.append(files.setdefault(file, len(files)))
                lines.append(line)
                columns.append(column)
        found.ends += [len(lines)] if lines else []
        found.key_lists += map(list[str], numbers)
        found.files += map(str, files)
        return found

    def are_in(self, texts: Sequence[Sequence[str]]) -> bool:
        """Tell whether there is a place for each key, in the lines of its file."""
        lengths = [len(keys) for keys in self.key_lists]
        count = sum([lengths[of_object] for of_object in self.keys])
        if not count == len(self.lines) == len(self.columns) == (self.ends or [0])[-1]:
            return False
        return len(self.refs) == len(self.keys) and all(
            start < end
            and min(self.lines[start:end]) > 0
            and max(self.lines[start:end]) <= len(texts[file])
            for (start, end), file in zip(pairwise([0, *self.ends]), self.numbers, strict=True)
        )


@dataclass(frozen=True, eq=False)
class StoredPositions(Mapping[tuple[Ref, str], Position]):
    """The positions of a stored declaration, made when they are asked for.

    `found` has the indexes of an object's keys, and of its first place. `texts` are the lines of
    each file.
    """

    places: Places
    found: Mapping[Ref, tuple[Mapping[str, int], int]]
    files: Sequence[Path]
    texts: Sequence[Sequence[str]]

    @classmethod
    def of(
        cls,
        places: Places,
        refs: Sequence[Ref],
        files: Sequence[Path],
        texts: Sequence[Sequence[str]],
    ) -> StoredPositions:
        """Find the places of each object; raises ValueError for a place that is in no file."""
        if not places.are_in(texts):
            raise ValueError("a position beyond the end of a file")
        indexes = [{key: n for n, key in enumerate(keys)} for keys in places.key_lists]
        found: dict[Ref, tuple[Mapping[str, int], int]] = {}
        first = 0
        for number, keys in zip(places.refs, places.keys, strict=True):
            found[refs[number]] = indexes[keys], first
            first += len(indexes[keys])
        return cls(places, found, files, texts)

    def __getitem__(self, key: tuple[Ref, str]) -> Position:
        ref, own = key
        indexes, first = self.found[ref]
        return self._at(first + indexes[own])

    def _at(self, index: int) -> Position:
        file = self.places.numbers[bisect(self.places.ends, index)]
        line = self.places.lines[index]
        return Position(
            self.files[file], line, self.places.columns[index], self.texts[file][line - 1]
        )

    def __contains__(self, key: object) -> bool:
        ref, own = cast("tuple[Ref, str]", key)
        found = self.found.get(ref)
        return found is not None and own in found[0]

    def __iter__(self) -> Iterator[tuple[Ref, str]]:
        return ((ref, key) for ref, (indexes, _) in self.found.items() for key in indexes)

    def __len__(self) -> int:
        return len(self.places.lines)

    def are_same(self, declared: Positions, places: Places) -> bool:
        """Tell whether these are the declared positions, which `places` holds."""
        if [*self.found] != [*declared.by_ref] or self.places != places:
            return False
        texts = dict(zip(self.files, self.texts, strict=True))
        file, lines = None, list[str]()
        for of_keys in declared.by_ref.values():
            for at_file, line, _, text in of_keys.values():
                if at_file is not file:
                    file, lines = at_file, texts[at_file]
                if text != lines[line - 1]:
                    return False
        return True
