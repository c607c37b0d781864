"""Class scores by video: a part a video on disk, taken where it is current, made where it is not."""

from __future__ import annotations

import errno
from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.results.classification.class_scores import Parts
from pipeline.run_folder.ledger import Ledger

OF = {"a": "1", "b": "2"}


def scores_of(video: str) -> list[np.ndarray]:
    rng = np.random.default_rng(ord(video))
    return [rng.random((3, size), np.float32) for size in (4, 5)]


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path / "classify", "by", OF)


@pytest.fixture
def ledger(tmp_path, parts):
    ledger = Ledger(tmp_path / "classify")
    for video in OF:
        ledger.note(parts.write(video, scores_of(video)))
    return Ledger(tmp_path / "classify")


def test_what_is_written_is_read_back(parts, ledger):
    read = parts.read("a")
    assert len(read) == 2 and all(map(np.array_equal, read, scores_of("a")))
    assert parts.todo(["a", "b"], ledger) == []


def test_parts_of_other_inputs_are_made_again(parts, ledger):
    assert replace(parts, by="other").todo(["a", "b"], ledger) == ["a", "b"]
    assert replace(parts, of={"a": "1", "b": "3"}).todo(["a", "b"], ledger) == ["b"]
    assert parts.todo(["a", "c"], ledger) == ["c"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00"])
def test_damaged_and_missing_parts_are_made_again(tmp_path, parts, ledger, content):
    path = tmp_path / "classify/videos/a.npz"
    path.write_bytes(content)
    assert parts.todo(["a", "b"], ledger) == ["a"]
    with pytest.raises(UserError, match=r"a\.npz: damaged"):
        parts.read("a")
    path.unlink()
    assert parts.todo(["a", "b"], ledger) == ["a"]


def test_a_part_that_cannot_be_written_is_named(parts, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipeline.run_folder.files.os.replace", refused)
    with pytest.raises(UserError, match=r"a\.npz: cannot be written \(No space left"):
        parts.write("a", scores_of("a"))
