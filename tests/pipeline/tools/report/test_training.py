"""Curves of a training from its history, whatever is in the file."""

from __future__ import annotations

import json

import pytest

from pipeline.tools.report.training import training_of


def history(tmp_path, value):
    path = tmp_path / "history.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return training_of(path, "one")


def test_losses_accuracies_and_the_rate_are_apart(tmp_path):
    rows = [
        {
            "epoch": 1,
            "lr": 0.1,
            "total": 2.0,
            "top1": 10.0,
            "top5": 50.0,
            "extract_top1": 9.0,
            "extract_top5": 50.0,
        },
        {
            "epoch": 2,
            "lr": 0.05,
            "total": 1.0,
            "top1": 20.0,
            "top5": 60.0,
            "extract_top1": 21.0,
            "extract_top5": 60.0,
        },
    ]
    found = history(tmp_path, rows)
    assert found.epochs == [1, 2] and found.rate == [0.1, 0.05]
    assert found.losses == {"total": [2.0, 1.0]}
    assert found.validation == {
        "top1": [10.0, 20.0],
        "top5": [50.0, 60.0],
        "extract_top1": [9.0, 21.0],
    }


def test_the_terms_of_bmn_and_those_of_its_validation_are_losses(tmp_path):
    found = history(
        tmp_path,
        [
            {"epoch": 1, "lr": 1, "total": 2, "tem": 1, "val_total": 3},
            {"epoch": 2, "lr": 1, "total": 1, "tem": 1},
        ],
    )
    assert found.losses == {"total": [2, 1], "tem": [1, 1], "val_total": [3, None]}
    assert found.validation == {}


@pytest.mark.parametrize("value", ["", "{", "[]", "{}", "[1, 2]", '[{"epoch": "x"}]', "[" * 5000])
def test_what_is_no_history_is_no_training(tmp_path, value):
    assert history(tmp_path, value) is None


def test_what_is_no_number_is_left_out(tmp_path):
    found = history(tmp_path, '[{"epoch": 1, "lr": null, "total": NaN, "top1": true, "tem": "x"}]')
    assert found is None or (found.rate == [None] and found.losses["total"] == [None])


def test_no_file_is_no_training(tmp_path):
    assert training_of(tmp_path / "history.json", "one") is None
