"""Names of videos: one form in Unicode, endings of videos in any case and no others."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.names import (
    VIDEO_ENDINGS,
    one_form,
    other_prefix,
    spelled,
    split_ending,
    without_ending,
)


@given(st.text(max_size=12))
def test_every_form_of_a_name_is_one(name):
    assert {one_form(normalize(form, name)) for form in ("NFC", "NFD")} == {one_form(name)}
    assert one_form(one_form(name)) == one_form(name)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("v00.mp4", "v00"), ("v00.MTS", "v00"), ("clip.v2.mkv", "clip.v2"), ("clip.v2", "clip.v2"),
        ("v00", "v00"), (".mp4", ".mp4"), ("...mp4", "...mp4"), ("v00.mp4.part", "v00.mp4.part"),
        ("v00.", "v00."), ("v00.txt", "v00.txt"), ("a b.m2ts", "a b"), ("v00.mp4 ", "v00.mp4 "),
    ],
)  # fmt: skip
def test_only_the_ending_of_a_video_is_taken_away(name, stem):
    assert without_ending(name) == stem


@pytest.mark.parametrize(
    "ending",
    [
        ".mp4",
        ".mts",
        ".m2ts",
        ".gif",
        ".asf",
        ".ogv",
        ".vob",
        ".f4v",
        ".mxf",
        ".webm",
        ".3gp",
        ".ts",
        ".divx",
        ".qt",
    ],
)
def test_endings_of_videos(ending):
    assert ending in VIDEO_ENDINGS


@pytest.mark.parametrize(
    "ending",
    [
        ".mp3",
        ".m4a",
        ".wav",
        ".flac",
        ".ogg",
        ".jpg",
        ".png",
        ".srt",
        ".json",
        ".txt",
        ".h5",
        ".npy",
        ".zip",
        ".part",
        ".html",
    ],
)
def test_endings_that_are_of_no_video(ending):
    assert ending not in VIDEO_ENDINGS
    assert split_ending(f"v00{ending.upper()}") == ("v00", ending)


def test_prefixes_and_names_that_look_alike():
    assert (other_prefix("v_a"), other_prefix("a")) == ("a", "v_a")
    assert spelled("e\u0301") == "e\\u0301" and spelled("\u00e9") == "\\xe9"
