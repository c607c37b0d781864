"""Names of clips: any label, any file system."""

from __future__ import annotations

import pytest
from helpers.films import found_in
from helpers.numbered_videos import encode, even_ticks
from hypothesis import given
from hypothesis import strategies as st

from pipeline.writers.cutting import cut_clips
from pipeline.writers.film.clip_names import clip_name, is_clip_name, safe_label

FORBIDDEN = set('/\\:*?"<>|\0\n\r\t')


@pytest.mark.parametrize(
    ("label", "safe"),
    [
        ("open drawer", "open_drawer"),
        ("put-down", "put-down"),
        ("../../etc/passwd", "etc_passwd"),
        ("a/b\\c:d", "a_b_c_d"),
        ('<script>"x"</script>', "script_x_script"),
        (".hidden", "hidden"),
        ("trailing. ", "trailing"),
        ("", "action"),
        ("...", "action"),
        ("😀", "action"),
        ("倒水", "倒水"),
        ("हाथ धोना", "हाथ_धोना"),
        ("e\u0301te\u0301", "été"),
        ("a\u202etxt", "a_txt"),
        ("\udc80x", "x"),
    ],
)
def test_labels(label, safe):
    assert safe_label(label) == safe


@given(st.text(max_size=400), st.floats(-1, 1e6), st.floats(0, 1e3), st.floats(-1, 1))
def test_any_label_gives_a_name_that_any_file_system_takes(label, start, length, score):
    name = clip_name("0007", label, (start, start + length), score)
    assert len(name.encode()) < 160
    assert not FORBIDDEN & set(name) and name.isprintable() and ".." not in name
    assert name[0].isdigit() and name.endswith(".mp4")
    assert is_clip_name(name)


def test_names_of_people_are_taken_and_the_best_comes_first(tmp_path):
    source = encode(tmp_path / "a.mp4", even_ticks(30))
    rows = [(0.0, 0.5, "3,17", 0.25), (0.25, 1.0, "CON", 0.75)]
    clips = cut_clips(found_in(source, *rows, names={"3,17": "open drawer"}), tmp_path / "clips")
    assert [path.name for path in clips] == [
        "001_CON_0.25-1.00s_0.750.mp4",
        "002_open_drawer_0.00-0.50s_0.250.mp4",
    ]
    assert sorted((tmp_path / "clips").iterdir()) == clips
