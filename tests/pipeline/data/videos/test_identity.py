"""Which video a file is: its content says so, not where it is or when it was written."""

from __future__ import annotations

import hashlib
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from feature_extraction.video.frame_folder import FrameFolder
from pipeline.data.videos import identity
from pipeline.data.videos.identity import (
    SOURCES,
    Sighting,
    identify,
    read_sightings,
    write_sightings,
)
from pipeline.errors import UserError

SMALL, LARGE = 100_000, (4 << 20) + 3_000_000


def written(path, size=SMALL, seed=0):
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


def digest(source, before=None, **more):
    return identify({"v": source}, {} if before is None else before, **more)["v"].digest


def change(path, place):
    """One bit of a byte, the time of the file as it was."""
    found = path.stat()
    with path.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ 1]))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("size", [SMALL, 4 << 20, LARGE])
def test_touched_copied_moved_and_linked_it_is_the_same(tmp_path, size):
    video = written(tmp_path / "a.mp4", size)
    before = identify({"v": video}, {})
    os.utime(video, ns=(1, 1))
    assert identify({"v": video}, before)["v"].digest == before["v"].digest
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere/b.mkv"
    shutil.copy(video, copy)
    (tmp_path / "link.mp4").symlink_to(copy)
    for path in (copy, tmp_path / "link.mp4", shutil.move(video, tmp_path / "c.mp4")):
        assert digest(path, before) == before["v"].digest


