"""Runs on folders of frames of every pattern: the same results, whatever the frames are called."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest
from helpers.small_runs import error_line, options, same_results, tada

from pipeline.demo.dataset import make_dataset

# A pattern and a first number for each of the videos; `None`: it stays a file.
NAMES = [
    ("img_%05d.jpg", 1),
    ("%06d.png", 0),
    ("%d.JPG", 95),
    ("f_%03d.webp", 7),
    ("frame_%010d.jpg", 0),
]
USUAL = [("frame_%010d.jpg", 1)] * len(NAMES)


def frames_of(videos: Path, target: Path, names: list[tuple[str, int]]) -> None:
    """Each video as a folder of its frames, as PNG whatever the ending says: the bytes are alike."""
    for path, (pattern, first) in zip(sorted(videos.glob("*.mp4")), names, strict=True):
        (target / path.stem).mkdir(parents=True)
        with av.open(str(path)) as source:
            for number, frame in enumerate(source.decode(video=0), start=first):
                frame.to_image().save(target / path.stem / (pattern % number), format="PNG")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    make_dataset(folder, train_videos=3, val_videos=2, seconds=7.0, size=(48, 36))
    for name, names in (("usual", USUAL), ("mixed", NAMES)):
        (folder / name).mkdir()
        shutil.copy(folder / "annotations.csv", folder / name)
        frames_of(folder / "videos", folder / name / "videos", names)
    return folder


def test_results_are_the_same_whatever_frames_are_called(drawn, tmp_path):
    for name in ("usual", "mixed"):
        run = options(drawn / name, tmp_path / name, "dataset.frame_fps=15")
        result = tada("run", *run)
        assert result.exit_code == 0, result.output
    same_results(tmp_path / "usual", tmp_path / "mixed")
    result = tada("run", *options(drawn / "mixed", tmp_path / "usual", "dataset.frame_fps=15"))
    assert result.exit_code == 0 and "epoch" not in result.output, result.output


def test_two_sets_are_refused_at_once_and_one_may_be_asked_for(drawn, tmp_path):
    data = shutil.copytree(drawn / "usual", tmp_path / "data")
    for folder in (data / "videos").iterdir():
        for path in sorted(folder.iterdir()):
            shutil.copy(path, folder / path.name.replace("frame_", "flow_x_"))
    asked = options(data, tmp_path / "run", "dataset.frame_fps=15")
    line = error_line(tada("run", *asked))
    assert "2 patterns, flow_x_%010d.jpg (105), frame_%010d.jpg (105)" in line
    assert not (tmp_path / "run/finetune/model.pt").exists()
    pattern = ("--set", "dataset.frames=frame_%010d.jpg")
    result = tada("doctor", *asked, *pattern)
    assert "videos                ok" in result.output, result.output
    result = tada("init", str(data / "videos"), str(data / "annotations.csv"), "--frame-fps", "15",
                  "--frames", "frame_%010d.jpg", "--workers", "0", "--to", str(tmp_path / "c.yaml"))  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "frames: frame_%010d.jpg" in (tmp_path / "c.yaml").read_text()


@pytest.mark.parametrize("pattern", ["img.jpg", "img_%5d.jpg", "a/%d.jpg", "%d.mp4"])
def test_a_wrong_pattern_is_one_line(drawn, tmp_path, pattern):
    asked = options(drawn / "usual", tmp_path / "run", f"dataset.frames={pattern}")
    assert "dataset.frames" in error_line(tada("status", *asked))
    words = [str(drawn / "usual/videos"), str(drawn / "usual/annotations.csv"), "--frames", pattern]
    assert "--frames" in error_line(tada("init", *words))
