"""A stage opened for work: the same inputs go on, others are made again, and no training is lost without being asked."""

from __future__ import annotations

import json

import pytest

from pipeline.configuration.keys import default_fields, restated
from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UserError
from pipeline.run_folder.manifests import MANIFEST, hours_text, read_manifest
from pipeline.run_folder.stage import Stage
from pipeline.runs.graph import maker, row
from pipeline.runs.inputs.fields import setting_fields

# What a configuration has to say itself.
REQUIRED = {
    "fps", "stride", "short_side", "optimizer", "base_lr", "batch_size",
    "epochs", "mode", "temporal_scale", "duration_scale", "name",
}  # fmt: skip


def unchanged(old, today):
    """A program that wrote its fields as today's does."""
    return old


def stage_of(run, name, fields, restate=unchanged, **more):
    """A stage of a run, not opened yet."""
    stage = maker(name)
    return Stage(name, run / name, stage.outputs, fields, restate, stage.valuable, **more)


def complete(run, name, fields, **more):
    """A stage with its outputs, complete."""
    stage = stage_of(run, name, fields, **more).open()
    for output in stage.outputs:
        (stage.folder / output).write_text(json.dumps(fields))
    stage.finish()
    return stage


def test_same_fields_go_on_and_complete_is_last(tmp_path):
    stage = stage_of(tmp_path, "finetune", {"a": 1, "b": (1, 2)}).open()
    assert not stage.complete and stage.anew
    stage.progress(3, 10)
    again = stage_of(tmp_path, "finetune", {"b": [1, 2], "a": 1}).open()
    assert not again.complete and not again.anew and again.fingerprint == stage.fingerprint
    for output in stage.outputs:
        (stage.folder / output).write_text("made")
    again.finish({"top1": 3.0}, weights="digest")
    assert stage_of(tmp_path, "finetune", {"a": 1, "b": [1, 2]}).open().complete
    manifest = read_manifest(tmp_path / "finetune")
    assert manifest.complete and manifest.summary == {"top1": 3.0} and manifest.weights == "digest"
    assert manifest.stage == "finetune" and manifest.outputs.keys() == {"model.pt"}


def test_how_far_it_is_and_when_it_began_are_kept(tmp_path):
    stage = stage_of(tmp_path, "bmn", {"a": 1}).open()
    path = stage.folder / MANIFEST
    began = "2020-01-01T00:00:00+00:00"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started": began, "seconds": 50}))
    again = stage_of(tmp_path, "bmn", {"a": 1}).open()
    again.progress(3, 10)
    manifest = read_manifest(stage.folder)
    assert manifest.progress.done == 3 and manifest.progress.total == 10 and not manifest.complete
    assert manifest.started == began < manifest.updated and manifest.seconds >= 50


def test_a_training_of_other_inputs_is_refused_and_force_moves_it_aside(tmp_path):
    complete(tmp_path, "bmn", {"bmn.epochs": 1, "content.a.csv": "x"})
    other = stage_of(tmp_path, "bmn", {"bmn.epochs": 2, "content.a.csv": "y"})
    assert other.why_again() == ["bmn.epochs: 1 -> 2", "a.csv changed"]
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"bmn\.epochs: 1 -> 2; a\.csv changed.*--force"):
        other.open()
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    stage = other.open(force=True)
    assert not stage.complete and not (stage.folder / "model.pt").exists()
    kept = [path for path in tmp_path.glob("bmn.*") if (path / "model.pt").exists()]
    assert len(kept) == 1, "the old folder is moved, never deleted"


def test_what_was_moved_aside_is_taken_back_when_its_inputs_are(tmp_path):
    first, second = {"bmn.epochs": 1}, {"bmn.epochs": 2}
    complete(tmp_path, "bmn", first)
    stage_of(tmp_path, "bmn", second).open(force=True)
    for fields in (first, second, first):
        if fields is second:
            complete_now = stage_of(tmp_path, "bmn", second).open(force=True)
            (complete_now.folder / "model.pt").write_text(json.dumps(second))
            complete_now.finish()
            continue
        taken = stage_of(tmp_path, "bmn", fields).open()
        assert taken.complete and json.loads((taken.folder / "model.pt").read_text()) == fields
    taken = stage_of(tmp_path, "bmn", second).open()
    assert taken.complete and json.loads((taken.folder / "model.pt").read_text()) == second


