"""mAP on real annotations against the numbers the official evaluators print (percent)."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from evaluation import detection_map, submission

EPIC_TIOUS = np.linspace(0.1, 0.5, 5)
ANET_TIOUS = np.linspace(0.5, 0.95, 10)


def epic_truth(path):
    table = pd.read_csv(path)
    frame = pd.DataFrame({"video": table["video_id"]})
    for name, column in (("start", "start_timestamp"), ("end", "stop_timestamp")):
        parts = table[column].str.split(":", expand=True).astype(float)
        frame[name] = parts[0] * 3600 + parts[1] * 60 + parts[2]
    return frame.assign(
        verb=table["verb_class"],
        noun=table["noun_class"],
        action=table["verb_class"].astype(str) + "," + table["noun_class"].astype(str),
    )


def epic_tasks(truth, detections):
    detections = detections.rename(columns={"label": "action"})
    return {
        task: detection_map(
            truth.assign(label=truth[task]), detections.assign(label=detections[task]), EPIC_TIOUS
        )
        for task in ("verb", "noun", "action")
    }


def database_truth(database, subset):
    rows = [
        (video, *item["segment"], item["label"])
        for video, entry in database.items()
        if entry["subset"] == subset
        for item in entry["annotations"]
    ]
    return pd.DataFrame(rows, columns=["video", "start", "end", "label"])


def anet_truth(real_data):
    path = real_data("activitynet", "activitynet_v1-3_validation_official_schema.json")
    return database_truth(json.loads(path.read_text())["database"], "validation")


def test_epic_kitchens_sample_of_12_videos(real_data):
    truth = epic_truth(real_data("ek100", "EPIC_100_validation.csv"))
    path = real_data("synth", "ek100_val_submission_12videos.json.gz")
    results = epic_tasks(truth, submission.read_epic_kitchens(path, videos=set(truth["video"])))
    averages = {task: 100 * result.average for task, result in results.items()}
    official = {"verb": 5.831678, "noun": 3.782992, "action": 4.553799}
    assert averages == pytest.approx(official, abs=1e-6)
    assert [len(results[task].classes) for task in averages] == [78, 211, 1352]


@pytest.mark.slow
def test_epic_kitchens_full_submission(real_data, tmp_path):
    annotations = real_data("ek100", "EPIC_100_validation.csv")
    script = real_data("synth", "gen_ek100.py")
    info = real_data("ek100", "EPIC_100_video_info.csv")
    out = tmp_path / "submission.json"
    command = [sys.executable, script, annotations, info, out]
    subprocess.run(command, check=True, capture_output=True)
    results = epic_tasks(epic_truth(annotations), submission.read_epic_kitchens(out))
    official = {
        "verb": [28.372856, 26.115424, 24.391317, 21.557902, 18.356185],
        "noun": [21.908866, 20.558853, 18.764000, 16.045130, 13.230217],
        "action": [26.850050, 24.189577, 21.957327, 19.176924, 15.596707],
    }
    for task, row in official.items():
        np.testing.assert_allclose(100 * results[task].map, row, atol=1e-6)
    averages = [100 * results[task].average for task in official]
    np.testing.assert_allclose(averages, [23.758737, 18.101413, 21.554117], atol=1e-6)


def test_activitynet_600_videos(real_data):
    truth = anet_truth(real_data)
    path = real_data("synth", "anet_val_detections_600videos.json")
    detections = submission.read_activitynet(
        path, videos=set(truth["video"]), classes=set(truth["label"])
    )
    result = detection_map(truth, detections, ANET_TIOUS)
    assert result.average == pytest.approx(0.04943270, abs=1e-8)


def test_activitynet_sample_is_perfect(real_data):
    truth = anet_truth(real_data)
    path = real_data("activitynet", "sample_detection_prediction.json")
    detections = submission.read_activitynet(path, zero_length=True)
    assert (detections["start"] == detections["end"]).sum() == 3
    assert (detection_map(truth, detections, ANET_TIOUS).map == 1).all()


def test_thumos14_actionformer(real_data):
    database = json.loads(real_data("thumos14", "thumos14.json").read_text())["database"]
    path = real_data("thumos14", "thumos14_ActionFormer_detections.json.gz")
    detections = submission.read_activitynet(path)
    result = detection_map(database_truth(database, "Test"), detections, np.linspace(0.3, 0.7, 5))
    np.testing.assert_allclose(100 * result.map, [82.13, 77.80, 70.95, 59.40, 43.88], atol=0.0051)
    assert 100 * result.average == pytest.approx(66.83, abs=0.0051)


def test_mmaction2_tiny_sample(real_data):
    folder = "mmaction2_eval_localization"
    truth = database_truth(json.loads(real_data(folder, "gt.json").read_text()), "validation")
    detections = submission.read_activitynet(
        real_data(folder, "result.json"), videos=set(truth["video"])
    )
    result = detection_map(truth, detections, ANET_TIOUS)
    official = [0.71428571] * 3 + [0.6875] * 2 + [0.59722222] + [0.52083333] * 3 + [0.5]
    np.testing.assert_allclose(result.map, official, atol=1e-8)
    assert result.average == pytest.approx(0.61775794, abs=1e-8)
