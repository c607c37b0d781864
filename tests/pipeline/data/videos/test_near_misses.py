"""What lies in the place of a missing video is named: one of each kind, and how many."""

from __future__ import annotations

from unicodedata import normalize

import pandas as pd
import pytest

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import Dataset
from pipeline.data.videos.finding import require_videos
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.near_misses import near_misses
from pipeline.errors import UserError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


DOWNLOADS = [
    "v03.mp4.part", "v03.part", "v03.webm.crdownload", "v03.mkv.download", "v03.mp4.tmp", "v03.mp4.ytdl",
    "v03.mp4.aria2", "v03.f137.mp4.part", "v03.mp4.part-Frag12.part", "v_v03.mp4.part",
    "class/v03.MP4.PART", ".v03.mp4.tmp",
]  # fmt: skip


@pytest.mark.parametrize("name", DOWNLOADS)
def test_a_download_that_did_not_finish(tmp_path, name):
    touch(tmp_path, name)
    shown = name.rpartition("/")[2]
    assert near_misses(tmp_path, ["v03"]) == f"{shown} exists: an unfinished download"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("V03.mp4", "V03.mp4 exists: v03 is spelled differently (upper and lower case)"),
        ("v-03.mp4", "v-03.mp4 exists: v03 is spelled differently"),
        ("v03 .mp4", "v03 .mp4 exists: v03 is spelled differently"),
        ("v03.mp4 ", "'v03.mp4 ' exists: v03 is spelled differently"),
        (" v03.mp4", " v03.mp4 exists: v03 is spelled differently"),
        ("v3.mp4", "v3.mp4 exists: v03 is spelled differently"),
        ("ｖ03.mp4", "ｖ03.mp4 exists: v03 is spelled differently"),
        ("V-v03.mp4", "V-v03.mp4 exists: v03 is spelled differently"),
        ("v03.zip", "v03.zip exists: it does not have a video file extension (.mp4, .mkv, ...)"),
        (
            "v03.mp4.zip",
            "v03.mp4.zip exists: it does not have a video file extension (.mp4, .mkv, ...)",
        ),
        (
            "v03.tar.gz",
            "v03.tar.gz exists: it does not have a video file extension (.mp4, .mkv, ...)",
        ),
        ("v03.txt", "v03.txt exists: it does not have a video file extension (.mp4, .mkv, ...)"),
        ("v03", "v03 exists: it does not have a video file extension (.mp4, .mkv, ...)"),
        ("v03.jpg", ""),
        ("v04.mp4", ""),
    ],
)
def test_other_spellings_and_endings(tmp_path, name, said):
    touch(tmp_path, name)
    assert near_misses(tmp_path, ["v03"]) == said


def test_a_letter_of_another_kind(tmp_path):
    touch(tmp_path, "ﬁle_01.mp4")
    assert "file_01 is spelled differently" in near_misses(tmp_path, ["file_01"])
    touch(tmp_path, normalize("NFD", "é.mp4.part"))
    assert "an unfinished download" in near_misses(tmp_path, [normalize("NFC", "é")])


def test_a_longer_name(tmp_path):
    touch(tmp_path, "Some title [abcde].mp4")
    assert near_misses(tmp_path, ["abcde"]).startswith(
        "Some title [abcde].mp4 exists: a longer name"
    )
    assert near_misses(tmp_path, ["abc"]) == ""


def test_links_to_nothing(tmp_path):
    (tmp_path / "v03.mp4").symlink_to("/nowhere/v03.mp4")
    said = near_misses(tmp_path, ["v03"])
    assert said == "v03.mp4 exists: a link to /nowhere/v03.mp4, which does not exist"


def test_folders_that_are_no_video(tmp_path):
    (tmp_path / "v03").mkdir()
    assert near_misses(tmp_path, ["v03"]) == "v03 exists: a folder that is empty"
    touch(tmp_path, "v03/cover.jpg")
    assert "that holds no numbered frames" in near_misses(tmp_path, ["v03"])
    touch(tmp_path, "v03/img_1.jpg")
    said = near_misses(tmp_path, ["v03"], "frame_%d.jpg")
    assert "a folder without frames frame_%d.jpg (dataset.frames): it holds img_%d.jpg (1)" in said
    touch(tmp_path, "v03/other.mp4")
    assert "set dataset.frames if these are its frames" in near_misses(tmp_path, ["v03"])
    (tmp_path / "v04.mp4").mkdir()
    assert near_misses(tmp_path, ["v04"]) == "v04.mp4 exists: a folder that is empty"


def test_one_of_each_kind_and_how_many(tmp_path):
    touch(
        tmp_path,
        *(f"v{n:03d}.mp4.part" for n in range(400)),
        *(f"V{n}.mp4" for n in range(500, 502)),
    )
    missing = [f"v{n:03d}" for n in range(500)] + ["v500", "v501"]
    said = near_misses(tmp_path, missing)
    assert said == (
        "v000.mp4.part exists: an unfinished download (400 such); V500.mp4 exists: v500 is "
        "spelled differently (upper and lower case) (2 such)"
    )


def test_the_line_of_missing_videos_has_it(tmp_path):
    touch(tmp_path, "v03.mp4.part")
    settings = DatasetSettings(name="x", format="table", annotations="a.csv", videos=tmp_path)
    line = r"1 of 1 videos are missing \(v03\); v03\.mp4\.part exists: an unfinished download; add them"
    videos = pd.DataFrame({"video": ["v03"], "subset": "training", "duration": 1.0, "fps": 1.0})
    with pytest.raises(UserError, match=line):
        require_videos(
            settings, Dataset(pd.DataFrame(), videos, (("a",),)), ["v03"], LeftOut("test")
        )
