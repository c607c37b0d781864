"""Result files: those of a run are what its benchmark takes; anyone's are scored as the official code does."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from evaluation import submission
from pipeline.cli.commands import main
from pipeline.configuration.reading import find_config, load_config
from pipeline.data import annotations
from pipeline.errors import UserError
from pipeline.results.scoring import map_table, published, write_result_files

EPIC_ROWS = "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\nP01_01,00:00:01.00,00:00:03.00,1,2\n"
EPIC_ENTRY = {"verb": 1, "noun": 2, "action": "1,2", "score": 0.5, "segment": [1.0, 3.0]}
EPIC_HEAD = {
    "version": "0.2",
    "challenge": "action_detection",
    "sls_pt": 2,
    "sls_tl": 3,
    "sls_td": 3,
}
ANET_ENTRY = {"label": "dive", "score": 0.5, "segment": [1.0, 3.0]}
ANET_TRUTH = {
    "database": {
        "x": {
            "subset": "validation",
            "duration": "9.0",
            "annotations": [{"segment": [1, 3], "label": "dive"}],
        },
        "y": {
            "subset": "training",
            "duration": "9.0",
            "annotations": [{"segment": [1, 3], "label": "jump"}],
        },
    }
}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def score(config, truth, detections, *extra):
    arguments = [
        "eval",
        "--config",
        config,
        "--detections",
        str(detections),
        "--annotations",
        str(truth),
    ]
    return CliRunner().invoke(
        main, [*arguments, "--json", "out/numbers.json", *extra], catch_exceptions=False
    )


def numbers(*arguments):
    result = score(*arguments)
    assert result.exit_code == 0, result.output
    with open("out/numbers.json", encoding="utf-8") as file:
        return json.load(file)["tasks"], result.output


def written(path, content):
    path.write_text(json.dumps(content) if not isinstance(content, str) else content)
    return path


def epic(tmp_path, **change):
    truth = written(tmp_path / "validation.csv", EPIC_ROWS)
    results = {"P01_01": [EPIC_ENTRY | change]}
    return truth, written(tmp_path / "epic.json", EPIC_HEAD | {"results": results})


def anet(tmp_path, truth=ANET_TRUTH, **change):
    detections = {"results": {"v_x": [ANET_ENTRY | change]}}
    return written(tmp_path / "truth.json", truth), written(tmp_path / "anet.json", detections)


def test_epic_kitchens_without_run_folder_training_rows_or_class_files(tmp_path):
    tasks, output = numbers("ek100", *epic(tmp_path), "--iou", "0.1:0.1:0.5")
    assert {name: task["map"] for name, task in tasks.items()} == dict.fromkeys(
        ("action", "verb", "noun"), [100.0] * 5
    )
    assert tasks["verb"]["per_class"] == {"1": [100.0] * 5}
    assert "class" in output and "by number" in output
    assert {path.name for path in tmp_path.iterdir()} == {"validation.csv", "epic.json", "out"}


def test_activitynet_chooses_the_subset_and_takes_rows_of_no_length(tmp_path):
    assert numbers("hacs", *anet(tmp_path))[0]["mAP"]["average"] == 100
    tasks, _ = numbers("hacs", *anet(tmp_path, segment=[2.0, 2.0]))
    assert tasks["mAP"]["average"] == 0


def test_ground_truth_rows_count_as_annotated(tmp_path):
    truth = json.loads(json.dumps(ANET_TRUTH))
    truth["database"]["x"]["annotations"] += [
        {"segment": [8, 5], "label": "dive"}, {"segment": [4, 4], "label": "dive"}, {"segment": [7, 12], "label": "dive"}
    ]  # fmt: skip
    assert numbers("hacs", *anet(tmp_path, truth))[0]["mAP"]["average"] == 25


def test_detections_of_other_classes_are_left_out_and_said(tmp_path):
    truth, path = anet(tmp_path)
    results = {"x": [ANET_ENTRY, ANET_ENTRY | {"label": "swim", "score": 0.9}]}
    tasks, output = numbers("hacs", truth, written(path, {"results": results}))
    assert tasks["mAP"]["average"] == 100 and tasks["mAP"]["of_other_classes"] == 1
    assert "leaves out 1 of 2 detections" in output


@pytest.mark.parametrize(
    ("form", "change", "said"),
    [
        ("ek100", {"segment": [3.0, 1.0]}, "start <= end"),
        ("ek100", {"verb": 97, "action": "97,2"}, "classes are 0 to 96"),
        ("ek100", {"action": "2,1"}, "'1,2'"),
        ("ek100", {"score": float("nan")}, "score is nan"),
        ("hacs", {"segment": [1.0]}, "[start, end]"),
        ("hacs", {"label": "swim"}, "none of its labels"),
        ("hacs", {"score": "high"}, "'high'"),
    ],
)
def test_bad_files_get_one_line(tmp_path, form, change, said):
    make = epic if form == "ek100" else anet
    truth, path = make(tmp_path, **change)
    one_error(score(form, truth, path), 1, said, path.name)


def test_bad_arguments_get_one_line(tmp_path):
    truth, path = epic(tmp_path)
    one_error(score("ek100", truth, tmp_path / "none.json"), 1, "none.json")
    one_error(score("ek100", tmp_path / "none.csv", path), 1, "none.csv")
    one_error(score("ek100", path, path), 1, "epic.json")
    one_error(score("ek100", truth, written(tmp_path / "bad.json", "{")), 1, "bad.json", "not JSON")
    one_error(score("ek100", truth, path, "--iou", "0"), 2, "tIoU")
    other = EPIC_HEAD | {"results": {"P99_01": [EPIC_ENTRY]}}
    one_error(score("ek100", truth, written(path, other)), 1, "P99_01")
    truth, path = anet(tmp_path)
    one_error(score("hacs", truth, path, "--set", "dataset.eval_subset=testing"), 1, "testing")
    assert not (tmp_path / "out").exists()


def one_error(result, code, *said):
    assert result.exit_code == code, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Error")]
    assert len(lines) == 1 and all(text in lines[0] for text in said), result.output


def test_the_papers_row_stands_where_thresholds_agree():
    settings = load_config(find_config("hacs")).eval

    def lines(iou):
        tasks = {"mAP": {"map": [1.0] * len(iou), "average": 1.0}}
        return [
            line.split() for line in map_table({"iou": iou, "tasks": tasks}, settings).splitlines()
        ]

    row = lines([round(0.5 + 0.05 * i, 10) for i in range(10)])[2]
    assert " ".join(row) == "mAP, the paper 48.70 - 42.70 - 36.20 - 28.10 - 17.30 - 32.30"
    assert " ".join(lines([0.3, 0.5])[2]) == "mAP, the paper - 48.70 -"
    assert len(lines([0.1, 0.2])) == 2


TABLES = [  # Tables 8 and A3: the row of each shipped configuration's main task
    ("hacs", "mAP", "48.70 42.70 36.20 28.10 17.30 32.30"),
    ("hacs_slowfast", "mAP", "50.00 44.10 37.70 29.60 18.40 33.70"),
    ("hacs_slowfast_tada", "mAP", "51.70 45.70 39.30 31.00 19.50 35.10"),
    ("ek100", "action", "15.15 14.32 13.59 12.18 10.65 13.18"),
    ("ek100", "verb", "19.70 18.49 17.41 15.50 12.78 16.78"),
    ("ek100", "noun", "20.54 19.32 17.94 15.77 13.39 17.39"),
    ("ek100_slowfast", "action", "14.00 13.19 12.37 11.18 9.52 12.04"),
    ("ek100_slowfast", "verb", "19.93 18.92 17.90 16.08 13.24 17.21"),
    ("ek100_slowfast", "noun", "17.93 16.83 15.53 13.68 11.41 15.07"),
    ("ek100_slowfast_tada", "action", "14.90 14.12 13.32 12.07 10.57 13.00"),
    ("ek100_slowfast_tada", "verb", "19.96 18.71 17.65 15.41 13.35 17.01"),
    ("ek100_slowfast_tada", "noun", "20.17 18.90 17.58 15.83 13.18 17.13"),
]


@pytest.mark.parametrize(("name", "task", "row"), TABLES)
def test_eval_prints_the_papers_row_of_its_configuration(name, task, row, tmp_path, monkeypatch):
    classes = {"HACS Segments": (2, published.class_digest(["dive", "jump"]))}
    monkeypatch.setattr(published, "_CLASSES", classes)
    files = anet(tmp_path) if name.startswith("hacs") else epic(tmp_path)
    result = score(name, *files)
    lines = [line for line in result.output.splitlines() if line.startswith(f"{task}, the paper")]
    assert [value for value in lines[0].split()[3:] if value != "-"] == row.split()


def run_files(tmp_path, name, truth, detections, **overrides):
    files = {"dataset.annotations": str(truth), "dataset.classes": None, "dataset.video_info": None}
    config = load_config(find_config(name), files | overrides)
    return write_result_files(
        config, annotations.load_annotations(config.dataset), detections, tmp_path
    )


def test_a_run_writes_the_file_of_its_benchmark(tmp_path):
    truth, _ = epic(tmp_path)
    detections = pd.DataFrame(
        {"video": ["P01_01"] * 2, "start": [1.0, 2.0], "end": [3.0, 2.0], "label": ["1,2"] * 2,
         "score": [0.5, 0.4], "verb": [1, 1], "noun": [2, 2]}
    )  # fmt: skip
    paths = run_files(tmp_path, "ek100", truth, detections, **{"eval.sls": [1, 3, 4]})
    assert [path.name for path in paths] == ["submission.json", "submission.zip"]
    content = json.loads(paths[0].read_text())
    assert [content[key] for key in ("sls_pt", "sls_tl", "sls_td")] == [1, 3, 4]
    assert content["results"] == {"P01_01": [EPIC_ENTRY]}
    for path in paths:
        pd.testing.assert_frame_equal(
            submission.read_epic_kitchens(path), detections[:1], check_like=True
        )
        assert numbers("ek100", truth, path)[0]["action"]["average"] == 100
    assert run_files(tmp_path, "ek100", truth, detections[:0])


def test_a_run_writes_the_activitynet_file_and_none_for_a_table(tmp_path):
    truth, _ = anet(tmp_path)
    detections = pd.DataFrame(
        [("x", 1.0, 3.0, "dive", 0.5)], columns=["video", "start", "end", "label", "score"]
    )
    (path,) = run_files(tmp_path, "hacs", truth, detections)
    content = json.loads(path.read_text())
    assert content["results"] == {"x": [ANET_ENTRY]} and content["external_data"]["used"] is True
    with pytest.raises(UserError, match="video z is not one of the 1 known videos"):
        run_files(tmp_path, "hacs", truth, detections.assign(video="z"))
    own = written(tmp_path / "own.csv", "video,start,end,label,subset\nx,1,3,dive,validation\n")
    assert run_files(tmp_path, "demo", own, detections) == []
    assert not list(tmp_path.glob("*.tmp"))


def check(tasks, official, tolerance):
    for name, (row, mean) in official.items():
        if row is not None:
            np.testing.assert_allclose(tasks[name]["map"], row, atol=tolerance)
        assert tasks[name]["average"] == pytest.approx(mean, abs=tolerance)


def test_official_numbers_epic_kitchens_12_videos(real_data):
    truth = real_data("ek100", "EPIC_100_validation.csv")
    path = real_data("synth", "ek100_val_submission_12videos.json.gz")
    official = {"verb": (None, 5.831678), "noun": (None, 3.782992), "action": (None, 4.553799)}
    tasks, output = numbers("ek100", truth, path, "--iou", "0.1:0.1:0.5")
    check(tasks, official, 1e-6)
    assert "not shown" not in output
    assert "15.15" in output and "16.78" in output and "17.39" in output
    folder = truth.parent
    classes = (
        f"dataset.classes=[{folder}/EPIC_100_verb_classes.csv, {folder}/EPIC_100_noun_classes.csv]"
    )
    named, _ = numbers("ek100", truth, path, "--iou", "0.1:0.1:0.5", "--set", classes)
    check(named, official, 1e-6)
    assert "take" in named["verb"]["per_class"]


@pytest.mark.slow
def test_official_numbers_epic_kitchens_full(real_data, tmp_path):
    truth, info = (
        real_data("ek100", f"EPIC_100_{name}.csv") for name in ("validation", "video_info")
    )
    command = [
        sys.executable,
        real_data("synth", "gen_ek100.py"),
        truth,
        info,
        tmp_path / "full.json",
    ]
    subprocess.run(command, check=True, capture_output=True)
    official = {
        "verb": ([28.372856, 26.115424, 24.391317, 21.557902, 18.356185], 23.758737),
        "noun": ([21.908866, 20.558853, 18.764000, 16.045130, 13.230217], 18.101413),
        "action": ([26.850050, 24.189577, 21.957327, 19.176924, 15.596707], 21.554117),
    }
    check(
        numbers("ek100", truth, tmp_path / "full.json", "--iou", "0.1:0.1:0.5")[0], official, 1e-6
    )


@pytest.mark.parametrize(
    ("truth", "found", "extra", "row", "mean", "tolerance"),
    [
        ("activitynet/activitynet_v1-3_validation_official_schema.json", "synth/anet_val_detections_600videos.json",
         (), None, 4.943270, 1e-6),
        # The same annotations to the hundredth of a second, in the schema of HACS.
        ("hacs/hacs_schema_derived_from_anet_val.json", "synth/anet_val_detections_600videos.json",
         (), None, 4.943270, 1e-3),
        ("activitynet/activitynet_v1-3_validation_official_schema.json", "activitynet/sample_detection_prediction.json",
         (), [100.0] * 10, 100.0, 1e-6),
        ("thumos14/thumos14.json", "thumos14/thumos14_ActionFormer_detections.json.gz",
         ("--iou", "0.3:0.1:0.7", "--set", "dataset.eval_subset=Test"), [82.13, 77.80, 70.95, 59.40, 43.88], 66.83,
         0.0051),
    ],
)  # fmt: skip
def test_official_numbers_activitynet_form(real_data, truth, found, extra, row, mean, tolerance):
    tasks, _ = numbers("hacs", real_data(*truth.split("/")), real_data(*found.split("/")), *extra)
    check(tasks, {"mAP": (row, mean)}, tolerance)


def test_official_numbers_mmaction2_sample(real_data, tmp_path):
    folder = real_data("mmaction2_eval_localization")
    truth = written(
        tmp_path / "gt.json", {"database": json.loads((folder / "gt.json").read_text())}
    )
    row = [71.428571] * 3 + [68.75] * 2 + [59.722222] + [52.083333] * 3 + [50.0]
    check(numbers("hacs", truth, folder / "result.json")[0], {"mAP": (row, 61.775794)}, 1e-6)
