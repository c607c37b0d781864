"""What is stored of a configuration: all that decides what a model does, and nothing of a machine or a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from pipeline.configuration import keys
from pipeline.configuration.reading import SHIPPED, dump_config, load_config, read_config
from pipeline.configuration.stored import as_start, from_store, to_store
from pipeline.errors import UserError

FOR_DETECTION = [
    path for path in sorted(SHIPPED.glob("*.yaml")) if load_config(path, quiet=True).bmn
]


def parts(annotation):
    """A type and those it is made of."""
    return {annotation}.union(*(parts(part) for part in get_args(annotation)))


def as_kept(path):
    """A configuration as a run folder keeps it."""
    return read_config(dump_config(load_config(path, quiet=True)), path, quiet=True).detection()


@pytest.mark.parametrize("path", FOR_DETECTION, ids=lambda path: path.stem)
def test_what_decides_results_comes_back(path):
    config = as_kept(path)
    stored = json.loads(json.dumps(to_store(config)))
    again = from_store(stored)
    for name in ("backbone", "finetune", "views", "extract", *config.head_sections):
        ours, theirs = (keys.result_fields(name, c.section(name)) for c in (config, again))
        assert json.dumps(ours) == json.dumps(theirs)
    assert to_store(again) == stored


def test_no_key_that_may_hold_a_path_is_stored():
    stored = to_store(as_kept(SHIPPED / "ek100.yaml"))
    paths = [key for key, field in keys._keys().items() if Path in parts(field.annotation)]
    assert len(paths) >= 6
    for key in paths:
        section, _, name = key.partition(".")
        assert name not in stored.get(section, {}), f"{key} is a path: leave it out in stored.py"
        with pytest.raises(UserError, match=key):
            from_store({**stored, section: {**stored.get(section, {}), name: "x"}})


def test_of_names_that_may_be_paths_the_last_part_stays():
    config = load_config(
        SHIPPED / "demo.yaml", {"backbone.pretrained": "C:\\me\\w.pth", "dataset.name": "/me/own/"}
    )
    stored = to_store(config)
    assert stored["backbone"]["pretrained"] == "w.pth" and stored["dataset"]["name"] == "own"


def test_a_key_with_an_old_name_is_still_read():
    stored = to_store(as_kept(SHIPPED / "demo.yaml"))
    stored["bmn"]["accumulate"] = stored["bmn"].pop("gradient_accumulation")
    assert from_store(stored).bmn.gradient_accumulation == 1
    assert "accumulate" not in as_start(stored, "own.tada")["bmn"]


def test_a_new_run_begins_with_the_model_and_without_its_data_set():
    stored = to_store(as_kept(SHIPPED / "ek100.yaml"))
    begun = as_start(stored, "dir/own.tada")
    assert begun["backbone"]["pretrained"] == "dir/own.tada"
    assert begun["dataset"] == {
        "name": "ek100", "format": "auto", "train_subset": "training", "eval_subset": "validation", "hold_out": 0.0,
    }  # fmt: skip
    assert begun["finetune"] == stored["finetune"] and "runtime" not in begun
