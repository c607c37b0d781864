"""A folder of copies keeps its limit, whoever copies, reads or is killed."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers.paths import ROOT, code_paths

from pipeline.data.remote import cache as caches
from pipeline.data.remote.cache import Cache, NoRoomError, copy_name
from pipeline.errors import UserError

SIZE = 1000


def called(name: str) -> str:
    return copy_name(name, f"{name}.mp4")


def content(name: str) -> bytes:
    return name.encode().ljust(SIZE, b".")


def size_now(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another made room
        return 0


def fetched(cache: Cache, name: str, sizes: list[int] | None = None):
    """Hold a copy, made of its name where it is not there; `sizes` notes what lies in the folder meanwhile."""

    def fetch(path: Path) -> None:
        path.write_bytes(content(name)[:500])
        if sizes is not None:
            sizes.append(sum(map(size_now, cache.folder.iterdir())))
        path.write_bytes(content(name))

    return cache.held(called(name), SIZE, fetch)


def copies(cache: Cache) -> list[str]:
    """The letters of the copies, and the names of all else."""
    names = [path.name for path in cache.folder.iterdir() if path.name != ".room"]
    return sorted(re.sub(r"[0-9a-f]{20}-(\w)\.mp4", r"\1", name) for name in names)


def test_the_least_recently_used_goes_first_and_a_copy_in_use_never(tmp_path):
    cache = Cache(tmp_path, 3 * SIZE)
    for name in "abc":
        with fetched(cache, name) as path:
            assert path.read_bytes() == content(name)
        time.sleep(0.02)
    with fetched(cache, "a"):
        pass
    with fetched(cache, "d"):
        assert copies(cache) == ["a", "c", "d"]
    os.utime(tmp_path / called("c"), (0, 0))
    with fetched(cache, "c") as held, fetched(cache, "e"), fetched(cache, "f"):
        assert copies(cache) == ["c", "e", "f"]  # `c` is the oldest, and read
        assert held.read_bytes() == content("c")


def test_what_is_there_is_not_fetched_again_and_what_is_short_is(tmp_path):
    cache = Cache(tmp_path, 3 * SIZE)
    with fetched(cache, "a"):
        pass
    with cache.held(called("a"), SIZE, pytest.fail) as path:
        assert path.read_bytes() == content("a")
    (tmp_path / called("a")).write_bytes(b"short")
    with fetched(cache, "a") as path:
        assert path.read_bytes() == content("a")


def test_files_of_others_in_the_folder_stay(tmp_path):
    (tmp_path / "holiday.mp4").write_bytes(b"mine" * SIZE)
    (tmp_path / "holiday.part").write_bytes(b"mine")
    cache = Cache(tmp_path, SIZE)
    for name in "ab":
        with fetched(cache, name):
            pass
    assert copies(cache) == ["b", "holiday.mp4", "holiday.part"]


def test_a_fetch_that_fails_leaves_nothing(tmp_path):
    cache = Cache(tmp_path, 3 * SIZE)

    def fails(path: Path) -> None:
        path.write_bytes(b"half")
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"), cache.held(called("a"), SIZE, fails):
        pass
    assert copies(cache) == []


def test_a_file_larger_than_the_limit_and_one_that_finds_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(caches, "PATIENCE", 0.2)
    cache = Cache(tmp_path, SIZE)
    with (
        pytest.raises(NoRoomError, match="dataset.cache_size"),
        cache.held(called("b"), 2 * SIZE, print),
    ):
        pass
    with (
        fetched(cache, "a"),
        pytest.raises(NoRoomError, match="in use"),
        fetched(cache, "b"),
    ):
        pass


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    cache = Cache(tmp_path, 10 * SIZE)
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(caches.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"the disk has no space .*dataset.cache"):
        fetched(cache, "a").__enter__()

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.undo()
    with (
        pytest.raises(UserError, match="No space left on device.*free some space"),
        cache.held(called("a"), SIZE, full),
    ):
        pass
    assert copies(cache) == []


def test_a_disk_smaller_than_the_limit_is_room_for_what_fits(tmp_path, monkeypatch):
    def usage(folder: Path):
        held = sum(path.stat().st_size for path in Path(folder).iterdir())
        return type("Usage", (), {"free": 2 * SIZE - held})

    monkeypatch.setattr(caches.shutil, "disk_usage", usage)
    cache = Cache(tmp_path, 100 * SIZE)
    for name in "abc":
        with fetched(cache, name):
            pass
        time.sleep(0.02)
    assert copies(cache) == ["b", "c"]


def test_threads_that_want_more_than_there_is_room_for_take_turns(tmp_path):
    cache, sizes, right = Cache(tmp_path, 3 * SIZE), [], []

    def work(seed: int) -> None:
        for name in random.Random(seed).choices("abcdefgh", k=12):
            with fetched(cache, name, sizes) as path:
                right.append(path.read_bytes() == content(name))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 48 and max(sizes) <= 3 * SIZE
    assert len(copies(cache)) <= 3


PROCESS = """
import random, sys, time
from pathlib import Path
from pipeline.data.remote.cache import Cache, copy_name
folder, seed, way = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
cache = Cache(folder / "cache", 3000)

def fetch(name):
    def write(path):
        with (folder / "fetched").open("a") as log:
            log.write(name + "\\n")
        with path.open("wb") as stream:
            stream.write(name.encode())
            if way == "hangs":
                stream.flush()
                time.sleep(600)
            stream.write(b"." * (1000 - len(name)))
    return write

names = ["a"] if way == "hangs" else random.Random(seed).choices("abcdef", k=40)
for name in names:
    with cache.held(copy_name(name, f"{name}.mp4"), 1000, fetch(name)) as path:
        assert path.read_bytes() == name.encode().ljust(1000, b"."), name
"""


def start(folder: Path, seed: int, way: str = "reads") -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder), str(seed), way], env=code_paths(), cwd=ROOT
    )


def test_processes_share_a_cache_and_one_that_is_killed_half_way_hinders_none(tmp_path):
    hangs = start(tmp_path, 0, "hangs")
    part = tmp_path / "cache" / f"{called('a')}.1000.part"
    while not (part.exists() and part.stat().st_size):
        assert hangs.poll() is None
        time.sleep(0.02)
    others = [start(tmp_path, seed) for seed in (1, 2)]
    time.sleep(0.3)
    hangs.send_signal(signal.SIGKILL)
    hangs.wait()
    assert [other.wait(60) for other in others] == [0, 0]
    cache = Cache(tmp_path / "cache", 3 * SIZE)
    assert len(copies(cache)) <= 3 and not any("." in name for name in copies(cache))
    with fetched(cache, "z"):  # any process that needs space clears what is left
        assert not part.exists()


def test_processes_that_want_one_file_fetch_it_once(tmp_path):
    cache = Cache(tmp_path / "cache", 8000)
    slow = threading.Event()
    fetches = []

    def fetch(path: Path) -> None:
        fetches.append(1)
        slow.wait(0.3)
        path.write_bytes(content("a"))

    def read() -> None:
        with cache.held(called("a"), SIZE, fetch):
            pass

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetches) == 1
