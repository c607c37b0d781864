"""A sweep of a run with ActionFormer: each setting has the figures, and the detections, that the stages give it."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from helpers.former_runs import former_on_features
from helpers.separable import make_data, write_pairs
from helpers.small_runs import error_line, tada
from helpers.swept import LINEAR, row_of, swept

from pipeline.runs.found import detections_of
from pipeline.runs.run import run_of
from pipeline.tools.sweep import levels
from pipeline.tools.sweep.material import Material
from pipeline.tools.sweep.working import Job
from pipeline.tools.sweep.working import detections_of as tried


@pytest.fixture(scope="module")
def own(data, tmp_path_factory):
    return former_on_features(data, tmp_path_factory.mktemp("former") / "own")


@pytest.fixture(scope="module")
def segments(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("former") / "segments"
    return former_on_features(data, run, "actionformer.classes=none", *LINEAR)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    data = make_data(tmp_path_factory.mktemp("pairs") / "data")
    more = ("actionformer.trunk=separate", "detections.pairs=2", *write_pairs(data))
    return former_on_features(data, tmp_path_factory.mktemp("former") / "pairs", *more)


def same(run, copy, **values) -> None:
    """Hold a row of a sweep, and the detections behind it, against the stages with these settings."""
    words = [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in values.items()]
    row = row_of(swept(run, *words), **values)
    shutil.copytree(run, copy)
    done = tada("eval", "--run-dir", str(copy), *words)
    if done.exit_code:  # the head has to look again
        assert tada("run", "--run-dir", str(copy), *words).exit_code == 0, done.output
    results = json.loads((copy / "eval/results.json").read_text())
    assert row["tasks"] == {name: task["average"] for name, task in results["tasks"].items()}
    config = run_of(copy).detection
    job = Job(config.detections, (config.classify,))
    (mine,) = tried(Material(run_of(run)), job, lambda *_: None)
    pd.testing.assert_frame_equal(
        mine, detections_of(run_of(copy)), check_exact=True, check_dtype=False
    )


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("own", {"detections__sigma": 0.9, "detections__count": 7}),
        (
            "own",
            {"detections__per_class": False, "detections__nms": "hard", "detections__iou": 0.4},
        ),
        ("segments", {"detections__sigma": 0.2, "classify__top": 1}),
        ("pairs", {"detections__top": 20, "detections__pairs": 1}),
    ],
)
def test_as_the_stages_give_it(form, values, tmp_path, request):
    same(request.getfixturevalue(form), tmp_path / "copy", **values)


def test_what_is_not_held_is_made_again(own, monkeypatch, tmp_path):
    whole = swept(own, "detections.sigma=0.2,0.5")
    monkeypatch.setattr(levels, "HELD", 0)
    shutil.copytree(own, tmp_path / "own", ignore=shutil.ignore_patterns("sweep"))
    again = swept(tmp_path / "own", "detections.sigma=0.2,0.5")
    assert again["settings"] == whole["settings"] and not (own / "bmn").exists()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "proposals.alpha=0.3",
            "proposals.alpha has no effect on a run with detector.name=actionformer",
        ),
        ("classify.top=1", "the head predicts the classes itself"),
        ("actionformer.width=8", "changes a training"),
        ("detector.name=bmn", "chooses the head"),
        ("detections.voting=0.5", "voting is over candidates of all classes"),
    ],
)
def test_what_cannot_be_tried_is_one_line(word, said, own):
    assert said in error_line(tada("sweep", "--run-dir", str(own), word))


def test_bmns_runs_have_no_detections(run):
    assert "detector.name=bmn; sweep keys of proposals" in error_line(
        tada("sweep", "--run-dir", str(run), "detections.sigma=0.3")
    )


def test_the_best_is_applied(own, tmp_path):
    copy = shutil.copytree(own, tmp_path / "copy")
    done = tada("sweep", "--run-dir", str(copy), "detections.count=1,100", "--apply")
    assert done.exit_code == 0, done.output
    assert run_of(copy).detection.detections.count in (100, 200)
