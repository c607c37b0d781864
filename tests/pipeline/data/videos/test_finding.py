"""Where videos are found: flat, in folders, through links, as files or folders of frames."""

from __future__ import annotations

import os
from pathlib import Path
from unicodedata import normalize

import pandas as pd
import pytest

from feature_extraction import FrameFolder
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import Dataset
from pipeline.data.names import VIDEO_ENDINGS
from pipeline.data.videos.finding import find_videos, require_videos
from pipeline.data.videos.identity import identify
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError


def dataset(*ids: str, duration: float = float("nan"), fps: float = float("nan")) -> Dataset:
    videos = pd.DataFrame({"video": ids, "subset": "training", "duration": duration, "fps": fps})
    return Dataset(pd.DataFrame(), videos, (("a",),))


def at(folder: Path, **more) -> DatasetSettings:
    return DatasetSettings(name="x", format="table", annotations="none.csv", videos=folder, **more)


def find(folder: Path, *ids: str, **more):
    return find_videos(at(folder, **more), dataset(*ids), ids)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_videos_are_found_with_and_without_prefix(tmp_path):
    touch(tmp_path, "v_one.mp4", "Long jump/two.MKV", "three.txt", "Long jump/v_four.mp4")
    paths, missing = find(tmp_path, "one", "v_two", "three", "v_four")
    names = {video: path.name for video, path in paths.items()}
    assert names == {"one": "v_one.mp4", "v_two": "two.MKV", "v_four": "v_four.mp4"}
    assert missing == ["three"]


def test_missing_videos_are_named_and_may_be_allowed(tmp_path):
    touch(tmp_path, "one.mp4")
    ids = ("one", "three")
    with pytest.raises(UserError, match=r"1 of 2 videos are missing \(three\).*--allow-failures 1"):
        require_videos(at(tmp_path), dataset(*ids), ids, LeftOut("test"))
    left_out = LeftOut("test", allowed=1)
    assert list(require_videos(at(tmp_path), dataset(*ids), ids, left_out)) == ["one"]
    assert left_out.names == ["three"]
    assert require_videos(at(tmp_path), dataset("one.mp4"), ["one.mp4"], LeftOut("test"))


def test_two_files_of_a_name_and_a_folder_that_is_not_there(tmp_path):
    touch(tmp_path, "one.avi", "class/one.mp4")
    with pytest.raises(UserError, match="more than one file"):
        find(tmp_path, "one")
    with pytest.raises(UserError, match="no such folder"):
        find(tmp_path / "nowhere", "one")


def test_linked_folders_are_followed_once(tmp_path):
    touch(tmp_path, "disk/class/one.mp4")
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "class").symlink_to(tmp_path / "disk" / "class")
    (tmp_path / "disk" / "class" / "back").symlink_to(videos)
    paths, _ = find(videos, "one")
    assert paths["one"].name == "one.mp4"


def test_folders_of_frames_have_the_rates_their_dataset_tells(tmp_path):
    touch(tmp_path, "P01/rgb_frames/P01_01/frame_0000000001.jpg", "P02/P02_01/frame_0000000001.jpg")
    touch(tmp_path, "P02/videos/P02_01.MP4")
    ids = ("P01_01", "P02_01")
    told = dataset(*ids, duration=10.0, fps=59.94)
    paths, missing = find_videos(at(tmp_path), told, ids)
    folder = tmp_path / "P01/rgb_frames/P01_01"
    assert paths["P01_01"] == FrameFolder(folder, (59.94, 50.0, 60.0), 10.0)
    assert paths["P02_01"].name == "P02_01.MP4" and not missing  # a file goes before frames
    paths, _ = find_videos(at(tmp_path, frame_fps=25), told, ids)
    assert paths["P01_01"] == FrameFolder(folder, (25.0,), 10.0)
    paths, _ = find_videos(at(tmp_path, frame_fps=25), dataset(*ids), ids)
    assert paths["P01_01"] == FrameFolder(folder, (25.0,), None)
    with pytest.raises(UserError, match="P01_01 is a folder of frames.*dataset.frame_fps"):
        find_videos(at(tmp_path), dataset(*ids), ids)


NFC, NFD = normalize("NFC", "café_01"), normalize("NFD", "café_01")


@pytest.mark.parametrize("on_disk", [NFC, NFD])
@pytest.mark.parametrize("asked", [NFC, NFD])
def test_names_are_the_same_in_every_form_of_unicode(tmp_path, on_disk, asked):
    touch(tmp_path, f"{on_disk}.mp4", f"v_x{on_disk}.mkv", f"{on_disk}_f/img_1.jpg")
    ids = [asked, f"x{asked}", f"{asked}_f"]
    paths, missing = find(tmp_path, *ids, frame_fps=5)
    assert list(paths) == ids and not missing


def test_two_files_that_become_one_name_are_told_apart_in_the_line(tmp_path):
    touch(tmp_path, f"{NFC}.mp4", f"{NFD}.mp4")
    with pytest.raises(UserError, match="more than one file") as caught:
        find(tmp_path, NFC)
    assert "caf\\xe9_01.mp4" in caught.value.message
    assert "cafe\\u0301_01.mp4" in caught.value.message


@pytest.mark.parametrize("ending", sorted(VIDEO_ENDINGS))
def test_endings_in_any_case(tmp_path, ending):
    touch(tmp_path, f"one{ending}", f"two{ending.upper()}")
    paths, missing = find(tmp_path, "one", "two")
    assert len(paths) == 2 and not missing


