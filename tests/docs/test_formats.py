"""docs/reference/formats: every attribute, key, column and array that is written is named in its page."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, fields
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import epic
from helpers.model_files import parts, small_model
from helpers.paths import ROOT

from evaluation import json_files, submission
from feature_extraction import half, seal, tensor_file
from feature_extraction.feature_meta import FeatureMeta
from feature_extraction.store import write_features
from pipeline.data.annotations import Dataset
from pipeline.data.videos.failures import Failure
from pipeline.data.videos.identity import _PIECE, _PIECES, _WHOLE, Sighting
from pipeline.data.videos.lengths import Measured
from pipeline.model_files.writing import write_model
from pipeline.results.scoring import best_f1, score_tasks
from pipeline.results.tables import _FORMULA
from pipeline.run_folder import manifests
from pipeline.run_folder.identity import FileRecord
from pipeline.run_folder.joined.seen import Worker
from pipeline.run_folder.ledger import Made
from pipeline.runs.graph import STAGES, row
from pipeline.runs.states import State
from pipeline.tools.doctor.findings import Finding
from pipeline.tools.planning import Cost
from pipeline.tools.predict.files.forms import FORMS
from pipeline.tools.predict.files.kept import write_raw
from pipeline.tools.status import status_as_json
from pipeline.tools.submit.record import Submitted
from pipeline.training.logs.metrics import FIRST
from pipeline.writers.tables import write_detections_csv, write_detections_json

FORMATS = ROOT / "docs" / "reference" / "formats"
FEATURES, TABLES, RUN, MODEL, RESULTS, PREDICTIONS = (
    (FORMATS / f"{name}.md").read_text()
    for name in ("features", "tables", "run-folder", "model-file", "result-files", "predictions")
)
META = FeatureMeta(
    video="v", fps=30.0, clip_frames=8, frame_interval=8, clip_stride=16, resize=128, source_duration=9.0,
    backbone="tada2d", weights_digest="ab", precision="float32", crop="center", source="cd", clip_shift=2.0,
)  # fmt: skip


def missing(names: Iterable[str], page: str) -> list[str]:
    """The names that a page does not have in backticks."""
    return [name for name in names if f"`{name}`" not in page]


def fields_of(*types: type) -> list[str]:
    """The names of the fields of dataclasses."""
    return [field.name for kind in types for field in fields(kind)]


def test_a_name_that_is_missing_is_found():
    assert missing(["a", "bc"], "`a` and bc") == ["bc"]


def test_feature_files(tmp_path):
    path = tmp_path / "v.h5"
    write_features(path, np.ones((4, 3), np.float32), META)
    with h5py.File(path) as file:
        assert set(file.attrs) == set(asdict(META))
        assert not missing([*file.attrs, *file], FEATURES)
    whole = path.read_bytes()
    described = json.loads(whole[whole.rindex(b'{"clips"') : whole.rindex(b"}") + 1])
    assert not missing(described, FEATURES)
    assert all(mark.decode() in FEATURES for mark in (seal._MARK, seal._DESCRIBED))
    assert f"{half.LARGEST:,} bytes" in FEATURES and f"{seal._LONGEST:,} bytes" in FEATURES
    assert f"the last {seal._CHECK.size} " in FEATURES and f"the {seal.SIZE} bytes" in FEATURES


def test_manifests_and_ledgers():
    written = {"fingerprint", *manifests.Manifest.model_fields}
    assert not missing(written, RUN)
    assert f"`fields`: {manifests.FORM}." in RUN
    assert not missing([*Made.model_fields, *fields_of(FileRecord)], RUN)


def test_what_else_is_in_a_run_folder():
    assert not missing(["video", "stage", *fields_of(Failure, Sighting, Measured, Submitted)], RUN)
    assert f"{_WHOLE:,} bytes" in RUN and f"{_PIECES} pieces of {_PIECE:,} bytes" in RUN
    assert f"(size - {_PIECE}) * k // {_PIECES - 1}" in RUN


def test_every_stage_has_its_folder_outputs_and_parts():
    for stage in STAGES:
        line = next(line for line in RUN.splitlines() if line.startswith(f"| `{stage.folder}/` |"))
        assert not missing(stage.outputs, line), stage.name
        assert not stage.part or f"`{stage.part}`" in line, stage.name
        assert f"`{stage.command}`" in line, stage.name


def test_model_files(tmp_path):
    path = tmp_path / "own.tada"
    write_model(small_model(), path)
    header, _ = parts(path)
    (name,) = header["__metadata__"]
    content = json.loads(header["__metadata__"][name])
    assert not missing([name, *content, "classifier.NAME"], MODEL)
    assert not missing(content["configuration"], MODEL)
    kinds = {entry["dtype"] for key, entry in header.items() if key != "__metadata__"}
    assert not missing(kinds, MODEL)
    for limit in (tensor_file.LARGEST_HEADER, tensor_file.MOST_TENSORS):
        assert f"{limit:,}" in MODEL
    assert f"{tensor_file.LARGEST >> 30} GiB" in MODEL


def test_result_files(tmp_path):
    row = {"video": "P01_01", "start": 1.0, "end": 2.0, "label": "3,12", "score": 0.5}
    table = pd.DataFrame([row | {"verb": 3, "noun": 12}])
    submission.write_epic_kitchens(tmp_path / "e.json", table, supervision=(2, 3, 3))
    submission.write_activitynet(tmp_path / "a.json", table)
    for name in ("e.json", "a.json"):
        content = json.loads((tmp_path / name).read_text())
        (detection,) = content["results"]["P01_01"]
        assert not missing([*content, *detection], RESULTS)
    assert f"`{json_files.ZIP_MEMBER}`" in RESULTS
    assert (
        f"{json_files.LARGEST >> 30} GiB" in RESULTS
        and f"{json_files.MOST_PACKED} times" in RESULTS
    )


def test_figures():
    truth = pd.DataFrame({"video": ["a"], "start": [0.0], "end": [2.0], "label": ["x"]})
    ignored = truth.assign(start=5.0, end=7.0)
    found = pd.concat([truth, ignored]).assign(score=[0.9, 0.8])
    dataset = Dataset(truth.assign(subset="s"), pd.DataFrame(), (("x",),))
    tasks = score_tasks(truth, found, dataset, [0.5], ignored=ignored)
    assert "ignored" in tasks["mAP"]
    assert not missing([f"tasks.*.{key}" for key in tasks["mAP"]], RESULTS)
    assert not missing(best_f1(truth, found), RESULTS)


@pytest.fixture
def predictions(tmp_path):
    found = epic()
    write_detections_csv([found], tmp_path / "detections.csv")
    write_detections_json([found], tmp_path / "detections.json")
    write_raw(tmp_path, found, "by", "of")
    return tmp_path


def test_predictions(predictions):
    content = json.loads((predictions / "detections.json").read_text())
    (video,) = content["videos"].values()
    (rows,) = content["results"].values()
    assert not missing([*content, *video, *content["model"], *rows[0]], PREDICTIONS)
    (raw,) = (predictions / "raw").rglob("*.npz")
    with np.load(raw, allow_pickle=False) as arrays:
        assert "pairs" in arrays.files
        assert not missing(arrays.files, PREDICTIONS)
    for form in FORMS:
        shown = f"{form.ending}/" if form.folder else form.ending
        assert f"`{shown}`" in PREDICTIONS, form
        assert not form.option or f"`--{form.option}`" in PREDICTIONS, form


def test_columns_of_tables(predictions):
    with (predictions / "detections.csv").open(newline="") as file:
        assert not missing(next(csv.reader(file)), TABLES)
    assert not missing(FIRST, TABLES)


def test_the_rule_of_apostrophes():
    (stated,) = re.findall(r'^GUARDED = re\.compile\(r"(.*)"\)$', TABLES, re.MULTILINE)
    # to be taken away there has to be one
    assert stated == _FORMULA.pattern.replace("'*", "'+", 1)


def test_what_commands_write_for_programs():
    worker = Worker(
        SimpleNamespace(model_dump=lambda include: dict.fromkeys(include)), 1, (), False
    )
    assert not missing(worker.as_json(), TABLES)
    standing = SimpleNamespace(
        stage=row("extract"), state=State("missing"), manifest=None, workers=[worker]
    )
    status = status_as_json(SimpleNamespace(folder="runs/own"), [standing])
    assert not missing([*status, *status["stages"][0]], TABLES)
    assert not missing(fields_of(Finding, Cost), TABLES)
