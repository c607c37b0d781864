"""Where videos are found: flat, in folders, through links, as files or folders of frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from feature_extraction import FrameFolder
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import Dataset
from pipeline.data.videos.finding import find_videos, require_videos
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
