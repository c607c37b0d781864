"""`eval --why` of a run with ActionFormer: the same oracles, of its points and its pyramid."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.former_runs import former_on_features
from helpers.separable import make_data, write_pairs
from helpers.small_runs import tada
from helpers.swept import LINEAR

from actionformer.targets import assign
from pipeline.data.sequences.learnt import video_points
from pipeline.results import scoring
from pipeline.runs.run import run_of
from pipeline.tools.why.oracles import oracles
from pipeline.tools.why.points import learnable, learning_points

NAMES = ["true classes", "true segments", "grid", "before NMS", "nearest kept"]


@pytest.fixture(scope="module")
def separable_data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("separable") / "data")


@pytest.fixture(scope="module")
def runs(separable_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("former")
    pairs = make_data(folder / "pairs_data")
    return {
        "own": former_on_features(separable_data, folder / "own"),
        "pairs": former_on_features(pairs, folder / "pairs", *write_pairs(pairs)),
        "segments": former_on_features(
            separable_data, folder / "segments", "actionformer.classes=none", *LINEAR
        ),
    }


@pytest.mark.parametrize("form", ["own", "pairs", "segments"])
def test_every_oracle_is_made(form, runs):
    done = tada("eval", "--run-dir", str(runs[form]), "--why")
    assert done.exit_code == 0, done.output
    made = json.loads((runs[form] / "eval/why.json").read_text())
    names = [row["name"] for row in made["stages"]]
    assert names == (NAMES if form != "segments" else [*NAMES, "classes of the whole video"])
    assert all(row["tasks"] for row in made["stages"]), made["stages"]
    averages = {r["name"]: next(iter(r["tasks"].values()))["average"] for r in made["stages"]}
    assert averages["grid"] == 100.0  # every segment of these has a point
    assert averages["true segments"] > 60 and averages["before NMS"] >= averages["nearest kept"] - 5
    assert "that the pyramid can learn" in done.stdout and "bmn." not in made["advice"]
    report = (runs[form] / "report/index.html").read_text()
    assert "detector (ActionFormer)" in report and "proposals (BMN)" not in report


def test_two_heads_are_compared(runs):
    done = tada("compare", str(runs["own"]), str(runs["segments"]))
    assert done.exit_code == 0, done.output
    assert "actionformer.classes" in done.stdout


def test_before_nms_is_as_many_segments_as_there_are_truths_at_most(runs):
    run = run_of(runs["own"])
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    tables = {oracle.name: oracle.table for oracle in oracles(run, truth)}
    for name in ("true segments", "before NMS", "nearest kept"):
        segments = tables[name].drop_duplicates(["video", "start", "end"])
        assert 0 < len(segments) <= len(truth), name
    both = tables["true segments"].merge(truth, on=["video", "start", "end"])
    assert len(both) == len(tables["true segments"])


@pytest.mark.parametrize("seed", range(3))
def test_a_segment_is_learnt_by_the_point_at_its_middle(runs, seed):
    settings = run_of(runs["own"]).detection.actionformer
    rng = np.random.default_rng(seed)
    length = int(rng.integers(20, 100))
    start = rng.uniform(0, length - 6, 40)
    segments = np.stack([start, start + rng.uniform(2, 40, 40)], axis=1).clip(0, length)
    table = video_points(length, settings)
    places = learning_points(segments, length, settings)
    learnt = 0
    for segment, place in zip(segments, places, strict=True):
        positive = assign(table, segment[None], [0], 1).positive
        learnt += bool(positive[place])
        middle = (table[place, 0] - segment.mean()).abs()
        assert middle <= table[place, 3] / 2 + 1e-3 or place in (len(table) - 1, 0) or middle < 4
    assert learnt > 25  # the others' middles lie at the edge of their level


def test_what_no_point_learns_is_no_oracle(runs, monkeypatch):
    run = run_of(runs["own"])
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    assert np.isfinite(learnable(run, truth)).all()
    none = truth.assign(start=4.5, end=4.6)  # between two positions, a second apart
    assert np.isnan(learnable(run, none.assign(start=4.6, end=5.4))).all()