def test_a_damaged_one_that_was_moved_aside_is_not_taken_back(tmp_path):
    complete(tmp_path, "bmn", {"bmn.epochs": 1})
    complete_two = stage_of(tmp_path, "bmn", {"bmn.epochs": 2}).open(force=True)
    (complete_two.folder / "model.pt").write_text("two")
    complete_two.finish()
    (aside,) = tmp_path.glob("bmn.*")
    (aside / "model.pt").write_text("damaged")
    with pytest.raises(UserError, match="--force"):
        stage_of(tmp_path, "bmn", {"bmn.epochs": 1}).open()


def test_folders_moved_aside_in_one_second_have_names_of_their_own(tmp_path):
    for epochs in range(3):
        stage = stage_of(tmp_path, "bmn", {"bmn.epochs": epochs}).open(force=True)
        (stage.folder / "model.pt").write_text(str(epochs))
    kept = {(path / "model.pt").read_text() for path in tmp_path.glob("bmn.*")}
    assert kept == {"0", "1"}


def test_outputs_of_no_training_are_made_again_in_place(tmp_path):
    complete(tmp_path, "eval", {"eval.iou": [0.5]})
    stage = stage_of(tmp_path, "eval", {"eval.iou": [0.7]}).open()
    assert not stage.complete and stage.anew and (stage.folder / "results.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["eval"]


@pytest.mark.parametrize("name", [None, "failures.json", "history.json"])
def test_a_training_that_has_nothing_to_lose_gives_way(tmp_path, name):
    stage = stage_of(tmp_path, "bmn", {"bmn.epochs": 1}).open()
    if name is not None:
        (stage.folder / name).write_text("[]")
    assert not stage_of(tmp_path, "bmn", {"bmn.epochs": 2}).open().complete
    assert read_manifest(tmp_path / "bmn").fields == {"bmn.epochs": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["bmn"]


def test_a_half_done_training_is_not_lost_either(tmp_path):
    stage = stage_of(tmp_path, "bmn", {"bmn.epochs": 1}).open()
    (stage.folder / "checkpoint.pt").write_text("half")
    with pytest.raises(UserError, match=r"checkpoint\.pt is of other inputs"):
        stage_of(tmp_path, "bmn", {"bmn.epochs": 2}).open()


def test_a_changed_model_is_refused_and_one_that_is_gone_is_made_again(tmp_path):
    stage = complete(tmp_path, "finetune", {"a": 1})
    (stage.folder / "model.pt").write_text("another")
    with pytest.raises(UserError, match=r"model\.pt is not what was written"):
        stage_of(tmp_path, "finetune", {"a": 1}).open()
    assert stage_of(tmp_path, "finetune", {"a": 1}).is_changed()
    (stage.folder / "model.pt").unlink()
    assert not stage_of(tmp_path, "finetune", {"a": 1}).is_changed()
    assert not stage_of(tmp_path, "finetune", {"a": 1}).open().complete


@pytest.mark.parametrize("text", [None, "{"])
def test_a_model_without_its_manifest_is_not_written_over(tmp_path, text):
    stage = complete(tmp_path, "finetune", {"a": 1})
    (stage.folder / MANIFEST).unlink()
    if text is not None:
        (stage.folder / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json"):
        stage_of(tmp_path, "finetune", {"a": 1}).open()
    assert not stage_of(tmp_path, "finetune", {"a": 1}).open(force=True).complete
    assert (next(tmp_path.glob("finetune.*")) / "model.pt").exists()


def test_another_process_follows_and_writes_no_manifest(tmp_path):
    stage = stage_of(tmp_path, "bmn", {"a": 1})
    opened = stage.open()
    before = (opened.folder / MANIFEST).read_text()
    followed = stage.follow()
    assert not followed.writes and followed.fingerprint == opened.fingerprint
    assert not followed.complete
    followed.progress(1, 2)
    followed.finish()
    assert (opened.folder / MANIFEST).read_text() == before
    complete(tmp_path, "bmn", {"a": 1})
    assert stage.follow().complete


def test_a_log_that_is_gone_is_no_result(tmp_path):
    stage = complete(tmp_path, "finetune", {"a": 1})
    (stage.folder / "history.json").write_text("[]")
    (stage.folder / "history.json").unlink()
    assert stage_of(tmp_path, "finetune", {"a": 1}).open().complete


def test_temporary_files_of_a_killed_run_are_cleared_and_a_users_are_not(tmp_path):
    stage = stage_of(tmp_path, "bmn", {"a": 1}).open()
    (stage.folder / "notes.tmp").write_text("mine")
    stage_of(tmp_path, "bmn", {"a": 1}).open()
    assert (stage.folder / "notes.tmp").exists()


def test_a_manifest_of_before_a_key_existed_stays_valid(tmp_path):
    """A field it lacks counts as its default, which does what was done then; any other value is a difference."""
    config = load_config(find_config("demo"))
    new = setting_fields(config, row("bmn"))
    keys = ("bmn.regression", "bmn.positions", "dataset.hold_out")
    old = {key: value for key, value in new.items() if key not in keys}
    stage = stage_of(tmp_path, "bmn", old, restated).open()
    (stage.folder / "model.pt").write_text("weights")
    stage.finish({})
    today = stage_of(tmp_path, "bmn", new, restated)
    assert today.open().complete and not today.why_again()
    other = stage_of(tmp_path, "bmn", new | {"bmn.regression": True}, restated)
    assert "bmn.regression: False -> True" in other.why_again()
    with pytest.raises(UserError, match=r"bmn\.regression: False -> True"):
        other.open()
    assert today.follow().complete


def test_a_half_done_training_is_known_by_the_fields_it_began_with(tmp_path):
    config = load_config(find_config("demo"))
    new = setting_fields(config, row("bmn"))
    old = {key: value for key, value in new.items() if key != "bmn.regression"}
    stage = stage_of(tmp_path, "bmn", old, restated).open()
    assert stage_of(tmp_path, "bmn", new, restated).open().fingerprint == stage.fingerprint


def test_what_an_older_program_made_is_compared_in_its_terms_and_recorded_anew(tmp_path):
    former = {"bmn.epochs": 1, "file.a.csv": "x", "input.extract": "y"}
    folder = tmp_path / "bmn"
    folder.mkdir()
    (folder / "model.pt").write_text("weights")
    (folder / MANIFEST).write_text(json.dumps({"state": "complete", "fields": former}))
    new = {"bmn.epochs": 1, "training segments": {"v": "d"}}
    stage = stage_of(tmp_path, "bmn", new, formerly=lambda: former, weigh=lambda: "digest")
    assert stage.open().complete
    manifest = read_manifest(folder)
    assert manifest.form == 2 and manifest.fields == new and manifest.former == former
    assert manifest.weights == "digest" and manifest.outputs.keys() == {"model.pt"}
    changed = stage_of(tmp_path, "bmn", new | {"training segments": {"v": "e", "w": "f"}})
    assert changed.why_again() == ["training segments new: w", "training segments changed: v"]


def test_every_optional_key_has_its_default():
    fields, config = default_fields(), load_config(find_config("ek100"))
    for stage in ("finetune", "extract", "bmn", "proposals", "classify"):
        missing = setting_fields(config, row(stage)).keys() - fields.keys()
        assert all(key.split(".")[-1] in REQUIRED for key in missing), missing
    assert fields["finetune.augment.mixup"] == 0 and fields["extract.crop"] == "whole"


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.0001, "1 s"), (0.01, "36 s"), (0.5, "30 min"), (1.2, "72 min"), (30, "30.0 h")],
)
def test_hours_are_said_as_a_person_does(hours, text):
    assert hours_text(hours) == text


def test_a_training_that_fails_gives_the_one_before_its_place_back(tmp_path):
    complete(tmp_path, "bmn", {"bmn.epochs": 1})
    stage = stage_of(tmp_path, "bmn", {"bmn.epochs": 2}).open(force=True)
    (stage.folder / "checkpoint.pt").write_text("half")
    stage.put_back()
    assert stage_of(tmp_path, "bmn", {"bmn.epochs": 1}).open().complete
    # What the failed one has done is kept, and gone on with when it is wanted again.
    again = stage_of(tmp_path, "bmn", {"bmn.epochs": 2}).open()
    assert not again.complete and (again.folder / "checkpoint.pt").read_text() == "half"
    again.put_back()  # nothing was moved aside for it
    assert (tmp_path / "bmn/checkpoint.pt").exists()
