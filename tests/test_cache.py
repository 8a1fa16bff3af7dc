"""Test the cache: a lost, damaged or foreign entry is none, and no entry can do harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler import cache as module
from reconciler.cache import Cache, cache_folder, open_cache

KEY = "a" * 64


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def entry(cache: Cache) -> Path:
    return cache.folder / f"part-{KEY}"


def test_an_entry_is_private_and_is_found_again(cache: Cache) -> None:
    assert cache.get("part", KEY) is None
    cache.put("part", KEY, {"é": [1, None]})
    assert cache.get("part", KEY) == {"é": [1, None]}
    assert cache.get("other", KEY) is None
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert entry(cache).stat().st_mode & 0o777 == 0o600


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda data: data[:-1],
    lambda data: data + b" ",
    lambda data: data.replace(b"1", b"2", 1) if b"1" in data[:64] else b"0" + data[1:],
    lambda _: b"",
    lambda _: b"\x80\x04\x95" + b"cos\nsystem\n",
    lambda _: b"[" * 100_000,
]


@pytest.mark.parametrize("damaged", DAMAGES)
def test_a_damaged_entry_is_none(cache: Cache, damaged: Callable[[bytes], bytes]) -> None:
    cache.put("part", KEY, [1, 2])
    entry(cache).write_bytes(damaged(entry(cache).read_bytes()))
    assert cache.get("part", KEY) is None
    cache.put("part", KEY, [3])
    assert cache.get("part", KEY) == [3]


def test_what_others_can_write_is_not_used(cache: Cache, tmp_path: Path) -> None:
    cache.put("part", KEY, [1])
    entry(cache).chmod(0o622)
    assert cache.get("part", KEY) is None
    entry(cache).chmod(0o600)
    assert cache.get("part", KEY) == [1]
    cache.folder.chmod(0o770)
    assert cache.get("part", KEY) is None
    assert "can be written by others" in cache.refusal()
    cache.put("part", KEY, [2])
    cache.folder.chmod(0o700)
    assert cache.get("part", KEY) == [1]
    assert cache.refusal() == ""
    link = Cache(tmp_path / "link")
    link.folder.symlink_to(cache.folder)
    assert link.get("part", KEY) is None
    assert "not used" in link.refusal()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_not_used(cache: Cache) -> None:
    cache.put("part", KEY, [1])
    os.chown(entry(cache), 12345, -1)
    assert cache.get("part", KEY) is None
    os.chown(entry(cache), os.geteuid(), -1)
    os.chown(cache.folder, 12345, -1)
    assert cache.get("part", KEY) is None
    assert "belongs to another user" in cache.refusal()


def test_a_link_or_a_pipe_in_place_of_an_entry_is_not_followed(
    cache: Cache, tmp_path: Path
) -> None:
    cache.put("part", KEY, [1])
    entry(cache).rename(tmp_path / "elsewhere")
    entry(cache).symlink_to(tmp_path / "elsewhere")
    assert cache.get("part", KEY) is None
    entry(cache).unlink()
    os.mkfifo(entry(cache), 0o600)
    assert cache.get("part", KEY) is None


def test_the_entries_used_least_recently_go_first(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TOTAL", 4_000)
    for number in range(8):
        cache.put("part", str(number), "x" * 900)
        os.utime(cache.folder / f"part-{number}", (number, number))
        if number > 2:
            assert cache.get("part", "0") is not None
    kept = {p.name for p in cache.folder.iterdir()}
    assert {"part-0", "part-7"} <= kept
    assert sum(p.stat().st_size for p in cache.folder.iterdir()) <= 4_000


def test_unfinished_entries_are_removed_once_they_are_old(cache: Cache) -> None:
    cache.put("part", KEY, [1])
    old, new = cache.folder / ".writing-old", cache.folder / ".writing-new"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    cache.put("part", KEY, [2])
    assert (old.exists(), new.exists()) == (False, True)


def test_runs_at_once_see_whole_entries(cache: Cache) -> None:
    def work(number: int) -> None:
        for _ in range(30):
            cache.put("part", KEY, [number] * 2_000)
            found = cache.get("part", KEY)
            assert found is not None
            assert len(set(found)) == 1
            assert len(found) == 2_000

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))


def test_a_folder_that_cannot_be_made_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "cache")
    cache.put("part", KEY, [1])
    assert cache.get("part", KEY) is None


def test_the_environment_chooses_the_folder_and_can_switch_the_cache_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "cache"
    assert open_cache() is not None
    monkeypatch.setenv("RECONCILE_NO_CACHE", "1")
    assert open_cache() is None
