"""Every change in the lists, one at a time; QUICK are those that `make test` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.configuration.keys import known_keys
from truth import (
    changes_classes,
    changes_files,
    changes_frames,
    changes_keys,
    changes_left_out,
    changes_table,
    changes_videos,
)
from truth.change import Change
from truth.changes_files import MODELS, NOTES, OF_TRAINING, RECORDS, RESULTS
from truth.looking import differences
from truth.world import TRAIN, VAL, make_base

LISTS = (
    changes_videos,
    changes_frames,
    changes_table,
    changes_keys,
    changes_files,
    changes_left_out,
    changes_classes,
)
ALL = {change.name: change for part in LISTS for change in part.CHANGES}
QUICK = (
    "validation video replaced",
    "training video replaced",
    "training video touched",
    "validation video remuxed",
    "validation video deleted",
    "folder of videos moved",
    "frames: a training video renamed and counted from 0",
    "new validation video",
    "table: rows in another order",
    "table: a validation label corrected",
    "table: a training time moved",
    "finetune.seed by --set",
    "extract.stride by file",
    "proposals.alpha by --set",
    "runtime.workers by --set",
    "extract/features/training_000.h5 with a bit changed",
    "finetune/model.pt cut to half",
    "bmn/model.pt deleted",
    "classify deleted",
    "extract/manifest.json cut to half",
    "a validation video skipped",
    "class scores: another one of a video",
    "linear classifier: another dropout",
)


@pytest.mark.parametrize("name", QUICK)
def test_some_changes_lead_to_the_truth(machine, name):
    machine.check(ALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALL if name not in QUICK])
def test_every_change_leads_to_the_truth(machine, name):
    machine.check(ALL[name])


def test_the_lists_name_each_change_once():
    names = [change.name for part in LISTS for change in part.CHANGES]
    assert len(names) == len(set(names)) and len(names) >= 150


def test_every_key_has_another_value():
    others = changes_keys.OF_THE_OTHER_HEAD.keys() | changes_keys.OTHER_STAGES
    assert changes_keys.KEYS.keys() | others == set(known_keys())


def test_every_file_of_a_run_is_changed(machine):
    make_base(machine.world, "plain")
    run = machine.world.template("plain") / "run"
    listed = {*RESULTS, *MODELS, *NOTES, *RECORDS, *OF_TRAINING}
    for path in run.rglob("*"):
        name = str(path.relative_to(run))
        for video, like in zip((*TRAIN[1:], *VAL[1:]), (TRAIN[0],) * 2 + VAL[:1], strict=True):
            name = name.replace(video, like)
        assert path.is_dir() or name in listed, f"{name} is in no list"


def test_the_machine_sees_what_is_wrong(machine):
    """A change whose outcome is reported wrongly fails; a table with another digit is no match."""
    wrong = Change("nothing", lambda world: None, first=("eval",))
    with pytest.raises(AssertionError, match="status says eval is complete"):
        machine.check(wrong)
    run, made = machine.world.run, machine.world.template("plain") / "run"
    assert differences(run, made) == []
    table = Path(run, "classify/detections.csv")
    table.write_text(table.read_text().replace("0.", "1.", 1))
    assert differences(run, made) == ["classify/detections.csv differs"]
