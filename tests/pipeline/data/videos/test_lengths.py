"""Lengths of videos: of the content, looked at once, remembered; what cannot be read has none."""

from __future__ import annotations

import pytest
from helpers.numbered_videos import encode

from pipeline.data.videos import lengths
from pipeline.data.videos.lengths import Measured, known_lengths, read_lengths, write_lengths


@pytest.fixture
def sources(tmp_path):
    encode(tmp_path / "a.mp4", [3000 * k for k in range(45)])
    (tmp_path / "b.mp4").write_bytes(b"no video")
    return {"a": tmp_path / "a.mp4", "b": tmp_path / "b.mp4"}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_video_is_looked_at_once_by_its_content(sources, workers, monkeypatch):
    known: dict[str, Measured] = {}
    found = known_lengths(sources, {"a": "x", "b": "y"}, known, workers=workers)
    assert found == {"a": Measured(1.5, 30.0)} and set(known) == {"x", "y"}
    assert known["y"].seconds == 0  # that it does not open is known, too
    monkeypatch.setattr(lengths, "probe_all", lambda *a, **k: pytest.fail("looked at again"))
    again = known_lengths({"c": sources["a"]}, {"c": "x"}, known, workers=workers)
    assert again == {"c": Measured(1.5, 30.0)}
    assert known_lengths(sources, {"a": "x", "b": "y"}, known, workers=workers).keys() == {"a"}
    assert known_lengths(sources, {"a": "other"}, known, workers=None) == {}


def test_they_are_remembered_and_a_damaged_memory_is_none(tmp_path):
    assert read_lengths(tmp_path) == {}
    known = {"x": Measured(1.5, 30.0), "y": Measured(7.25)}
    write_lengths(tmp_path, known)
    assert read_lengths(tmp_path) == known
    path = tmp_path / lengths.LENGTHS
    path.write_text(path.read_text()[:30])
    assert read_lengths(tmp_path) == {}
