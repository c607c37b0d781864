"""Class scores of proposals: a part a video on disk, taken where it is whole, made where it is not."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from pipeline.data.videos.failures import read_failures
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes.workers import Outcome
from pipeline.results.class_scores import Parts, decoded_scores, drop_parts

TIMES = {
    "a": np.array([[0.5, 1.5], [2.0, 3.0]]),
    "b": np.array([[1.0, 2.0]]),
    "c": np.zeros((3, 2)),
}


def scores_of(video: str) -> list[np.ndarray]:
    rng = np.random.default_rng(ord(video))
    return [rng.random((len(TIMES[video]), size), np.float32) for size in (4, 5)]


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path / "classify", [4, 5])


def equal(ours, theirs):
    return len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))


def test_what_is_written_is_read_back(parts):
    parts.write("a", scores_of("a"))
    assert equal(parts.read("a", 2), scores_of("a"))
    assert parts.read("b", 1) == []


def test_parts_of_another_form_are_none(tmp_path, parts):
    """Of other proposals, of another head: they would be another run's."""
    parts.write("a", scores_of("a"))
    assert parts.read("a", 3) == []
    for sizes in ([4, 6], [4, 5, 6]):
        assert Parts(tmp_path / "classify", sizes).read("a", 2) == []
    parts.write("a", scores_of("a")[:1])
    assert parts.read("a", 2) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00"])
def test_damaged_parts_are_none(tmp_path, parts, content):
    parts.write("a", scores_of("a"))
    path = tmp_path / "classify/videos/a.npz"
    path.write_bytes(content)
    assert parts.read("a", 2) == []
    parts.write("a", scores_of("a"))
    path.write_bytes(path.read_bytes()[:-30])
    assert parts.read("a", 2) == []


def test_a_part_that_cannot_be_written_is_named(parts, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipeline.run_folder.files.os.replace", refused)
    with pytest.raises(UserError, match=r"a\.npz: cannot be written \(No space left"):
        parts.write("a", scores_of("a"))


def test_dropped_parts_are_gone_and_none_are_no_error(tmp_path, parts):
    drop_parts(tmp_path / "classify")
    parts.write("a", scores_of("a"))
    drop_parts(tmp_path / "classify")
    assert not (tmp_path / "classify/videos").exists() and (tmp_path / "classify").is_dir()


@pytest.fixture
def decode(tmp_path):
    """Scores of all videos, as a run would decode them; gives also the videos it had to read."""
    target = tmp_path / "classify"

    def run(left_out, *bad, gone=()):
        read = []

        def score(jobs):
            for job in jobs:
                read.append(job[0])
                if job[0] in bad:
                    yield Outcome(job, reason="no frames")
                    continue
                assert np.array_equal(job[2], TIMES[job[0]]) and job[1].name == f"{job[0]}.mp4"
                Parts(target, []).write(job[0], scores_of(job[0]))
                yield Outcome(job)

        def find(videos):
            there = {video: tmp_path / f"{video}.mp4" for video in videos if video not in gone}
            left_out.not_there([v for v in videos if v in gone], len(videos), tmp_path)
            return there

        made = decoded_scores(Parts(target, [4, 5]), TIMES, left_out, find=find, score=score)
        return made, read

    return run


def test_every_video_is_scored_and_a_second_time_none_is_read(decode, tmp_path):
    for expected in (["a", "b", "c"], []):
        made, read = decode(LeftOut("classify", tmp_path / "classify"))
        assert read == expected and list(made) == ["a", "b", "c"]
        assert all(equal(made[video], scores_of(video)) for video in TIMES)


def test_only_what_is_missing_or_damaged_is_read_again(decode, tmp_path):
    decode(LeftOut("classify", tmp_path / "classify"))
    (tmp_path / "classify/videos/a.npz").unlink()
    (tmp_path / "classify/videos/c.npz").write_bytes(b"half")
    made, read = decode(LeftOut("classify", tmp_path / "classify"))
    assert read == ["a", "c"] and all(equal(made[video], scores_of(video)) for video in TIMES)


def test_videos_that_fail_are_counted_and_the_others_kept(decode, tmp_path):
    folder = tmp_path / "classify"
    with pytest.raises(UserError, match=r"classify: 1 videos failed \(b: no frames\)"):
        decode(LeftOut("classify", folder), "b")
    made, read = decode(LeftOut("classify", folder, allowed=1), "b")
    assert read == ["b"] and list(made) == ["a", "c"]
    assert read_failures(folder)["b"].attempts == 2
    made, read = decode(LeftOut("classify", folder))
    assert read == ["b"] and list(made) == ["a", "b", "c"] and not read_failures(folder)


def test_videos_that_are_gone_are_asked_for_only_where_they_are_needed(decode, tmp_path):
    decode(LeftOut("classify", tmp_path / "classify"))
    made, read = decode(LeftOut("classify", tmp_path / "classify"), gone=["b"])
    assert read == [] and list(made) == ["a", "b", "c"]
    drop_parts(tmp_path / "classify")
    with pytest.raises(UserError, match=r"1 of 3 videos are missing \(b\)"):
        decode(LeftOut("classify", tmp_path / "classify"), gone=["b"])
    made, _ = decode(LeftOut("classify", tmp_path / "classify", allowed=1), gone=["b"])
    assert list(made) == ["a", "c"]
