"""Which video a file is of."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from pipeline.data.foreign.names import Names

NAMES = Names(["v_abc", "P01_01", "video_1", "a.b", "caf\u00e9", "x", "v_x", "y_rgb", "y"])


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("v_abc", "v_abc"),
        ("abc", "v_abc"),
        ("v_P01_01", "P01_01"),
        ("abc.mp4", "v_abc"),
        ("v_abc_features", "v_abc"),
        ("abc-FEATS", "v_abc"),
        ("P01_01.mkv_rgb", "P01_01"),
        ("video_1_i3d_rgb", "video_1"),
        ("a.b", "a.b"),
        (normalize("NFD", "caf\u00e9"), "caf\u00e9"),
        ("x", "x"),  # its own name, before that of another
        ("v_x", "v_x"),
        ("y_rgb", "y_rgb"),
        ("y_rgb_feat", None),  # y_rgb or y
        ("abcd", None),
        ("_rgb", None),
        ("", None),
    ],
)
def test_a_name_is_of_one_video_or_of_none(name, video):
    assert NAMES.video(name) == video


def test_ids_in_either_form_of_unicode_are_found_by_names_in_the_other():
    decomposed = normalize("NFD", "caf\u00e9")
    assert Names([decomposed]).video("caf\u00e9") == decomposed
    both = Names([decomposed, "caf\u00e9"])
    assert both.video(decomposed) == decomposed and both.video("caf\u00e9") == "caf\u00e9"
