"""Labels as people read them, and the way from a file to its video."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.hand_made import HOSTILE, epic, found

from pipeline.writers.labels import choices, one_line, segments_of, shown, way_to


@pytest.mark.parametrize("label", HOSTILE)
def test_a_label_is_its_own_text(label):
    assert one_line(label) == shown(found(), label) == label


@pytest.mark.parametrize(
    ("label", "text"),
    [("a\r\nb\tc", "a b c"), (" a  b ", "a b"), ("\x00\x1b[2J", r"\x00\x1b[2J"), ("\ud83d", r"\ud83d"),
     ("\ufffe", r"\ufffe"), ("\u2028", "")],
)  # fmt: skip
def test_what_no_file_holds_is_written_in_letters(label, text):
    assert one_line(label) == text


def test_the_list_to_pick_from_has_each_label_once():
    assert choices([found(), found()], ["left", "up", "", "left"]) == [
        "right",
        "up",
        "down",
        "left",
    ]
    assert choices([epic()]) == ["3,17 open drawer", "0,2 take pan: lid", "9,9"]
    assert choices([], []) == []


def test_segments_are_those_of_the_prediction_best_first():
    assert [tuple(segment) for segment in segments_of(found())] == [
        (1.5, 3.5, "right", 0.9),
        (2.0, 6.25, "up", 0.8),
        (7.0, 8.0, "right", 0.3),
        (0.0, 9.0, "down", 0.05),
    ]


def test_the_way_to_a_video(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert way_to(Path("in/v06.mp4"), Path("out/deep/v06.eaf")) == "../../in/v06.mp4"
    assert way_to(tmp_path / "in/v06.mp4", Path("in/v06.eaf")) == "v06.mp4"

    def other_drive(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", other_drive)
    assert way_to(tmp_path / "in/v06.mp4", Path("in/v06.eaf")) == "v06.mp4"
