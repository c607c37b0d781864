"""The eval stage: what it leaves, and that other thresholds are made in a moment."""

from __future__ import annotations

import json
import shutil

import pytest
from helpers.small_runs import options, tada

from evaluation import submission
from pipeline.configuration.keys import restated
from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UserError
from pipeline.results.scoring import score_file
from pipeline.run_folder.stage import Stage
from pipeline.runs.run import Run
from pipeline.stages import evaluate

ROWS = "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\nP01_01,00:00:01.00,00:00:03.00,1,2\n"
ENTRY = {"verb": 1, "noun": 2, "action": "1,2", "score": 0.5, "segment": [1.0, 3.0]}
HEAD = {"version": "0.2", "challenge": "action_detection", "sls_pt": 2, "sls_tl": 3, "sls_td": 3}


def test_the_eval_stage_leaves_the_upload_in_the_run_folder(tmp_path):
    truth, path = tmp_path / "validation.csv", tmp_path / "epic.json"
    truth.write_text(ROWS)
    path.write_text(json.dumps(HEAD | {"results": {"P01_01": [ENTRY]}}))
    files = {"dataset.annotations": str(truth), "dataset.classes": None, "dataset.video_info": None}
    config = load_config(find_config("ek100"), files)
    classified = Stage(
        "classify", tmp_path / "run/classify", ("detections.csv",), {}, restated
    ).open()
    detections = submission.read_epic_kitchens(path)
    detections.to_csv(classified.folder / "detections.csv", index=False)
    classified.finish()
    folder = tmp_path / "run/bmn/proposals"
    proposed = Stage("bmn/proposals", folder, ("proposals.csv",), {}, restated).open()
    columns = ["video", "start", "end", "score"]
    detections[columns].to_csv(folder / "proposals.csv", index=False)
    proposed.finish()
    evaluate.run(Run(tmp_path / "run", config))
    names = {path.name for path in (tmp_path / "run/eval").iterdir()}
    assert names == {"manifest.json", "results.json", "submission.json", "submission.zip"}
    scored = score_file(config.detection(), tmp_path / "run/eval/submission.zip")
    assert scored["tasks"] == json.loads((tmp_path / "run/eval/results.json").read_text())["tasks"]


def test_other_thresholds_are_made_in_a_moment_and_without_force(whole, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    done = tada("eval", *options(data, run, "eval.iou=0.5"))
    assert done.exit_code == 0, done.output
    results = json.loads((run / "eval/results.json").read_text())
    assert results["iou"] == [0.5] and not list(run.glob("eval.*"))
    first = json.loads((whole / "eval/results.json").read_text())
    place = first["iou"].index(0.5)
    assert results["tasks"]["mAP"]["map"] == [first["tasks"]["mAP"]["map"][place]]
    assert "@0.5" in done.stdout and "@0.1" not in done.stdout
    # And back: what is shown is what the settings of now give.
    assert tada("eval", *options(data, run)).exit_code == 0
    assert (run / "eval/results.json").read_bytes() == (whole / "eval/results.json").read_bytes()


def test_the_recall_of_the_proposals_is_among_the_numbers(whole, data):
    results = json.loads((whole / "eval/results.json").read_text())
    counts = load_config(find_config("demo")).eval.proposals_at
    assert list(results["average_recall"]) == [str(count) for count in counts]
    values = list(results["average_recall"].values())
    assert values == sorted(values) and 0 <= values[0] and values[-1] <= 100


def test_the_tables_of_a_run_come_to_its_figures_again(whole, data, tmp_path):
    results = json.loads((whole / "eval/results.json").read_text())
    config = str(whole / "config.yaml")
    for table, key in (
        ("classify/detections.csv", "tasks"),
        ("bmn/proposals/proposals.csv", "average_recall"),
    ):
        done = tada(
            "score", str(whole / table), "--config", config, "--json", str(tmp_path / "n.json")
        )
        assert done.exit_code == 0, done.output
        assert json.loads((tmp_path / "n.json").read_text())[key] == results[key]


def test_without_numbers_who_makes_them_is_said(tmp_path):
    run = Run(tmp_path, load_config(find_config("demo")))
    with pytest.raises(UserError, match="tada-loc eval"):
        evaluate.numbers(run)
    with pytest.raises(UserError, match="tada-loc eval"):
        evaluate.results_table(run)


@pytest.mark.parametrize("text", ["", "{", "[]", "\0", '{"tasks": {}}'])
def test_damaged_numbers_are_made_again(whole, data, tmp_path, text):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "eval/results.json").write_text(text)
    said = tada("status", *options(data, run))
    assert "results.json is not what was written" in said.output
    assert tada("eval", *options(data, run)).exit_code == 0
    assert (run / "eval/results.json").read_bytes() == (whole / "eval/results.json").read_bytes()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "\0", '{"iou": [0.5], "tasks": {"mAP": {"map": 3}}}']
)
def test_numbers_that_are_none_are_named(tmp_path, text):
    run = Run(tmp_path, load_config(find_config("demo")))
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval/results.json").write_text(text)
    with pytest.raises(UserError, match=r"results\.json: damaged"):
        evaluate.numbers(run)
