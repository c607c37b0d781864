"""BMN's training samples: which windows there are, what they hold, and what is left out and counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bmn.moves import window_moves
from bmn.targets import window_targets
from feature_extraction import FeatureMeta, feature_path, write_features
from pipeline import windows
from pipeline.artifacts import Stage
from pipeline.config import find_config, load_config

SECONDS, CLIPS = 50.0, 375  # a clip every 8 / 60 s


@pytest.fixture
def run(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(CLIPS, 6)).astype(np.float32)
    meta = FeatureMeta("a", 60.0, 8, 8, 8, 224, SECONDS, "tada2d", "x", "float32")
    write_features(feature_path(tmp_path / "extract/features", "a"), features, meta)
    Stage("extract", tmp_path / "extract", {}, False).finish()
    return tmp_path


def config(**more):
    return load_config(find_config("ek100"), {f"bmn.{key}": value for key, value in more.items()})


def rows(*segments):
    table = pd.DataFrame(segments, columns=["start", "end"], dtype=float)
    return table.assign(video="a", subset="training", label="x")


def test_segments_are_cut_at_the_decoded_end_and_those_in_no_window_counted(run):
    # Windows of 20 positions of 0.267 s, one every 10: segments of up to 2.67 s always fit.
    settings = config(temporal_scale=20, duration_scale=10, window_step=10)
    segments = rows((1.0, 3.0), (49.0, 50.4), (50.1, 51.0), (10.0, 20.0))
    found, counts = windows.training_windows(settings, run, segments, ["a"])
    assert counts == {
        "end after the decoded video's end, cut there": 2,
        "begin after the decoded video's end, left out": 1,
        "fit into no window, left out": 1,
    }
    held = np.unique(np.concatenate([window.segments for window in found]), axis=0)
    np.testing.assert_array_equal(held, [[1.0, 3.0], [49.0, 50.0]])


@pytest.mark.parametrize("more", [{}, {"mode": "rescale", "temporal_scale": 100}])
def test_a_training_window_is_the_window_of_the_whole_video(run, more):
    settings = config(**({"temporal_scale": 20, "duration_scale": 10, "window_step": 10} | more))
    whole = windows.video_input(settings, run, "a")
    segments = rows(*[(start, start + 0.9) for start in np.arange(0.0, 49.0, 0.7)])
    found, counts = windows.training_windows(settings, run, segments, ["a"])
    assert not counts and len(found) == len(whole.offsets)
    batches = windows.training_batches(settings, run, found, workers=0, epoch=9, step=0)
    made = {tuple(row.ravel().tolist()) for batch in batches for row in batch["features"].numpy()}
    assert made == {tuple(row.ravel().tolist()) for row in whole.features}


def test_targets_are_those_of_the_settings(run):
    small = {"temporal_scale": 20, "duration_scale": 10, "window_step": 10}
    segments = rows((1.0, 2.7))
    batches = {}
    for name, more in {"as ever": {}, "fine": {"boundary_center": 0.5, "regression": True}}.items():
        settings = config(**small, **more)
        found, _ = windows.training_windows(settings, run, segments, ["a"])
        batches[name] = next(
            windows.training_batches(settings, run, found, workers=0, epoch=0, step=0)
        )
    assert list(batches["as ever"]) == ["features", "start", "end", "iou", "names"]
    assert torch.equal(batches["fine"]["iou"], batches["as ever"]["iou"])
    span = (0.0, 20 * 16 / 60)
    exact = window_targets(np.array([[1.0, 2.7]]), span, 20, 10, 0.5)
    assert torch.equal(batches["fine"]["start"][0], exact.start)
    assert torch.equal(
        batches["fine"]["moves"][0], window_moves(np.array([[1.0, 2.7]]), span, 20, 10)
    )


def test_other_windows_have_another_digest(run):
    settings = config(temporal_scale=20, duration_scale=10, window_step=10)
    lists = [
        windows.training_windows(settings, run, rows(segment), ["a"])[0]
        for segment in ((1.0, 3.0), (1.0, 3.0), (1.0, 3.1))
    ]
    one, same, other = map(windows.digest, lists)
    assert one == same != other