@pytest.mark.parametrize(
    "name", ["one.mp3", "one.m4a", "one.srt", "one.json", "one.h5", "one", "one.jpeg"]
)
def test_what_is_no_video_is_not_taken_for_one(tmp_path, name):
    touch(tmp_path, name)
    assert find(tmp_path, "one") == ({}, ["one"])


def test_a_preview_counts_where_there_is_no_other_video(tmp_path):
    touch(tmp_path, "one.gif", "one.mp4", "two.gif")
    paths, _ = find(tmp_path, "one", "two")
    assert [path.name for path in paths.values()] == ["one.mp4", "two.gif"]


@pytest.mark.parametrize(
    ("files", "video", "found"),
    [
        (["v00.mp4"], "v00.mp4", "v00.mp4"),
        (["v00.mkv"], "v00.mp4", "v00.mkv"),
        (["v00.mp4", "v00.mkv"], "v00.mkv", "v00.mkv"),
        (["v00.MP4", "v00.mkv"], "v00.mp4", "v00.MP4"),
        (["v_v00.mp4"], "v00.mp4", "v_v00.mp4"),
        (["v00.mp4.mkv", "v00.mp4"], "v00.mp4", "v00.mp4.mkv"),
        (["clip.v2.mp4"], "clip.v2", "clip.v2.mp4"),
        (["clip.v2/1.jpg"], "clip.v2", "clip.v2"),
        (["v00.mp4/1.jpg"], "v00", "v00.mp4"),
        (["v00.mp4/1.jpg"], "v00.mp4", "v00.mp4"),
    ],
)
def test_an_id_may_have_an_ending_and_dots(tmp_path, files, video, found):
    touch(tmp_path, *files)
    paths, missing = find(tmp_path, video, frame_fps=5)
    assert not missing and Path(paths[video]).name == found


def test_two_ids_of_one_file_are_refused(tmp_path):
    touch(tmp_path, "v00.mp4")
    with pytest.raises(UserError, match=r"videos v00 and v00\.mp4 are one file .*; write one id"):
        find(tmp_path, "v00", "v00.mp4")


def test_several_videos_of_two_files_are_counted(tmp_path):
    touch(tmp_path, "a.mp4", "a.mkv", "b.mp4", "b.avi", "c.mp4", "d/c.mp4")
    with pytest.raises(
        UserError, match=r"video a: .*\(.*a\.mkv, .*a\.mp4\), and 2 more videos have several"
    ):
        find(tmp_path, "a", "b", "c")


@pytest.mark.parametrize("name", ["img_00001.jpg", "000000.png", "frame_0000000000.jpg", "1.webp"])
def test_folders_of_frames_of_any_pattern(tmp_path, name):
    touch(tmp_path, f"class/v00/{name}", f"v_v01/{name}", f"nobody/{name}", f"v01/empty/{name}")
    (tmp_path / "v00.txt").touch()
    paths, missing = find(tmp_path, "v00", "v01", "none", frame_fps=5)
    assert missing == ["none"]
    assert paths == {
        "v00": FrameFolder(tmp_path / "class/v00", (5.0,)),
        "v01": FrameFolder(tmp_path / "v_v01", (5.0,)),
    }


def test_pictures_beside_a_video_are_no_frames(tmp_path):
    touch(tmp_path, "v00/v00.mp4", "v00/thumb_1.jpg", "v01/v01.jpg", "v01/deeper/v01.mp4")
    touch(tmp_path, "v02/other.mp4", "v02/thumb_1.jpg", "v03.jpg", "v03.mp4")
    paths, missing = find(tmp_path, "v00", "v01", "v02", "v03")
    assert [path.name for path in paths.values()] == ["v00.mp4", "v01.mp4", "v03.mp4"]
    assert missing == ["v02"]
    paths, _ = find(tmp_path, "v02", frames="thumb_%d.jpg", frame_fps=5)
    assert paths["v02"] == FrameFolder(tmp_path / "v02", (5.0,), pattern="thumb_%d.jpg")


def test_several_sets_of_frames_ask_for_one(tmp_path):
    for video in ("v00", "v01"):
        touch(tmp_path, f"{video}/img_1.jpg", f"{video}/img_2.jpg", f"{video}/flow_x_1.jpg")
    line = r"v00: holds frames of 2 patterns, img_%d\.jpg \(2\), flow_x_%d\.jpg \(1\) \(and so do 1 more folders\)"
    with pytest.raises(UserError, match=line + r"; choose one with dataset\.frames=img_%d\.jpg"):
        find(tmp_path, "v00", "v01", frame_fps=5)
    paths, _ = find(tmp_path, "v00", "v01", frame_fps=5, frames="flow_x_%d.jpg")
    assert {source.pattern for source in paths.values()} == {"flow_x_%d.jpg"}
    assert find(tmp_path, "v00", "v01", frame_fps=5, frames="%d.jpg") == ({}, ["v00", "v01"])


def test_a_folder_of_frames_is_listed_once(tmp_path, monkeypatch):
    touch(tmp_path, *(f"{video}/img_{n}.jpg" for video in ("v00", "v01") for n in range(5)))
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: listed.append(str(path)) or listdir(path))
    paths, _ = find(tmp_path, "v00", "v01", frame_fps=5)
    assert len(identify(paths, {})) == 2
    assert sorted(listed) == [str(tmp_path / "v00"), str(tmp_path / "v01")]


def test_dead_links_and_circles_are_no_videos(tmp_path):
    (tmp_path / "v00.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "v01.mp4").symlink_to(tmp_path / "v01.mp4")
    assert find(tmp_path, "v00", "v01") == ({}, ["v00", "v01"])
