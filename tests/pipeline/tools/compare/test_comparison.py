"""`compare`: figures are those of `eval`, differences those of the figures; only what is shared is compared."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from helpers.detection_tables import tables
from helpers.small_runs import error_line, options, tada

from evaluation import KINDS, detection_map
from pipeline.tools.compare.comparison import comparison
from pipeline.tools.compare.results import result_of_run

FEW = ("--resamples", "40")


@pytest.fixture(scope="module")
def runs(whole, data, tmp_path_factory):
    """A run, and the same with fewer proposals."""
    folder = tmp_path_factory.mktemp("compared")
    for name in ("first", "second"):
        shutil.copytree(whole, folder / name)
    done = tada("eval", *options(data, folder / "second", "proposals.count=30"))
    assert done.exit_code == 0, done.output
    return folder


def compared(*arguments: object) -> dict:
    path = f"{arguments[0]}.compared.json"
    done = tada("compare", *map(str, arguments), *FEW, "--json", path)
    assert done.exit_code == 0, done.output
    return json.loads(open(path).read())


def test_figures_are_those_of_eval_and_differences_theirs(runs):
    made = compared(runs / "first", runs / "second")
    figures = [
        json.loads((runs / name / "eval/results.json").read_text()) for name in ("first", "second")
    ]
    task, by = made["tasks"]["mAP"], made["tasks"]["mAP"]["differences"][0]
    for one, own in zip(task["runs"], figures, strict=True):
        assert one["map"] == pytest.approx(own["tasks"]["mAP"]["map"])
        assert one["average"] == pytest.approx(own["tasks"]["mAP"]["average"])
        assert one["low"] <= one["high"]
    first, second = task["runs"]
    assert by["average"]["difference"] == pytest.approx(second["average"] - first["average"])
    assert by["average"]["low"] <= by["average"]["high"] and 0 <= by["better"] <= 1
    for run, own in zip(made["recall"]["runs"], figures, strict=True):
        assert run == pytest.approx(list(own["average_recall"].values()))
    per_class = {row["name"]: row["runs"] for row in made["classes"]}
    for place, own in enumerate(figures):
        wanted = {name: sum(ap) / len(ap) for name, ap in own["tasks"]["mAP"]["per_class"].items()}
        assert {name: values[place] for name, values in per_class.items()} == pytest.approx(wanted)
    kinds = made["errors"]["kinds"]
    assert [kind["kind"] for kind in kinds] == [*KINDS, "false positives", "false negatives"]
    assert made["settings"] == [{"key": "proposals.count", "values": [100, 30]}]
    assert [len(run["history"]["bmn"]) for run in made["runs"]] == [2, 2]
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_a_run_does_not_differ_from_a_copy_of_itself(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "copy")
    made = compared(tmp_path / "copy", whole)
    for rows in (
        *made["tasks"]["mAP"]["differences"][0]["map"],
        *(k["differences"][0] for k in made["errors"]["kinds"]),
    ):
        assert (rows["difference"], rows["low"], rows["high"]) == (0, 0, 0)
    assert made["settings"] == [] and made["changed"] == [[]]


def test_three_runs_and_names_that_are_the_same(runs, tmp_path):
    shutil.copytree(runs / "first", tmp_path / "first")
    made = compared(runs / "first", runs / "second", tmp_path / "first")
    names = [run["name"] for run in made["runs"]]
    assert len(set(names)) == 3 and names[1] == "second"
    assert len(made["tasks"]["mAP"]["differences"]) == 2 == len(made["changed"])
    shown = tada(
        "compare", *map(str, (runs / "first", runs / "second", tmp_path / "first")), *FEW
    ).stdout
    assert "settings that differ" in shown and "better in" in shown


def test_only_videos_with_the_same_segments_are_compared(runs, data, tmp_path):
    other = shutil.copytree(data, tmp_path / "data")
    rows = pd.read_csv(other / "annotations.csv")
    validation = rows[rows["subset"] == "validation"]
    first = validation.index[validation["video"] == validation["video"].iloc[0]]
    rows.loc[first[0], "end"] += 0.5
    rows.to_csv(other / "annotations.csv", index=False)
    run = shutil.copytree(runs / "first", tmp_path / "run")
    assert tada("eval", *options(other, run)).exit_code == 0
    made = compared(run, runs / "second")
    assert made["videos"] == validation["video"].nunique() - 1
    assert made["segments"] == len(validation) - len(first)
    assert any("annotated differently" in note for note in made["notes"])
    rows.loc[rows["subset"] == "validation", "end"] += 0.25
    rows.to_csv(other / "annotations.csv", index=False)
    assert tada("eval", *options(other, run)).exit_code == 0
    refused = tada("compare", str(run), str(runs / "second"))
    assert "no video is evaluated with the same segments" in error_line(refused)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two result files and their annotations."""
    monkeypatch.chdir(tmp_path)
    truth, found = tables(0)
    found = found[found["video"].isin(truth["video"]) & found["label"].isin(truth["label"])]
    database = {
        video: {
            "subset": "validation",
            "annotations": [
                {"segment": [r.start, r.end], "label": r.label} for r in rows.itertuples()
            ],
        }
        for video, rows in truth.groupby("video")
    }
    (tmp_path / "truth.json").write_text(json.dumps({"database": database}))
    kept = {"a.json": found, "b.json": found[found["score"] > 0.3]}
    for name, table in kept.items():
        results = {
            video: [
                {"label": r.label, "score": r.score, "segment": [r.start, r.end]}
                for r in rows.itertuples()
            ]
            for video, rows in table.groupby("video")
        }
        (tmp_path / name).write_text(json.dumps({"results": results}))
    return truth, kept


