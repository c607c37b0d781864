"""Patterns of names of frames: found in a folder's names, written as ffmpeg does, and nothing else taken for one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_extraction.frame_listing import FrameNamesError, chosen_set, list_folder, whole_set
from feature_extraction.frame_names import (
    FramePattern,
    frame_sets,
    is_numbered_picture,
    parse_pattern,
)

PATTERNS = [
    "img_%05d.jpg", "%06d.jpg", "frame_%010d.jpg", "%d.png", "img_%05d.JPG", "%03d.jpeg", "f%d.webp",
    "v00_cam-2_%04d.bmp", "%05d_rgb.png", "frame (%d).tiff", "100%%_%02d.jpg", "é%03d.png", "a.b.%04d.jpg",
]  # fmt: skip
ONE_SET = [(pattern, first) for pattern in PATTERNS for first in (0, 1, 7, 95)]


def shown(names: list[str]) -> dict[str, list[int]]:
    return {str(one.pattern): list(one.numbers) for one in frame_sets(names)[0]}


@pytest.mark.parametrize(("pattern", "first"), ONE_SET)
def test_any_pattern_from_any_number_is_found_by_itself(pattern, first):
    numbers = range(first, first + 130)
    names = [
        pattern.replace("%%", "%") % n if "%%" not in pattern else pattern % n for n in numbers
    ]
    (one,), others = frame_sets(reversed(names))
    assert not others and one.numbers == numbers and not one.missing
    assert [one.pattern.name(n) for n in numbers] == names
    assert parse_pattern(pattern).numbers(names) == list(numbers)
    assert parse_pattern(str(one.pattern)) == one.pattern


def test_more_digits_than_the_width_go_on():
    names = [f"img_{n:02d}.jpg" for n in range(95, 1005)]
    assert shown(names) == {"img_%d.jpg": list(range(95, 1005))}
    assert shown([f"{n:03d}.jpg" for n in range(990, 1003)]) == {"%d.jpg": list(range(990, 1003))}
    assert shown([f"{n:03d}.jpg" for n in range(1003)]) == {"%03d.jpg": list(range(1003))}


@pytest.mark.parametrize(
    ("names", "sets"),
    [
        (["1.jpg", "01.jpg", "2.jpg"], {"%02d.jpg": [1], "%d.jpg": [1, 2]}),
        (["001.jpg", "01.jpg", "1.jpg"], {"%02d.jpg": [1], "%03d.jpg": [1], "%d.jpg": [1]}),
        (["a_1.jpg", "a_1.JPG"], {"a_%d.JPG": [1], "a_%d.jpg": [1]}),
        (
            ["img_1.jpg", "flow_x_1.jpg", "flow_x_2.jpg"],
            {"flow_x_%d.jpg": [1, 2], "img_%d.jpg": [1]},
        ),
        (["1.jpg", "3.jpg", "9.jpg"], {"%d.jpg": [1, 3, 9]}),
        (["img_٣.jpg", "cover.jpg", "a.txt", "1.mp4", "1", "1.jpg.part"], {}),
        (["._img_1.jpg", ".1.jpg", "Thumbs.db", ".DS_Store"], {}),
    ],
)
def test_sets_are_told_apart_and_the_rest_is_no_frame(names, sets):
    assert shown(names) == sets


def test_what_else_lies_there_is_told_but_for_what_file_managers_leave():
    assert frame_sets(["1.jpg", "a.txt", "Thumbs.db", ".DS_Store", "cover.jpg"])[1] == [
        "a.txt",
        "cover.jpg",
    ]
    assert is_numbered_picture("v00.JPG") and not is_numbered_picture("v00.mp4")


@given(st.lists(st.from_regex(r"\A[a_.0-9]{0,4}[0-9]{1,4}[a_]{0,2}\.(jpg|PNG)\Z"), unique=True))
def test_every_numbered_picture_is_in_one_set_under_its_own_name(names):
    visible = [name for name in names if not name.startswith(".")]
    sets, others = frame_sets(names)
    assert not others
    assert sorted(one.pattern.name(n) for one in sets for n in one.numbers) == sorted(visible)
    assert len({one.pattern for one in sets}) == len(sets)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("img.jpg", "one number"),
        ("img_*.jpg", "one number"),
        ("img_%5d.jpg", "one number"),
        ("%s.jpg", "one number"),
        ("%d_%d.jpg", "one number"),
        ("img_%05d", "no image file extension"),
        ("img_%05d.mp4", "no image file extension"),
        ("img/%05d.jpg", "names a folder"),
        ("1%d.jpg", "a digit is next to"),
        ("%d2.jpg", "a digit is next to"),
        ("", "one number"),
        ("100%.jpg", "one number"),
    ],
)
def test_what_is_no_pattern_is_said(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        parse_pattern(text)
    assert repr(text) in str(caught.value)


def test_a_percent_sign_is_written_twice():
    assert parse_pattern("100%%_%03d.jpg") == FramePattern("100%_", 3, ".jpg")
    assert str(FramePattern("100%_", 3, ".jpg")) == "100%%_%03d.jpg"


def test_the_set_of_a_folder(tmp_path):
    def touch(*names: str) -> None:
        for name in names:
            (tmp_path / name).touch()

    with pytest.raises(FrameNamesError, match="holds no frames"):
        chosen_set(tmp_path)
    touch("img_1.jpg", "img_2.jpg", "img_4.jpg", "img_7.jpg", "notes.txt")
    assert list_folder(tmp_path).has_others
    assert list(chosen_set(tmp_path).numbers) == [1, 2, 4, 7]
    with pytest.raises(FrameNamesError, match=r"3 frames are missing, the first is img_3\.jpg"):
        whole_set(tmp_path)
    touch("img_3.jpg", "img_5.jpg", "img_6.jpg", "flow_1.jpg")
    line = "2 patterns, img_%d.jpg (7), flow_%d.jpg (1); keep one, or choose one with dataset.frames=img_%d.jpg"
    with pytest.raises(FrameNamesError, match=re.escape(line)):
        chosen_set(tmp_path)
    assert whole_set(tmp_path, "img_%d.jpg").numbers == range(1, 8)
    assert whole_set(tmp_path, "img_%01d.jpg").numbers == range(1, 8)
    assert whole_set(tmp_path, "flow_%d.jpg").numbers == range(1, 2)
    with pytest.raises(FrameNamesError, match=r"no frames x_%d\.jpg; it holds img_%d\.jpg \(7\)"):
        chosen_set(tmp_path, "x_%d.jpg")


def test_a_width_that_the_names_do_not_show(tmp_path):
    for number in range(10, 130):
        (tmp_path / f"{number}.png").touch()
    for pattern in ("%d.png", "%02d.png"):
        assert whole_set(tmp_path, pattern).numbers == range(10, 130)
    assert chosen_set(tmp_path, "%03d.png").numbers == range(100, 130)
