"""Detections as CSV and JSON: every number bit for bit, whatever the labels hold, and scored as any result file."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest
from helpers.hand_made import HOSTILE, ROWS, epic, found, many

from evaluation.submission import read_activitynet, read_epic_kitchens
from pipeline.errors import UserError
from pipeline.results.tables import read_given
from pipeline.writers.tables import write_detections_csv, write_detections_json

# ActivityNet's result form, as its evaluation reads it.
RESULT_FILE = {
    "type": "object",
    "required": ["version", "results", "external_data"],
    "properties": {
        "version": {"type": "string"},
        "external_data": {
            "type": "object",
            "required": ["used", "details"],
            "properties": {"used": {"type": "boolean"}, "details": {"type": "string"}},
        },
        "results": {
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["label", "score", "segment"],
                    "properties": {
                        "label": {"type": "string", "minLength": 1},
                        "score": {"type": "number"},
                        "segment": {
                            "type": "array",
                            "items": {"type": "number"},
                            "minItems": 2,
                            "maxItems": 2,
                        },
                    },
                },
            },
        },
    },
}
THIRDS = [(1 / 3, 2 / 3, "a", 0.1 + 0.2), (math.pi, 1e3 / 7, "b", 5e-324), (0.0, 0.1, "a", 1e-17)]


def hostile():
    rows = [(float(n), n + 1 / 3, label, 1 / (n + 3)) for n, label in enumerate(HOSTILE)]
    return found(rows, video="=CLASS/<b>ID")


@pytest.mark.parametrize(
    "predictions",
    [[found(THIRDS)], [hostile()], [many(3000)], [epic()], [found(), found([], video="empty")]],
    ids=["thirds", "hostile", "many", "epic", "empty"],
)
def test_both_files_give_every_row_back_bit_for_bit(tmp_path, predictions):
    write_detections_csv(predictions, tmp_path / "own.csv")
    write_detections_json(predictions, tmp_path / "own.json")
    wanted = pd.concat([p.detections for p in predictions], ignore_index=True)
    names = list(wanted.columns)
    table = read_given(tmp_path / "own.csv")
    pd.testing.assert_frame_equal(table[names], wanted, check_exact=True, check_dtype=False)
    read = read_activitynet(tmp_path / "own.json", zero_length=True)
    names = ["video", "start", "end", "label", "score"]
    pd.testing.assert_frame_equal(read[names], wanted[names], check_exact=True, check_dtype=False)


def test_the_columns_and_the_numbers_are_those_of_the_stage(tmp_path):
    write_detections_csv([found(THIRDS)], tmp_path / "own.csv")
    lines = (tmp_path / "own.csv").read_text().splitlines()
    assert lines[0] == "video,start,end,label,score"
    for line, (start, end, label, score) in zip(
        lines[1:], sorted(THIRDS, key=lambda r: -r[3]), strict=True
    ):
        assert line == f"v06,{start!r},{end!r},{label},{score!r}"


def test_no_cell_is_a_formula(tmp_path):
    write_detections_csv([hostile()], tmp_path / "own.csv")
    names = {"3,17": "=cmd|' /C calc'!A0", "0,2": "a\nb", "9,9": "+1"}
    write_detections_csv([replace(epic(), names=names)], tmp_path / "epic.csv")
    for name in ("own.csv", "epic.csv"):
        with (tmp_path / name).open(newline="") as stream:
            for cell in (cell for row in csv.reader(stream) for cell in row):
                assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r")), cell


def test_verbs_and_nouns(tmp_path):
    write_detections_csv([epic()], tmp_path / "own.csv")
    table = pd.read_csv(tmp_path / "own.csv")
    assert list(table) == ["video", "start", "end", "label", "score", "verb", "noun", "name"]
    assert table["name"].tolist() == ["open drawer", "take pan: lid", "9,9"]
    write_detections_json([epic()], tmp_path / "own.json")
    read = read_epic_kitchens(tmp_path / "own.json")
    assert read[["verb", "noun"]].to_numpy().tolist() == [[3, 17], [0, 2], [9, 9]]
    first = json.loads((tmp_path / "own.json").read_text())["results"]["v06"][0]
    assert first["name"] == "open drawer" and first["label"] == "3,17"


def test_the_json_has_the_form_of_a_result_file_and_says_videos_and_model(tmp_path):
    predictions = [found(), found([], source=tmp_path / "secret" / "v07.mov", duration=math.inf)]
    write_detections_json(predictions, tmp_path / "own.json")
    text = (tmp_path / "own.json").read_text()
    content = json.loads(text, parse_constant=pytest.fail)
    jsonschema.validate(content, RESULT_FILE)
    assert content["videos"]["v06"] == {"duration": 9.0, "file": "v06.mp4", "model": "own"}
    assert content["videos"]["v07"]["duration"] is None and content["results"]["v07"] == []
    assert content["model"] == {"name": "own", "digest": "0123abcd"}
    assert str(tmp_path) not in text and "secret" not in text
    assert len(content["results"]["v06"]) == len(ROWS)


def test_nothing_found_is_a_table_and_a_result_file(tmp_path):
    write_detections_csv([found([])], tmp_path / "own.csv")
    write_detections_json([found([])], tmp_path / "own.json")
    assert read_given(tmp_path / "own.csv").empty
    assert json.loads((tmp_path / "own.json").read_text())["results"] == {"v06": []}
    write_detections_csv([], tmp_path / "none.csv")
    assert read_given(tmp_path / "none.csv").empty


def test_two_videos_of_one_id_are_refused(tmp_path):
    with pytest.raises(UserError, match="two videos have the id v06"):
        write_detections_json([found(), found()], tmp_path / "own.json")
    assert not (tmp_path / "own.json").exists()


def test_a_number_that_json_does_not_have_is_never_written(tmp_path):
    with pytest.raises(ValueError):
        write_detections_json([found([(0.0, 1.0, "a", np.nan)])], tmp_path / "own.json")
    assert list(tmp_path.iterdir()) == []