def test_one_bit_of_a_file_that_is_read_whole_makes_it_another(tmp_path):
    video = written(tmp_path / "a.mp4")
    first = digest(video)
    seen = {first}
    for place in (0, 1, SMALL // 2, SMALL - 1):
        change(video, place)
        seen.add(digest(video))
        change(video, place)
        assert digest(video) == first
    assert len(seen) == 5


def test_of_a_large_one_the_start_the_end_and_places_between_are_read(tmp_path):
    video = written(tmp_path / "a.mp4", LARGE)
    first = digest(video)
    pieces = [(LARGE - (64 << 10)) * piece // 15 for piece in range(16)]
    for place in (0, LARGE - 1, *pieces, *(piece + (64 << 10) - 1 for piece in pieces)):
        change(video, place)
        assert digest(video) != first, place
        change(video, place)
    assert digest(video) == first
    change(video, pieces[1] - 1)  # between two of them: it takes a change of its size or its time
    assert digest(video) == first
    with video.open("ab") as stream:
        stream.write(b"x")
    assert digest(video) != first


def test_a_file_of_another_length_is_another(tmp_path):
    one, two = tmp_path / "a.mp4", tmp_path / "b.mp4"
    one.write_bytes(bytes(1000))
    two.write_bytes(bytes(1001))
    assert digest(one) != digest(two)


def test_bytes_are_read_only_where_size_or_time_differ(tmp_path, monkeypatch):
    video = written(tmp_path / "a.mp4")
    before = identify({"v": video}, {})
    read = []
    sampled = identity._sampled
    monkeypatch.setattr(identity, "_sampled", lambda *a: read.append(a) or sampled(*a))
    assert identify({"v": video}, before) == before and not read
    assert identify({"v": video}, {"other": before["v"]}) == before and len(read) == 1
    change(video, 7)  # and its time put back: what only reading finds
    assert identify({"v": video}, before) == before and len(read) == 1
    assert identify({"v": video}, before, verify=True)["v"].digest != before["v"].digest
    os.utime(video, ns=(1, 1))
    assert identify({"v": video}, before)["v"].digest != before["v"].digest


@pytest.fixture
def frames(tmp_path):
    """A folder of frames at 10 per second."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(1, 41):
        draw(folder / f"frame_{number:010d}.jpg", number)
    return FrameFolder(folder, (10.0,), 4.0)


def draw(path, seed):
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 24, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def test_a_folder_of_frames_is_the_same_wherever_it_lies(frames, tmp_path):
    before = identify({"v": frames}, {})
    shutil.copytree(frames.folder, tmp_path / "copy")
    other = FrameFolder(tmp_path / "copy", frames.rates, frames.duration)
    assert digest(other) == digest(other, before) == before["v"].digest
    for path in frames.folder.iterdir():
        os.utime(path, ns=(1, 1))
    assert digest(frames, before) == before["v"].digest


def test_another_first_or_last_frame_makes_it_another(frames):
    before = identify({"v": frames}, {})
    for number in (1, 40):
        path = frames.folder / f"frame_{number:010d}.jpg"
        kept = path.read_bytes()
        draw(path, 99)
        assert digest(frames, before) != before["v"].digest, number
        path.write_bytes(kept)
        assert digest(frames, before) == before["v"].digest


def test_frames_that_come_or_go_make_it_another(frames):
    before = identify({"v": frames}, {})
    draw(frames.folder / "frame_0000000041.jpg", 41)
    more = digest(frames, before)
    (frames.folder / "frame_0000000041.jpg").unlink()
    assert digest(frames, before) == before["v"].digest
    (frames.folder / "frame_0000000020.jpg").unlink()
    assert len({more, digest(frames, before), before["v"].digest}) == 3


@pytest.mark.parametrize("rates", [(12.0,), (10.0, 12.0)])
def test_another_rate_makes_it_another_at_once(frames, rates):
    """Nothing on the disk has changed."""
    before = identify({"v": frames}, {})
    other = FrameFolder(frames.folder, rates, frames.duration)
    assert digest(other, before) != before["v"].digest
    assert digest(FrameFolder(frames.folder, frames.rates, 5.0), before) != before["v"].digest


def test_frames_are_read_only_where_their_folder_looks_different(frames):
    before = identify({"v": frames}, {})
    path = frames.folder / "frame_0000000001.jpg"
    found = path.stat()
    draw(path, 99)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert identify({"v": frames}, before) == before
    assert identify({"v": frames}, before, verify=True)["v"].digest != before["v"].digest


def test_what_cannot_be_read_is_not_there(tmp_path):
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    gone = {
        "dangling": tmp_path / "dangling.mp4",
        "loop": tmp_path / "loop.mp4",
        "gone": tmp_path / "gone.mp4",
        "frames": FrameFolder(tmp_path / "frames", (10.0,)),
    }
    assert identify(gone, {}) == {}
    sound = written(tmp_path / "a.mp4")
    assert list(identify(gone | {"v": sound}, {})) == ["v"], (
        "and keeps nobody else from being known"
    )
    assert identify({}, {}) == {}


def test_a_file_that_may_not_be_read_is_not_there(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(identity, "_sampled", refuse)
    assert identify({"v": written(tmp_path / "a.mp4")}, {}) == {}


def test_a_pipe_is_not_waited_for_and_no_video_is_like_it(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    assert digest(tmp_path / "a.mp4") != digest(written(tmp_path / "b.mp4", 0))


def test_what_was_seen_is_remembered(tmp_path):
    seen = identify({"v": written(tmp_path / "a.mp4"), "w": written(tmp_path / "b.mp4", 5)}, {})
    write_sightings(tmp_path / "run", seen)
    assert read_sightings(tmp_path / "run") == seen
    assert read_sightings(tmp_path / "other") == {}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"v": {"size": 3}}', b'{"v": 3}'])
def test_a_memory_that_is_damaged_is_none(tmp_path, text):
    """No result is made of it: the files are read again."""
    (tmp_path / SOURCES).write_bytes(text)
    assert read_sightings(tmp_path) == {}


def test_a_memory_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match=r"sources\.json: cannot be written"):
        write_sightings(tmp_path / "run", {})


def renamed(frames, pattern, first):
    for number, path in enumerate(sorted(frames.folder.iterdir()), first):
        path.rename(frames.folder / (pattern % number))


@pytest.mark.parametrize(
    ("pattern", "first"),
    [("img_%05d.jpg", 1), ("%d.jpg", 0), ("frame_%010d.jpg", 0), ("%06d.jpeg", 77)],
)
def test_frames_named_otherwise_are_the_same_video(frames, pattern, first):
    before = identify({"v": frames}, {})
    renamed(frames, "x_%09d.part", 0)
    renamed(frames, pattern, first)
    assert digest(frames) == digest(frames, before) == before["v"].digest
    given = FrameFolder(frames.folder, frames.rates, frames.duration, pattern)
    assert digest(given) == digest(given, before) == before["v"].digest


def test_the_digest_is_what_it_was_when_all_frames_were_named_alike(tmp_path):
    """A finished run stays current: the names were a part of it."""
    folder = tmp_path / "v"
    folder.mkdir()
    names = [f"frame_{number:010d}.jpg" for number in range(1, 4)]
    for name in names:
        (folder / name).write_bytes(name.encode())
    told = b"[[10.0], null]"
    once = hashlib.sha256(told + "\0".join(names).encode() + "".join(names).encode())
    found = identify({"v": FrameFolder(folder, (10.0,))}, {})["v"]
    assert found.digest == f"{hashlib.sha256(told).hexdigest()[:8]}-{once.hexdigest()}"
    older = Sighting(found.size, found.mtime_ns, found.digest)  # a memory without names
    (folder / names[0]).write_bytes(names[0].upper().encode())
    os.utime(folder / names[0], ns=(1, 1))
    assert digest(FrameFolder(folder, (10.0,)), {"v": older}) == found.digest  # it was believed


def test_what_else_lies_beside_frames_changes_nothing(frames):
    before = identify({"v": frames}, {})
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "cover.jpg"):
        (frames.folder / name).write_bytes(b"x")
    assert digest(frames) == digest(frames, before) == before["v"].digest


def test_another_set_of_as_many_frames_is_another_at_once(frames):
    """Nothing on the disk has changed but which of them are asked for."""
    for number in range(1, 41):
        draw(frames.folder / f"img_{number:05d}.jpg", 100 + number)
    one, other = (
        FrameFolder(frames.folder, frames.rates, frames.duration, pattern)
        for pattern in ("frame_%010d.jpg", "img_%05d.jpg")
    )
    before = identify({"v": one}, {})
    assert digest(other, before) == digest(other) != before["v"].digest
    assert identify({"v": frames}, before) == {}  # which of them nobody says


def test_frames_that_are_missing_make_it_another(frames):
    for path in (*frames.folder.iterdir(), frames.folder):
        os.utime(path, (1, 1))  # a rename within one tick of the clock could not be seen
    before = identify({"v": frames}, {})
    names = sorted(frames.folder.iterdir())
    names[20].rename(frames.folder / "frame_0000000041.jpg")  # as many as before
    assert digest(frames, before) != before["v"].digest
