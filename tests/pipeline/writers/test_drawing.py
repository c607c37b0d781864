"""What is drawn into pictures: what runs, its best score, and nothing elsewhere."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from helpers.films import found_in

from pipeline.writers import drawing
from pipeline.writers.drawing import Overlay, clock
from pipeline.writers.film.upright import planes

LABELS = [
    "open drawer", "<script>alert(1)</script>", "a/b:c\n\u202e\x1b[31m", "наливать", "يفتح الباب",
    "倒水", "😀", "x" * 5000, "", " ", "\udc80", "=1+2", "हाथ धोना", "\U0010ffff",
]  # fmt: skip


def grey(size, level=128):
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, value in zip(planes(frame), (level, 128, 128), strict=True):
        plane[:] = value
    return frame


@pytest.mark.parametrize(
    "size", [(1920, 1080), (640, 360), (96, 64), (36, 24), (2, 2), (2, 600), (1000, 4)]
)
def test_any_label_and_size(size):
    rows = [(0.0, 9.0, label, 0.9 - number / 50) for number, label in enumerate(LABELS)]
    rows += [(number / 50, number / 50 + 1, f"class {number % 200}", 0.1) for number in range(500)]
    overlay = Overlay(found_in(Path("a"), *rows, duration=10.0), size, 1)
    for seconds in (0.0, 5.0, 9.99, 11.0):
        frame = grey(size)
        overlay.draw(frame, seconds)
        outside = np.ones(size[::-1], bool)
        for left, top, right, bottom in overlay.regions():
            outside[top:bottom, left:right] = False
        assert (planes(frame)[0][outside] == 128).all()
        for chroma in planes(frame)[1:]:
            assert (chroma[outside[::2, ::2]] == 128).all()
        if min(size) >= 64:
            assert outside[: size[1] // 4].all()
            assert (planes(frame)[0][~outside] != 128).mean() > 0.9


def test_an_action_runs_from_its_start_to_before_its_end():
    rows = [
        (1.0, 2.0, "a", 0.5),
        (1.5, 2.0, "b", 0.9),
        (2.0, 2.0, "never", 0.7),
        (2.0, 3.0, "c", 0.1),
    ]
    overlay = Overlay(found_in(Path("a"), *rows), (320, 240), 1)
    # numbers count the best first: b, never, a, c
    at = {0.99: [], 1.0: [2], 1.5: [0, 2], 2.0 - 1e-9: [3], 2.0: [3], 2.5: [3], 3.0: []}
    assert {seconds: overlay.running(seconds) for seconds in at} == at


def test_it_is_drawn_when_what_runs_changes(monkeypatch):
    rows = [(0.0, 2.0, "a", 0.5), (1.0, 2.0, "b", 0.9)]
    overlay = Overlay(found_in(Path("a"), *rows), (320, 240), 1)
    made = []
    patch = drawing.patch
    monkeypatch.setattr(drawing, "patch", lambda *a, **b: made.append(1) or patch(*a, **b))
    for number in range(300):
        overlay.draw(grey((320, 240)), number / 100)
    # nothing, a, b and a: a time line each and three lines; and a clock a second
    assert len(made) == 3 + 3 + 3


def test_a_label_is_one_line_with_its_best_score():
    same = [(0.0, 2.0, "a", score) for score in (0.9, 0.5, 0.4)]
    drawn = []
    for rows in (same, same[:1], [*same, (0.0, 2.0, "b", 0.3)]):
        overlay = Overlay(found_in(Path("a"), *rows), (640, 480), 1)
        overlay.draw(grey((640, 480)), 1.0)
        drawn.append(len(overlay.regions()))
    assert drawn[0] == drawn[1] == drawn[2] - 1


@pytest.mark.parametrize("level", [16, 128, 235])
def test_text_stands_out_whatever_is_behind(level):
    size = (640, 360)
    overlay = Overlay(found_in(Path("a"), (0.0, 3.0, "pour water", 0.9)), size, 1)
    frame = grey(size, level)
    overlay.draw(frame, 1.0)
    _, (left, top, right, bottom), *_ = overlay.regions()
    text = planes(frame)[0][top:bottom, left:right]
    assert text.max() > 225 and np.median(text) < 90


def test_the_mark_moves_with_the_time():
    size = (640, 360)
    overlay = Overlay(found_in(Path("a"), (0.0, 0.1, "a", 0.9)), size, 1)
    for seconds in (0.3, 1.5, 2.7):
        frame = grey(size)
        overlay.draw(frame, seconds)
        row = planes(frame)[0][-1].astype(int)
        assert np.argmax(row) == pytest.approx(640 * seconds / 3, abs=4)
        assert row.max() > 225


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_is_none(duration):
    found = found_in(Path("a"), (0.0, 1.0, "a", 0.5), duration=duration)
    Overlay(found, (320, 240), 1).draw(grey((320, 240)), 0.5)


def test_clock():
    assert [clock(one) for one in (0, 59.99, 65, 3600 + 61)] == ["0:00", "0:59", "1:05", "1:01:01"]
