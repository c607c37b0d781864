"""Extraction: a video is made once, a bad one costs itself, processes share the work."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from helpers.small_runs import error_line, options, same_results, tada, without_stages


def test_a_bad_video_costs_itself_and_is_listed(whole, data, tmp_path):
    run, folder = tmp_path / "run", tmp_path / "data"
    shutil.copytree(data, folder)
    shutil.copytree(whole / "finetune", run / "finetune")
    (folder / "videos/validation_000.mp4").write_text("not a video")
    result = tada("extract", *options(folder, run))
    assert result.exit_code == 1
    assert "validation_000" in result.output and "--allow-failures 1" in result.output
    rows = json.loads((run / "extract/failures.json").read_text())
    assert [row["video"] for row in rows] == ["validation_000"]
    assert len(list((run / "extract/features").iterdir())) == 5
    result = tada("run", *options(folder, run), "--allow-failures", "1")
    assert result.exit_code == 0, result.output
    assert "validation_000" in result.output
    shutil.copy(data / "videos/validation_000.mp4", folder / "videos")
    result = tada("extract", *options(folder, run))
    assert result.exit_code == 0 and not (run / "extract/failures.json").exists()
    # No training goes by the video; what goes by it is made again, as if it had never been bad.
    result = tada("run", *options(folder, run))
    assert result.exit_code == 0 and "network complete, nothing to do" in result.output
    assert "validation_000" in set(pd.read_csv(run / "bmn/proposals/proposals.csv")["video"])
    same_results(whole, run)


@pytest.mark.parametrize("how", ["cut off", "one bit", "empty", "no feature file", "gone"])
def test_damaged_features_are_made_again_and_said(whole, data, tmp_path, how):
    """By the next command that reads them, whichever that is; all else stays as it is."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    path = run / "extract/features/training_002.h5"
    content = path.read_bytes()
    damage(path, how)
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*.h5") if file != path}
    why = "gone" if how == "gone" else "not what was written"
    assert f"features {why}: training_002" in tada("status", *options(data, run)).output
    # What is complete reads none; what is to be made reads all.
    result = tada("bmn", *options(data, run))
    assert result.exit_code == 0 and "bmn: complete, nothing to do" in result.output
    shutil.rmtree(run / "bmn")
    result = tada("bmn", *options(data, run))
    assert result.exit_code == 0, result.output
    assert f"features of 1 videos are {why} (training_002), made again" in result.output
    assert path.read_bytes() == content
    assert {file: file.stat().st_mtime_ns for file in before} == before
    result = tada("run", *options(data, run))
    assert "extract: complete" in result.output and "AR@" in result.output
    same_results(whole, run)


def damage(path, how):
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = bytes([content[middle] ^ 1])
    text = {"cut off": content[:middle], "empty": b"", "no feature file": b"no features"}
    text["one bit"] = content[:middle] + flipped + content[middle + 1 :]
    path.unlink() if how == "gone" else path.write_bytes(text[how])


def test_worker_processes_give_the_same_features(whole, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole / "finetune", run / "finetune")
    assert tada("extract", *options(data, run, workers=2)).exit_code == 0
    for path in (whole / "extract/features").iterdir():
        with h5py.File(path) as one, h5py.File(run / "extract/features" / path.name) as two:
            np.testing.assert_allclose(one["features"][:], two["features"][:], rtol=2e-3, atol=1e-3)


def test_a_file_that_is_gone_is_made_again_and_no_other(whole, data, tmp_path):
    run = tmp_path / "run"
    without_stages(whole, run, "bmn")
    folder = run / "extract/features"
    gone = folder / "training_001.h5"
    gone.unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    result = tada("extract", *options(data, run))
    assert result.exit_code == 0 and "extract: 1 of 6 videos to do on cpu" in result.output
    assert gone.read_bytes() == (whole / "extract/features/training_001.h5").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_video_that_is_not_there_is_named_before_any_is_read(whole, data, tmp_path):
    run, videos = tmp_path / "run", tmp_path / "videos"
    without_stages(whole, run, "extract")
    shutil.copytree(data / "videos", videos)
    (videos / "training_001.mp4").unlink()
    line = ["extract", *options(data, run, f"dataset.videos={videos}")]
    said = error_line(tada(*line))
    assert "1 of 6 videos are missing (training_001)" in said and not list(run.rglob("*.h5"))
    result = tada(*line, "--allow-failures", "1")
    assert result.exit_code == 0, result.output
    assert "extract: 5 videos complete" in result.output
    summary = json.loads((run / "extract/manifest.json").read_text())["summary"]
    assert (summary["videos"], summary["left_out"]) == (5, ["training_001"])
