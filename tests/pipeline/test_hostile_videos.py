"""Videos that hang or kill their decoder, are damaged or skipped: each costs itself, and is reported."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.paths import ROOT
from helpers.processes import readers
from helpers.small_runs import error_line, options, same_results, tada, without_stages

from feature_extraction.video import opening
from pipeline.data import batches as loading
from pipeline.data.videos import lengths
from pipeline.stages import classify, extract


@pytest.fixture
def videos(data, tmp_path):
    """A copy of the videos, to be spoilt."""
    return shutil.copytree(data / "videos", tmp_path / "videos")


# What Python does when it starts: here a pipe is opened as if it were a file, on a disk that does not answer,
# and so does the file that HANGS names.
TAKES_PIPES = """
import os
import sys
import time
if "--multiprocessing-fork" in sys.orig_argv:
    import feature_extraction.video.opening as opening
    hangs = os.environ.get("HANGS")
    opening.check_file = lambda path: time.sleep(600 if path.name == hangs else 0)
"""


@pytest.fixture
def short_waits(monkeypatch, tmp_path):
    """Waits of seconds instead of minutes, and processes that open pipes, whether forked from this one or not."""
    monkeypatch.setattr(loading, "READ_SECONDS", 2.0)
    monkeypatch.setattr(lengths, "LOOK_SECONDS", 2.0)
    monkeypatch.setattr(extract, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(classify, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(opening, "check_file", lambda path: None)
    (tmp_path / "start").mkdir()
    (tmp_path / "start/sitecustomize.py").write_text(TAKES_PIPES)
    folders = [str(tmp_path / "start"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))


def make_pipe(path: Path) -> None:
    """A video that never comes: reading it blocks inside the decoder."""
    path.unlink()
    os.mkfifo(path)


class Assassin:
    """Kills, by a segmentation fault, whatever process opens a video, while it reads."""

    def __init__(self, path: Path) -> None:
        make_pipe(path)
        self.path, self.killed, self._over = path, 0, False
        self._thread = threading.Thread(target=self._lurk, daemon=True)

    def __enter__(self) -> Assassin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)  # lets a waiting thread go
        self._thread.join(10)
        os.close(descriptor)

    def _lurk(self) -> None:
        while not self._over:
            with self.path.open("wb"):
                before = self.killed
                while (
                    not self._over and self.killed == before
                ):  # a reader may be seen a moment late
                    for pid in readers(self.path):
                        if pid != os.getpid():
                            self.killed += 1
                            os.kill(pid, signal.SIGSEGV)


def rows(run: Path, stage: str) -> list[dict]:
    return json.loads((run / stage / "failures.json").read_text())


def summary(run: Path, stage: str) -> dict:
    return json.loads((run / stage / "manifest.json").read_text())["summary"]


def test_a_decoder_that_hangs_or_crashes_costs_extraction_that_video(
    whole, data, videos, tmp_path, short_waits
):
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    line = ["extract", *options(data, run, f"dataset.videos={videos}", workers=2)]
    make_pipe(videos / "validation_001.mp4")
    with Assassin(videos / "validation_000.mp4") as assassin:
        said = error_line(tada(*line))
    assert assassin.killed
    assert "2 videos failed" in said and "--allow-failures 2" in said and "--skip" in said
    first, second = rows(run, "extract")
    assert (first["video"], first["stage"], first["attempts"]) == ("validation_000", "extract", 1)
    assert "SIGSEGV" in first["reason"]
    assert second["video"] == "validation_001" and "no progress for 2 s" in second["reason"]
    assert len(list((run / "extract/features").iterdir())) == 4
    # A later run tries again; one has been fixed, the other is tried for the second time.
    shutil.copy(data / "videos/validation_000.mp4", videos / "fixed.mp4")
    (videos / "fixed.mp4").replace(videos / "validation_000.mp4")
    result = tada(*line, "--allow-failures", "1")
    assert result.exit_code == 0, result.output
    assert [(row["video"], row["attempts"]) for row in rows(run, "extract")] == [
        ("validation_001", 2)
    ]
    assert summary(run, "extract")["left_out"] == ["validation_001"]


def test_a_training_video_that_is_no_video_any_more_stops_at_the_training(
    whole, data, videos, tmp_path
):
    """What a pipe holds nobody knows: the classifier was not trained on it. Nothing waits for it."""
    run = tmp_path / "run"
    without_stages(whole, run, "extract")
    make_pipe(videos / "training_001.mp4")
    said = error_line(tada("extract", *options(data, run, f"dataset.videos={videos}")))
    assert "training videos changed: training_001" in said and "--force" in said


@pytest.mark.parametrize("fault", ["hang", "crash"])
def test_a_decoder_that_hangs_or_crashes_costs_training_that_video(
    whole, data, videos, tmp_path, short_waits, fault
):
    run, bad = tmp_path / "run", videos / "training_001.mp4"
    line = ["finetune", *options(data, run, f"dataset.videos={videos}", workers=2)]
    if fault == "hang":
        make_pipe(bad)
        said, reason = error_line(tada(*line)), "no progress for 2 s"
    else:
        with Assassin(bad):
            said, reason = error_line(tada(*line)), "SIGSEGV"
    assert "training_001" in said and reason in said and "--allow-failures 1" in said
    (row,) = rows(run, "finetune")
    assert (row["video"], row["attempts"], row["left_out"]) == ("training_001", 1, False)
    with Assassin(bad):
        result = tada(*line, "--allow-failures", "1")
    assert result.exit_code == 0, result.output
    assert "training_001 is left out" in result.output
    (row,) = rows(run, "finetune")
    assert (row["attempts"], row["left_out"]) == (2, True)
    assert summary(run, "finetune")["left_out"] == ["training_001"]


@pytest.mark.slow
def test_a_decoder_that_hangs_costs_classification_that_video(
    whole, data, tmp_path, short_waits, monkeypatch
):
    """The file is what features were made of: it is the disk that no longer answers."""
    run = tmp_path / "run"
    without_stages(whole, run, "classify")
    line = ["classify", *options(data, run, workers=1), "--source", "video"]
    monkeypatch.setenv("HANGS", "validation_001.mp4")
    said = error_line(tada(*line))
    assert "validation_001" in said and "no progress" in said and "--allow-failures 1" in said
    assert [path.name for path in (run / "classify/videos").iterdir()] == ["validation_000.npz"]
    result = tada(*line, "--allow-failures", "1")
    assert result.exit_code == 0, result.output
    assert "1 videos without scores count as having no detections" in result.output
    assert set(pd.read_csv(run / "classify/detections.csv")["video"]) == {"validation_000"}
    assert rows(run, "classify")[0]["attempts"] == 2
    assert summary(run, "classify")["left_out"] == ["validation_001"]
    result = tada("eval", *options(data, run, "classify.source=video"))
    assert result.exit_code == 0, result.output
    monkeypatch.delenv("HANGS")
    result = tada(*line)
    assert result.exit_code == 0, result.output
    assert len(set(pd.read_csv(run / "classify/detections.csv")["video"])) == 2
    assert not (run / "classify/failures.json").exists()
    names = sorted(path.name for path in (run / "classify/videos").iterdir())
    assert names == ["validation_000.npz", "validation_001.npz"]


def test_skipped_videos_are_left_out_of_every_stage_counted_and_recorded(
    whole, data, videos, tmp_path
):
    run, skip = tmp_path / "run", tmp_path / "skip.txt"
    skip.write_text("# broken\ntraining_001\n\n validation_000 \nnot_of_this_dataset\n")
    (videos / "training_001.mp4").write_text("not a video")
    line = [*options(data, run, f"dataset.videos={videos}"), "--skip", str(skip)]
    result = tada("run", *line)
    assert result.exit_code == 0, result.output
    for stage, shown in (
        ("finetune", ["training_001", "validation_000"]),
        ("extract", ["training_001", "validation_000"]),
        ("bmn", ["training_001"]),
        ("bmn/proposals", ["validation_000"]),
    ):
        assert summary(run, stage)["left_out"] == shown, stage
    assert "extract: 2 videos of" in result.output and "are left out" in result.output
    assert len(list((run / "extract/features").iterdir())) == 4
    assert set(pd.read_csv(run / "classify/detections.csv")["video"]) == {"validation_001"}
    # The ground truth is whole: what was not looked at counts as not found.
    assert len(pd.read_csv(data / "annotations.csv").query("subset == 'validation'")) > 0
    # An evaluation video that is skipped no longer comes back, and no training is touched.
    models = {path: path.stat().st_mtime_ns for path in run.rglob("model.pt")}
    skip.write_text("training_001\n")
    result = tada("run", *line)
    assert result.exit_code == 0 and "epoch" not in result.output, result.output
    assert {path: path.stat().st_mtime_ns for path in models} == models
    assert summary(run, "extract")["left_out"] == ["training_001"]
    assert summary(run, "bmn/proposals")["left_out"] == []
    assert len(set(pd.read_csv(run / "classify/detections.csv")["video"])) == 2
    # A training video that is skipped no longer concerns both trainings.
    said = error_line(tada("run", *line[:-2]))
    assert "training videos new: training_001" in said and "--force" in said
    assert {path: path.stat().st_mtime_ns for path in models} == models


def test_a_skipped_evaluation_video_goes_at_once_and_comes_back(whole, data, tmp_path):
    run, skip = tmp_path / "run", tmp_path / "skip.txt"
    shutil.copytree(whole, run)
    skip.write_text("validation_000\n")
    before = {path: path.stat().st_mtime_ns for path in (*run.rglob("*.pt"), *run.rglob("*.h5"))}
    result = tada("eval", *options(data, run), "--skip", str(skip))
    assert result.exit_code == 0, result.output
    for name in ("bmn/proposals/proposals.csv", "classify/detections.csv"):
        assert set(pd.read_csv(run / name)["video"]) == {"validation_001"}
    result = tada("eval", *options(data, run))
    assert result.exit_code == 0, result.output
    assert {path: path.stat().st_mtime_ns for path in before} == before
    same_results(whole, run)


def test_a_skip_file_that_is_not_there_is_one_line(data, tmp_path):
    for path, content in ((tmp_path / "no.txt", None), (tmp_path / "bytes.txt", b"\xff\xfe\x00")):
        if content is not None:
            path.write_bytes(content)
        said = error_line(tada("finetune", *options(data, tmp_path / "run"), "--skip", str(path)))
        assert path.name in said


def test_damage_in_the_middle_fails_or_is_told_of(whole, data, videos, tmp_path):
    run, bad = tmp_path / "run", videos / "validation_001.mp4"
    without_stages(whole, run, "extract")
    content = bytearray(bad.read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 4
    content[middle : middle + 300] = np.random.default_rng(0).bytes(300)
    bad.write_bytes(content)
    line = ["extract", *options(data, run, f"dataset.videos={videos}")]
    said = error_line(tada(*line))
    assert "validation_001" in said and "does not decode at" in said and "allow_partial" in said
    result = tada(*line, "--set", "extract.allow_partial=true")
    assert result.exit_code == 0, result.output
    assert "validation_001: " in result.output and "s damaged or missing" in result.output
    told = json.loads((run / "extract/damaged/validation_001.json").read_text())
    assert told["video"] == "validation_001" and told["duration"] == pytest.approx(14, abs=0.1)
    ((begin, end),) = told["spans"]
    assert 0 < begin < end <= 14.1 and told["seconds"] == pytest.approx(end - begin, abs=1e-3)
    assert summary(run, "extract")["damaged"] == ["validation_001"]
    # Whole again, it is made again, and nothing is reported about it any more.
    assert tada("run", *options(data, run)).exit_code == 0
    assert not (run / "extract/damaged/validation_001.json").exists()
    same_results(whole, run)


def test_a_half_file_is_refused_or_told_of(whole, data, videos, tmp_path):
    """Its index in front: it decodes without an error to where it breaks off."""
    run, bad = tmp_path / "run", videos / "validation_001.mp4"
    without_stages(whole, run, "extract")
    _index_in_front(bad)
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2])
    line = ["extract", *options(data, run, f"dataset.videos={videos}")]
    said = error_line(tada(*line))
    assert "validation_001" in said and "of 14.00 s exist" in said
    result = tada(*line, "--set", "extract.allow_partial=true")
    assert result.exit_code == 0, result.output
    told = json.loads((run / "extract/damaged/validation_001.json").read_text())
    assert told["spans"][-1][1] == pytest.approx(14, abs=0.1)
    assert told["seconds"] == pytest.approx(14 - told["duration"], abs=1.5)


def _index_in_front(path: Path) -> None:
    import av

    moved = path.with_name("moved.mp4")
    with (
        av.open(str(path)) as source,
        av.open(str(moved), "w", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    moved.replace(path)