def test_result_files_of_anyone(files, tmp_path):
    truth, kept = files
    line = ["a.json", "b.json", "--config", "hacs", "--annotations", "truth.json", "--set",
            "dataset.classes=null", *FEW]  # fmt: skip
    done = tada("compare", *line, "--json", "made.json")
    assert done.exit_code == 0, done.output
    made = json.loads((tmp_path / "made.json").read_text())
    assert made["recall"] is None and made["settings"] == []
    for run, table in zip(made["tasks"]["mAP"]["runs"], kept.values(), strict=True):
        wanted = 100 * detection_map(truth, table, made["iou"]).average
        assert run["average"] == pytest.approx(wanted)


@pytest.mark.parametrize("sure", [True, False])
def test_one_video_alone_tells_nothing_of_how_sure_a_difference_is(tmp_path, monkeypatch, sure):
    monkeypatch.chdir(tmp_path)
    rows = ["a,1,4,x", "a,6,9,x", "a,11,14,y", *(["b,1,4,x"] if sure else [])]
    for name, ending, lines in (
        ("truth.csv", "validation", rows),
        ("all.csv", "0.9", rows),
        ("none.csv", "0.9", ["a,20,24,x"]),
    ):
        head = f"video,start,end,label,{'subset' if name == 'truth.csv' else 'score'}\n"
        (tmp_path / name).write_text(head + "".join(f"{line},{ending}\n" for line in lines))
    line = ["all.csv", "none.csv", "--config", "small", "--annotations", "truth.csv", *FEW]
    done = tada("compare", *line, "--json", "made.json")
    assert done.exit_code == 0, done.output
    made = json.loads((tmp_path / "made.json").read_text())
    average = made["tasks"]["mAP"]["differences"][0]["average"]
    by_class = {row["name"]: row["differences"][0] for row in made["classes"]}
    assert (average["low"] is not None) == sure == (by_class["x"]["low"] is not None)
    assert by_class["y"]["low"] is None and ("]*" in done.stdout) == sure
    assert ("1 video, 3 segments" in done.stdout) != sure


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["RUN"], "two runs"), (["RUN", "RUN"], "given twice"), (["RUN", "nowhere"], "no such run folder"),
     (["RUN", "."], "no config.yaml"), (["RUN", "RUN", "--annotations", "x.csv"], "runs have their own")],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_in_a_line(
    whole, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    done = tada("compare", *(str(whole) if text == "RUN" else text for text in arguments))
    assert said in error_line(done)


def test_a_run_that_found_nothing_yet_is_refused_in_a_line(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "half")
    shutil.rmtree(tmp_path / "half/eval")
    shutil.rmtree(tmp_path / "half/classify")
    done = tada("compare", str(whole), str(tmp_path / "half"))
    assert "has no detections; run `tada-loc eval --run-dir" in error_line(done)


def test_values_of_results_in_memory(runs):
    results = [result_of_run(runs / name) for name in ("first", "second")]
    again = [comparison(results, resamples=30, seed=seed) for seed in (0, 0, 1)]
    assert again[0] == again[1]
    task = [made["tasks"]["mAP"] for made in again]
    assert task[0]["runs"][0]["map"] == task[2]["runs"][0]["map"]
