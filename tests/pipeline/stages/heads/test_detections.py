"""Detections by video: resumed, made again where they are not current, and every way to classes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers.processes import wait_for
from helpers.separable import (
    ACTIONFORMER,
    CLASSES,
    VALIDATION,
    options,
    take,
    write_pairs,
    write_scores,
)
from helpers.small_runs import error_line, kill, start, tada

from pipeline.runs.found import detections_of, proposals_of
from pipeline.runs.run import run_of

FOUND = "actionformer/detections"
# One epoch: what is looked at is not how good it is.
BRIEF = [*ACTIONFORMER, "actionformer.epochs=1", "actionformer.warmup_epochs=0"]


@pytest.fixture
def run(former, tmp_path):
    shutil.copytree(former, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def own(separate, tmp_path):
    shutil.copytree(separate, tmp_path / "data")
    return tmp_path / "data"


def average(run, task="mAP"):
    return json.loads((run / "eval/results.json").read_text())["tasks"][task]["average"]


def written(run):
    return {path.name: path.stat().st_mtime_ns for path in (run / FOUND / "videos").iterdir()}


def test_the_tables_are_those_of_the_videos(former):
    found = run_of(former)
    detections, proposals = detections_of(found), proposals_of(found)
    parts = [pd.read_csv(former / FOUND / f"videos/{video}.csv") for video in VALIDATION]
    pd.testing.assert_frame_equal(detections, pd.concat(parts, ignore_index=True))
    distinct = detections.groupby(["video", "start", "end"])["score"].max()
    assert len(proposals) == len(distinct)
    made = proposals.set_index(["video", "start", "end"])["score"].sort_index()
    pd.testing.assert_series_equal(made, distinct.sort_index())


def test_another_way_to_choose_costs_no_training(separate, run, former):
    before = (run / "actionformer/model.pt").read_bytes()
    result = tada("eval", *options(separate, run, *ACTIONFORMER, "detections.count=5"))
    assert result.exit_code == 0 and "15 detections of 3 videos" in result.output, result.output
    assert (run / "actionformer/model.pt").read_bytes() == before
    result = tada("eval", *options(separate, run, *ACTIONFORMER))
    assert result.exit_code == 0, result.output
    name = f"{FOUND}/detections.csv"
    assert (run / name).read_bytes() == (former / name).read_bytes()


def test_a_damaged_part_costs_its_video_alone(separate, run, former):
    before = written(run)
    path = run / FOUND / "videos/v1.csv"
    path.write_text(path.read_text()[:50])
    status = tada("status", *options(separate, run, *ACTIONFORMER)).output
    assert "files of videos not what was written: v1" in status, status
    result = tada("detect", *options(separate, run, *ACTIONFORMER))
    assert result.exit_code == 0, result.output
    assert {name for name, time in written(run).items() if before[name] != time} == {"v1.csv"}
    for name in ("detections.csv", "proposals.csv", "videos/v1.csv"):
        assert (run / FOUND / name).read_bytes() == (former / FOUND / name).read_bytes()


@pytest.mark.slow
def test_killed_between_two_videos_it_goes_on_with_the_next(separate, run, former):
    shutil.rmtree(run / FOUND)
    process = start(["detect", *options(separate, run, *ACTIONFORMER)])
    wait_for(process, run, f"{FOUND}/videos/[!.]*.csv")
    kill(process)
    result = tada("detect", *options(separate, run, *ACTIONFORMER))
    assert result.exit_code == 0, result.output
    for path in (former / FOUND).rglob("*.csv"):
        assert (run / path.relative_to(former)).read_bytes() == path.read_bytes()


def test_a_video_left_out_is_said(separate, run):
    (run / "skip.txt").write_text("v2\n")
    result = tada(
        "eval", *options(separate, run, *ACTIONFORMER, f"runtime.skip={run / 'skip.txt'}")
    )
    assert result.exit_code == 0 and "of 2 videos" in result.output, result.output
    (run / "extract/features/v1.h5").unlink()
    result = tada("detect", *options(separate, run, *ACTIONFORMER))
    assert result.exit_code == 1 and "import-features" in error_line(result), result.output


def test_where_nothing_is_found_no_number_comes_of_it(separate, run):
    result = tada(
        "eval", *options(separate, run, *ACTIONFORMER, "detections.score_threshold=0.9999")
    )
    line = error_line(result)
    assert "actionformer: no detection for any of 3 videos" in line
    assert "detections.score_threshold" in line and "actionformer/history.json" in line


@pytest.mark.parametrize("trunk", ["shared", "separate"])
def test_verbs_and_nouns(own, tmp_path, trunk):
    words = (
        *BRIEF,
        *write_pairs(own),
        f"actionformer.trunk={trunk}",
        "detections.score_threshold=0",
    )
    run = tmp_path / "pairs"
    assert take(own, run, *words, "detections.min_score=0").exit_code == 0
    result = tada("run", *options(own, run, *words, "detections.min_score=0"))
    assert result.exit_code == 0, result.output
    table = pd.read_csv(run / FOUND / "detections.csv")
    assert (table["label"] == table["verb"].astype(str) + "," + table["noun"].astype(str)).all()
    assert {"verb", "noun", "action"} <= json.loads((run / "eval/results.json").read_text())[
        "tasks"
    ].keys()
    names = json.loads((run / "actionformer/history.json").read_text())[0].keys()
    assert ("verb_classification" in names) == (trunk == "separate")


def test_segments_without_classes_are_named_by_a_classifier_on_features(separate, tmp_path):
    run, words = tmp_path / "none", [*BRIEF, "actionformer.classes=none"]
    words += ["finetune.source=features", "classify.mode=proposal"]
    assert take(separate, run, *words).exit_code == 0
    result = tada("run", *options(separate, run, *words))
    assert result.exit_code == 0, result.output
    assert np.isfinite(average(run))
    table = pd.read_csv(run / "actionformer/proposals/proposals.csv")
    assert list(table.columns) == ["video", "start", "end", "score"]
    assert (run / "classify/detections.csv").is_file() and not (run / FOUND).exists()
    names = [
        row.split()[0]
        for row in tada("status", *options(separate, run, *words)).output.splitlines()
    ]
    stages = ["extract", "finetune", "actionformer", "actionformer/proposals", "classify", "eval"]
    assert names[2:] == stages


def test_segments_without_classes_are_named_by_given_scores(own, tmp_path):
    run = tmp_path / "scored"
    words = [*BRIEF, "actionformer.classes=none", "classify.mode=video"]
    words.append(f"classify.scores={write_scores(own)}")
    assert take(own, run, *words).exit_code == 0
    result = tada("run", *options(own, run, *words))
    assert result.exit_code == 0 and "by scores in" in result.output, result.output
    table = pd.read_csv(run / "classify/detections.csv")
    assert set(table["label"]) <= set(CLASSES) and not (run / "finetune").exists()


def test_a_file_of_class_scores_that_is_not_used_is_reported(separate, run):
    for words, said in (["classify.scores=cuhk.json"], True), ([], False):
        shutil.rmtree(run / FOUND)
        result = tada("detect", *options(separate, run, *ACTIONFORMER, *words))
        assert result.exit_code == 0, result.output
        assert ("classify.scores = cuhk.json is not used" in result.output) == said


def test_without_what_names_classes_the_segments_are_measured_alone(separate, tmp_path):
    run, words = tmp_path / "alone", [*BRIEF, "actionformer.classes=none"]
    assert take(separate, run, *words).exit_code == 0
    result = tada("detect", *options(separate, run, *words))
    assert result.exit_code == 0 and "nothing names classes" in result.output, result.output
    result = tada("run", *options(separate, run, *words))
    assert result.exit_code == 1 and "AR@1" in result.output, result.output
    assert "classify.scores=FILE" in error_line(result)


@pytest.mark.parametrize("keys", [
    ("actionformer.mode=rescale", "actionformer.position_code=true"),
    ("actionformer.max_length=8", "actionformer.gradient_accumulation=2"),
    ("actionformer.window=0", "detections.per_class=false", "detections.voting=0.7"),
    ("actionformer.precision=bfloat16", "detections.nms=hard"),
])  # fmt: skip
def test_other_ways_to_see_a_video_come_to_figures(separate, tmp_path, keys):
    run, words = tmp_path / "run", [*BRIEF, "detections.score_threshold=0", *keys]
    assert take(separate, run, *words).exit_code == 0
    result = tada("run", *options(separate, run, *words))
    assert result.exit_code == 0 and "proposals: AR@" in result.output, result.output
    table = pd.read_csv(run / FOUND / "detections.csv")
    assert len(table) and (table["start"] < table["end"]).all() and (table["end"] <= 20).all()


def test_one_class_and_a_video_without_segments(own, tmp_path):
    content = json.loads((own / "annotations.json").read_text())
    for video, entry in content["database"].items():
        for row in entry["annotations"]:
            row["label"] = "anything"
        if video in ("t0", "v0"):
            entry["annotations"] = []
    (own / "annotations.json").write_text(json.dumps(content))
    run, words = tmp_path / "run", [*BRIEF, "detections.score_threshold=0"]
    assert take(own, run, *words).exit_code == 0
    result = tada("run", *options(own, run, *words))
    assert result.exit_code == 0, result.output
    assert "10 segments of 5 videos" in result.output
    table = pd.read_csv(run / FOUND / "detections.csv")
    assert set(table["video"]) <= set(VALIDATION) and set(table["label"]) == {"anything"}
    assert np.isfinite(average(run))
