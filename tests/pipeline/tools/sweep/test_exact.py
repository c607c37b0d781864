"""The figures and detections of a sweep are those of the stages with the same settings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers import separable
from helpers.separable import write_pairs, write_scores
from helpers.small_runs import tada
from helpers.swept import LINEAR, row_of, swept, trained

from pipeline.results.tables import read_detections
from pipeline.runs.run import run_of
from pipeline.tools.sweep.material import Material
from pipeline.tools.sweep.working import Job, detections_of


def made_by_stages(run: Path, copy: Path, **values: object) -> tuple[dict, pd.DataFrame, Path]:
    """Figures and detections of the stages, in a copy of a run, with these settings."""
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "bmn/proposals/maps", ignore_errors=True)
    words = [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in values.items()]
    done = tada("eval", "--run-dir", str(copy), *words)
    assert done.exit_code == 0, done.output
    made = run_of(copy)
    detections = read_detections(made.path("classify"), made.dataset, made.subsets[1])
    return json.loads((copy / "eval/results.json").read_text()), detections, copy


def same(run: Path, copy: Path, found: dict, **values: object) -> None:
    """Hold a row of a sweep, and the detections behind it, against the stages."""
    results, detections, made = made_by_stages(run, copy, **values)
    row = row_of(found, **values)
    leading = next(iter(results["tasks"].values()))
    assert row["map"] == leading["map"] and row["average"] == leading["average"]
    assert row["tasks"] == {name: task["average"] for name, task in results["tasks"].items()}
    config = run_of(made).detection
    job = Job(config.proposals, (config.classify,))
    (mine,) = detections_of(Material(run_of(run)), job, lambda *_: None)
    pd.testing.assert_frame_equal(mine, detections, check_exact=True, check_dtype=False)


SETTINGS = [
    {"proposals__alpha": 0.1, "proposals__boundary_power": 1.0, "classify__positions": 1},
    {"proposals__alpha": 0.9, "proposals__boundary_power": 0.5, "classify__positions": 4},
]


def test_a_linear_classifier_on_features(run, tmp_path):
    found = swept(
        run,
        "proposals.alpha=0.1,0.9",
        "proposals.boundary_power=1,0.5",
        "classify.positions=1,4",
    )
    assert found["tried"] == found["of"] == 9
    averages = [row["average"] for row in found["settings"]]
    assert averages == sorted(averages, reverse=True) and averages[0] > averages[-1] + 5
    for number, values in enumerate(SETTINGS):
        same(run, tmp_path / str(number), found, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"proposals__count": 5, "proposals__voting": None, "classify__mode": "video"},
        {"proposals__per_second": 0.5, "proposals__voting": 0.3, "classify__mode": "proposal"},
        {"proposals__power": 1.0, "proposals__low": 0.5, "classify__spread": "over"},
        {"proposals__cls_power": 0.0, "proposals__reg_power": 2.0, "classify__top": 1},
    ],
)
def test_every_key(run, tmp_path, values):
    words = [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in values.items()]
    same(run, tmp_path / "copy", swept(run, *words), **values)


def test_the_run_s_own_setting_is_what_it_has(run):
    found = swept(run, "proposals.alpha=0.4,0.5")
    results = json.loads((run / "eval/results.json").read_text())
    (own,) = (row for row in found["settings"] if row["present"])
    assert own["map"] == results["tasks"]["mAP"]["map"]
    assert found["iou"] == results["iou"] == [0.3, 0.5, 0.7, 0.9]


def test_by_scores_of_a_file_and_a_network_that_moves_proposals(data, tmp_path):
    scores = f"classify.scores={write_scores(data)}"
    run = trained(data, tmp_path / "run", scores, "bmn.regression=true", "bmn.boundary_center=0")
    found = swept(run, "proposals.alpha=0.1,0.9", "classify.top=1,3")
    same(run, tmp_path / "copy", found, proposals__alpha=0.9, classify__top=3)


def test_whole_videos_rescaled(data, tmp_path):
    more = ("bmn.mode=rescale", "bmn.temporal_scale=16", "bmn.duration_scale=16")
    run = trained(data, tmp_path / "run", *LINEAR, *more)
    found = swept(run, "proposals.alpha=0.1,0.9")
    same(run, tmp_path / "copy", found, proposals__alpha=0.1)


def test_verbs_and_nouns(data, tmp_path):
    own = shutil.copytree(data, tmp_path / "data")
    run = trained(own, tmp_path / "run", *LINEAR, *write_pairs(own))
    found = swept(run, "classify.pairs=1,4", "classify.top_verbs=1,2", "classify.top=1,2")
    assert set(found["settings"][0]["tasks"]) == {"action", "verb", "noun"}
    values = {"classify__pairs": 4, "classify__top_verbs": 1, "classify__top": 1}
    same(run, tmp_path / "copy", found, **values)
    done = tada("sweep", "--run-dir", str(run), "classify.pairs=1,4", "classify.top=1,2")
    assert "classify.top: its values do not change any figure" in done.output


def test_applied_the_run_has_that_number(run):
    before = (run / "config.yaml").read_text()
    words = ("proposals.boundary_power=0,1", "proposals.cls_power=0.5,2")
    found = swept(run, *words, "--apply")
    best = found["settings"][0]
    assert best["best"] and not best["present"]
    assert best["values"] == {"proposals.boundary_power": 1.0, "proposals.cls_power": 2.0}
    after = (run / "config.yaml").read_text()
    wanted = before.replace("boundary_power: 0.0", "boundary_power: 1.0")
    assert after == wanted.replace("cls_power: 1.0", "cls_power: 2.0")
    times = {path.name: path.stat().st_mtime_ns for path in (run / "bmn/proposals/maps").iterdir()}
    done = tada("eval", "--run-dir", str(run))
    assert done.exit_code == 0 and f"{best['average']:.2f}" in done.output.split()
    results = json.loads((run / "eval/results.json").read_text())
    assert results["tasks"]["mAP"]["average"] == best["average"]
    assert times == {p.name: p.stat().st_mtime_ns for p in (run / "bmn/proposals/maps").iterdir()}
    again = swept(run, *words, "--apply")
    assert again["settings"][0]["present"] and (run / "config.yaml").read_text() == after
    states = tada("status", "--run-dir", str(run)).output
    assert "stale" not in states and states.count("complete") == 6, states


@pytest.mark.parametrize("kept", ["false", "1000", "true"])
def test_without_room_for_maps_the_figures_are_the_same(run, tmp_path, kept):
    words = ("proposals.alpha=0.1,0.9", "proposals.boundary_power=0,1")
    expected = swept(run, *words)["settings"]
    other = tmp_path / "other"
    shutil.copytree(run, other)
    for name in ("bmn/proposals/maps", "sweep"):
        shutil.rmtree(other / name)
    text = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(text.replace("keep_maps: auto", f"keep_maps: {kept}"))
    assert swept(other, *words)["settings"] == expected
    there = list((other / "bmn/proposals").glob("maps/*.npz"))
    assert len(there) == {"false": 0, "1000": 0, "true": len(separable.VALIDATION)}[kept]


@pytest.mark.slow
def test_on_two_processes_the_figures_are_the_same(run):
    words = ("proposals.alpha=0.1,0.9", "classify.top=1,2")
    one = swept(run, *words)["settings"]
    shutil.rmtree(run / "sweep")
    assert swept(run, *words, "--workers", "2")["settings"] == one
