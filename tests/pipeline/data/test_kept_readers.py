"""Readers kept open: frames, errors and damage are those of a reader opened for each clip."""

from __future__ import annotations

import os
import resource
import shutil
import threading

import numpy as np
import pytest
from helpers.numbered_videos import VIDEOS, encode, even_ticks, read_number
from helpers.seen_videos import draw

from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import VideoError
from pipeline.data import kept_readers
from pipeline.data.kept_readers import KeptReaders

NAMES = (
    "variable.mp4",
    "b_pyramid_open_gop.mp4",
    "late_start.ts",
    "variable.mkv",
    "mpeg4.avi",
    "fragmented.mp4",
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return [encode(folder / name, VIDEOS[name][0], **VIDEOS[name][1]) for name in NAMES]


@pytest.fixture
def readers():
    made = KeptReaders()
    yield made
    made.close()


@pytest.fixture
def opened(monkeypatch):
    """Paths in the order they were opened."""
    paths = []

    def noted(path, *rest, **options):
        paths.append(path)
        return open_video(path, *rest, **options)

    monkeypatch.setattr(kept_readers, "open_video", noted)
    return paths


def numbers(reader, times=(0.5, 1.0)):
    return [read_number(frame) for frame in reader.clip(times)]


def open_files() -> int:
    return sum(
        "/videos" in os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
    )


def test_clips_in_any_order_are_those_of_fresh_readers(videos, tmp_path, readers, opened):
    frames = [draw(tmp_path)[name] for name in ("wide",)]
    random = np.random.default_rng(0)
    for _ in range(40):
        path = (videos + frames)[random.integers(len(videos) + len(frames))]
        times = np.sort(random.uniform(0, 3, 4)).tolist()
        with open_video(path, allow_partial=True) as reader:
            expected = reader.clip(times), reader.info
        found = readers.read(path, lambda reader, t=times: (reader.clip(t), reader.info))
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1] == expected[1]
    assert len(opened) == len(set(map(str, opened))), "each is opened once"


def test_files_and_their_memory_are_bounded(videos, readers, opened, monkeypatch):
    before = open_files()
    monkeypatch.setattr(kept_readers, "MOST_FILES", 2)
    for path in [*videos, videos[-1], videos[-2]]:
        readers.read(path, numbers)
        assert len(readers) <= 2 and open_files() <= before + 2
    assert len(opened) == len(videos), "the last two were still open"
    monkeypatch.setattr(kept_readers, "MOST_BYTES", 1)
    readers.read(videos[0], numbers)
    assert len(readers) == 1
    readers.close()
    assert open_files() == before and len(readers) == 0
    assert readers.read(videos[0], numbers)


def test_a_file_that_was_replaced_is_opened_again(videos, tmp_path, readers, opened):
    path = tmp_path / "v.mp4"
    shutil.copy(videos[0], path)
    assert readers.read(path, numbers) == readers.read(path, numbers)
    encode(tmp_path / "other.mp4", even_ticks(60), bf="0")
    os.replace(tmp_path / "other.mp4", path)
    with open_video(path) as reader:
        assert readers.read(path, numbers) == numbers(reader)
    assert len(opened) == 2
    path.unlink()
    with pytest.raises(VideoError, match="no such video file"):
        readers.read(path, numbers)
    assert len(readers) == 0


def test_after_an_error_a_new_reader_is_asked_and_none_is_kept(videos, readers, opened):
    asked = []

    def fails(reader):
        asked.append(reader)
        raise VideoError("does not decode")

    readers.read(videos[0], numbers)
    with pytest.raises(VideoError, match="does not decode"):
        readers.read(videos[0], fails)
    assert len(asked) == 2 and asked[0] is not asked[1] and len(readers) == 0
    with pytest.raises(KeyError):
        readers.read(videos[0], lambda reader: {}["defect"])
    readers.read(videos[0], numbers)
    with pytest.raises(KeyError):
        readers.read(videos[0], lambda reader: {}["defect"])
    assert len(readers) == 0


def test_damage_is_what_a_fresh_reader_finds_whatever_was_read_before(tmp_path, readers):
    path = encode(tmp_path / "v.mp4", even_ticks(120), g="15", bf="0")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(content)
    found = []
    for start in (0.0, *np.linspace(1.6, 2.4, 9), 3.6, 2.7, 2.9, 0.1, 3.0):
        times = [start, start + 0.05]
        with open_video(path, allow_partial=True) as reader:
            reader.clip(times)
            expected = reader.touches_damage(times)
        found.append(expected)
        assert (
            readers.read(path, lambda r, t=times: (r.clip(t), r.touches_damage(t))[1]) == expected
        )
    assert set(found) == {True, False}


def test_another_process_or_thread_opens_its_own(videos, readers, opened):
    readers.read(videos[0], numbers)
    child = os.fork()
    if not child:
        good = readers.read(videos[0], numbers) and len(opened) == 2
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert readers.read(videos[0], numbers) and len(opened) == 1
    other = threading.Thread(target=readers.read, args=(videos[0], numbers))
    other.start()
    other.join()
    assert len(opened) == 2


def test_few_file_descriptors_are_enough(videos, tmp_path, readers):
    paths = [shutil.copy(videos[0], tmp_path / f"v{number}.mp4") for number in range(40)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
    try:
        for path in paths:
            readers.read(path, numbers)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
