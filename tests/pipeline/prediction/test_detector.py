"""What a trained model finds is what the stages find, exactly."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from helpers.same_detections import predicts_the_same
from helpers.small_runs import options, tada
from helpers.threads import several_threads

from pipeline.data.features.timed import Features
from pipeline.prediction.detector import Detector, as_stored
from pipeline.prediction.from_run import model_of_run
from pipeline.runs.run import run_of

FORMS = {
    "per proposal on features": [],
    "per video": ["classify.mode=video", "classify.top=3"],
    "on decoded clips": ["classify.source=video", "classify.positions=3"],
    "inside": ["classify.spread=inside", "proposals.voting=0.7"],
    "decoded over": ["classify.source=video", "classify.spread=over", "classify.positions=2"],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_classification(form, data, whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    if FORMS[form]:
        result = tada("classify", *options(data, run, *FORMS[form]))
        assert result.exit_code == 0, result.output
    predicts_the_same(run)


@pytest.mark.parametrize(
    "more",
    [
        ["extract.precision=bfloat16"],
        ["bmn.mode=rescale", "bmn.temporal_scale=24", "bmn.duration_scale=24"],
        ["bmn.regression=true", "bmn.boundary_center=0.5", "bmn.positions=interpolate"],
        ["extract.batch_size=3", "bmn.feature_step=2", "bmn.positions=average"],
    ],
    ids=lambda more: more[0],
)
def test_every_form_of_features_and_proposals(more, data, tmp_path):
    run = tmp_path / "run"
    result = tada("run", *options(data, run, *more))
    assert result.exit_code == 0, result.output
    predicts_the_same(run, lanes=2)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_digit(threads, whole):
    with several_threads(threads):
        predicts_the_same(whole)
        predicts_the_same(whole, lanes=3)


@pytest.mark.parametrize("lanes", [2, 5])
def test_batches_side_by_side_change_no_digit(lanes, whole):
    predicts_the_same(whole, lanes=lanes)


def test_features_are_those_of_the_run(whole, data):
    run = run_of(whole)
    video = run.dataset.video_ids(run.subsets[1])[0]
    detector = Detector(model_of_run(whole), device="cpu")
    seconds: list[float] = []
    found = detector.features(data / "videos" / f"{video}.mp4", progress=seconds.append)
    stored = run.features(video)
    assert isinstance(found.features, Features) and found.damaged == ()
    np.testing.assert_array_equal(found.features.array, stored.array)
    np.testing.assert_array_equal(found.features.times, stored.times)
    assert seconds == sorted(seconds) and abs(seconds[-1] - found.features.duration) < 8


def test_curves_have_a_value_a_position(whole, data):
    run = run_of(whole)
    video = run.dataset.video_ids(run.subsets[1])[0]
    found = Detector(model_of_run(whole), device="cpu").predict(
        data / "videos" / f"{video}.mp4", video
    )
    curves = found.curves
    assert len(curves.times) == len(curves.start) == len(curves.end) == len(run.features(video))
    assert (np.diff(curves.times) > 0).all() and curves.times[-1] < found.duration + 1
    assert 0 <= curves.start.min() and curves.start.max() <= 1
    assert found.model == "whole" and found.digest == model_of_run(whole).digest


def test_features_that_float16_does_not_hold_are_refused():
    with pytest.raises(ValueError, match="1e\\+05 does not fit in float16"):
        as_stored(np.full((2, 3), 1e5, np.float32))
