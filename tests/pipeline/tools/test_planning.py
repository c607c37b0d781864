"""The plan: its counts are those of the run, its rates are measured, its hours follow from both."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from helpers.small_runs import SMALL

from pipeline.cli.commands import main
from pipeline.configuration.reading import find_config, load_config
from pipeline.data.windows.cells import windows_with_segments
from pipeline.demo.dataset import make_dataset


def tada(data: Path, *arguments: str):
    line = [*arguments, "--config", "demo"]
    own = ["runtime.device=cpu", "runtime.workers=0", f"dataset.videos={data / 'videos'}"]
    for assignment in [*own, f"dataset.annotations={data / 'annotations.csv'}", *SMALL]:
        line += ["--set", assignment]
    return CliRunner().invoke(main, line, catch_exceptions=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_dataset(folder, train_videos=3, val_videos=2, seconds=14.0)
    return folder


def test_counts_and_bytes_are_those_of_the_run(data, tmp_path):
    run, file = tmp_path / "run", tmp_path / "plan.json"
    result = tada(data, "plan", "--processes", "4", "--json", str(file))
    assert result.exit_code == 0, result.output
    assert "hours with 4" in result.output and "extract: network" in result.output
    costs = {cost["stage"]: cost for cost in json.loads(file.read_text())["stages"]}
    for stage in ("finetune", "extract"):
        assert tada(data, stage, "--run-dir", str(run)).exit_code == 0
    clips = written = 0
    for path in (run / "extract/features").iterdir():
        with h5py.File(path) as features:
            clips += len(features["features"])
            written += features["features"].nbytes
    # The table of the demo does not say how long videos are: the last segment's end stands for it.
    assert 0.7 * clips < costs["extract: network"]["count"] <= clips
    assert 0.7 * written < costs["extract: network"]["written"] <= written
    segments = int(result.output.split("clips")[0].split()[-1]) // 2
    assert costs["finetune"]["count"] == 2 * segments
    for cost in costs.values():
        assert cost["rate"] > 0
        assert cost["hours"] == pytest.approx(cost["count"] / cost["rate"] / 4 / 3600)


def test_without_videos_decoding_is_not_measured(data, tmp_path):
    (tmp_path / "videos").mkdir()
    shutil.copy(data / "annotations.csv", tmp_path)
    result = tada(tmp_path, "plan")
    assert result.exit_code == 0, result.output
    assert "not measured" in result.output


def windows(name, seconds, segments=((0.0, 1.0),), **more):
    config = load_config(find_config(name), {f"bmn.{key}": more[key] for key in more})
    return windows_with_segments(config, np.array(segments, float), seconds)


def test_training_windows_are_counted_as_they_are_cut():
    everywhere = [(second, second + 1.0) for second in range(100)]
    # EPIC-KITCHENS-100: windows of 53.3 s, one every 26.7 s.
    assert windows("ek100", 100.0, everywhere, windows_to_end=False) == 3
    assert windows("ek100", 100.0, everywhere, windows_to_end=True) == 4
    assert windows("ek100", 100.0, everywhere, windows_to_end=True, random_windows=True) == 4
    assert windows("ek100", 20.0, everywhere[:20]) == 1
    assert windows("hacs", 100.0, everywhere, windows_to_end=True, duration_scale=20) == 1


def test_only_windows_that_hold_a_segment_are_counted():
    assert windows("ek100", 100.0, [(1.0, 2.0)]) == 1
    assert windows("ek100", 100.0, [(30.0, 31.0)]) == 2
    assert windows("ek100", 100.0, [(1.0, 90.0)]) == 0
    assert windows("ek100", 100.0, [(110.0, 111.0)]) == 0  # beyond the video's end
    assert windows("ek100", 20.0, [(19.0, 25.0)]) == 1  # cut at its end


def test_epochs_raised_for_min_steps_are_those_of_the_run(data, tmp_path):
    run, file = tmp_path / "run", tmp_path / "plan.json"
    raised = ("--set", "finetune.min_steps=40", "--set", "bmn.min_steps=20")
    result = tada(data, "plan", "--json", str(file), *raised)
    assert result.exit_code == 0, result.output
    costs = {cost["stage"]: cost for cost in json.loads(file.read_text())["stages"]}
    for stage, unit in (("finetune", "clips"), ("extract", ""), ("bmn", "windows")):
        done = tada(data, stage, "--run-dir", str(run), *raised)
        assert done.exit_code == 0, done.output
        if unit:
            said = re.search(rf"{stage}: (\d+) {unit} in batches of \d+: (\d+) epochs", done.output)
            assert costs[stage]["count"] == int(said[1]) * int(said[2])
            assert int(said[2]) > 2
