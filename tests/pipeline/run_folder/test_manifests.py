"""A stage's manifest: the same settings go on, others are refused, complete comes last."""

from __future__ import annotations

import json

import pytest
from helpers.leftovers import left_half_written

from pipeline.configuration.keys import default_fields, restated
from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UserError
from pipeline.run_folder.manifests import MANIFEST, Stage, is_complete, read_manifest
from pipeline.runs.fields import input_fields, setting_fields
from pipeline.runs.graph import maker, row

# What a configuration has to say itself.
REQUIRED = {
    "format", "train_subset", "fps", "stride", "short_side", "optimizer", "base_lr", "batch_size",
    "epochs", "mode", "temporal_scale", "duration_scale", "name",
}  # fmt: skip


def unchanged(old, today):
    """A program that wrote its fields as today's does."""
    return old


def stage_of(run, name, fields, restate=unchanged):
    """A stage of a run, not opened yet."""
    return Stage(name, run / name, maker(name).outputs, fields, restate)


def complete(run, name, fields):
    """A stage with its outputs, complete."""
    stage = stage_of(run, name, fields).open()
    for output in stage.outputs:
        (stage.folder / output).write_text("made")
    stage.finish()
    return stage


def test_same_fields_go_on_and_complete_is_last(tmp_path):
    stage = stage_of(tmp_path, "finetune", {"a": 1, "b": (1, 2)}).open()
    assert not stage.complete
    stage.progress(3, 10)
    again = stage_of(tmp_path, "finetune", {"b": [1, 2], "a": 1}).open()
    assert not again.complete and again.fingerprint == stage.fingerprint
    for output in stage.outputs:
        (stage.folder / output).write_text("made")
    again.finish({"top1": 3.0})
    assert stage_of(tmp_path, "finetune", {"a": 1, "b": [1, 2]}).open().complete
    manifest = read_manifest(tmp_path / "finetune")
    assert manifest["state"] == "complete" and manifest["summary"] == {"top1": 3.0}
    assert manifest["stage"] == "finetune" and manifest["fingerprint"] == stage.fingerprint


def test_how_far_it_is_and_when_it_began_are_kept(tmp_path):
    stage = stage_of(tmp_path, "bmn", {"a": 1}).open()
    path = stage.folder / MANIFEST
    content = json.loads(path.read_text()) | {"started": "2020-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(content))
    stage.progress(3, 10)
    manifest = read_manifest(stage.folder)
    assert manifest["progress"] == {"done": 3, "total": 10} and manifest["state"] == "partial"
    assert manifest["started"] == content["started"] < manifest["updated"]


def test_other_fields_are_refused_and_force_moves_aside(tmp_path):
    complete(tmp_path, "bmn", {"bmn.epochs": 1, "file.a.csv": "x"})
    other = stage_of(tmp_path, "bmn", {"bmn.epochs": 2, "file.a.csv": "y"})
    assert other.why_again() == "bmn.epochs: 1 -> 2; a.csv changed"
    with pytest.raises(UserError) as caught:
        other.open()
    assert "bmn.epochs: 1 -> 2" in caught.value.message and "a.csv changed" in caught.value.message
    stage = other.open(force=True)
    assert not stage.complete and not (stage.folder / "model.pt").exists()
    kept = [path for path in tmp_path.glob("bmn.*") if (path / "model.pt").exists()]
    assert len(kept) == 1, "the old folder is moved, never deleted"


def test_folders_moved_aside_in_one_second_have_names_of_their_own(tmp_path):
    for epochs in range(3):
        stage = stage_of(tmp_path, "bmn", {"bmn.epochs": epochs}).open(force=True)
        (stage.folder / "model.pt").write_text(str(epochs))
    kept = {(path / "model.pt").read_text() for path in tmp_path.glob("bmn.*")}
    assert kept == {"0", "1"}


def test_outputs_made_again_in_a_moment_are_written_over(tmp_path):
    complete(tmp_path, "eval", {"eval.iou": [0.5]})
    stage = stage_of(tmp_path, "eval", {"eval.iou": [0.7]}).open(replace_outputs=True)
    assert not stage.complete and (stage.folder / "results.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["eval"]


@pytest.mark.parametrize("name", [None, "failures.json", ".model.pt.123.tmp", ".lock"])
def test_a_stage_that_made_nothing_yet_gives_way(tmp_path, name):
    """A list of what failed is no result: the line that names a failure advises other settings."""
    stage = stage_of(tmp_path, "bmn", {"bmn.epochs": 1}).open()
    if name is not None:
        (stage.folder / name).write_text("[]")
    assert not stage_of(tmp_path, "bmn", {"bmn.epochs": 2}).open().complete
    assert read_manifest(tmp_path / "bmn")["fields"] == {"bmn.epochs": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["bmn"]


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


def test_complete_is_what_has_its_outputs(tmp_path):
    stage = complete(tmp_path, "finetune", {"a": 1})
    manifest = read_manifest(stage.folder)
    assert is_complete(stage.folder, stage.outputs, manifest)
    assert not is_complete(stage.folder, stage.outputs, None)
    assert not is_complete(stage.folder, stage.outputs, manifest | {"state": "partial"})
    (stage.folder / "history.json").unlink()
    assert not is_complete(stage.folder, stage.outputs, manifest)
    assert not stage_of(tmp_path, "finetune", {"a": 1}).open().complete


def test_missing_input_names_its_command(tmp_path):
    with pytest.raises(UserError, match="tada-loc finetune"):
        input_fields(tmp_path, row("extract"))
    stage_of(tmp_path, "finetune", {"a": 1}).open()
    with pytest.raises(UserError, match="not complete"):
        input_fields(tmp_path, row("extract"))
    complete(tmp_path, "finetune", {"a": 1})
    fields = input_fields(tmp_path, row("extract"))
    assert list(fields) == ["input.finetune"]
    with pytest.raises(UserError, match="tada-loc bmn"):
        input_fields(tmp_path, row("classify"))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"state": "partial"}', '{"state": 3, "fields": {}}']
)
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "bmn").mkdir()
    (tmp_path / "bmn" / "manifest.json").write_text(text)
    with pytest.raises(UserError, match="damaged"):
        read_manifest(tmp_path / "bmn")


def test_where_there_is_no_folder_there_is_no_manifest(tmp_path):
    (tmp_path / "file").write_text("")
    assert read_manifest(tmp_path / "bmn") is None and read_manifest(tmp_path / "file") is None
    assert stage_of(tmp_path, "bmn", {"a": 1}).why_again() == ""


def test_temporary_files_of_a_killed_run_are_cleared(tmp_path):
    stage = stage_of(tmp_path, "bmn", {"a": 1}).open()
    left = left_half_written(stage.folder / "model.pt")
    stage_of(tmp_path, "bmn", {"a": 1}).open()
    assert not left.exists()


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
    opened = today.open()
    assert opened.complete and opened.fingerprint == stage.fingerprint
    assert not today.why_again()
    other = stage_of(tmp_path, "bmn", new | {"bmn.regression": True}, restated)
    assert "bmn.regression: False -> True" in other.why_again()
    with pytest.raises(UserError, match=r"bmn\.regression: False -> True"):
        other.open()
    assert today.follow().fingerprint == stage.fingerprint


def test_every_optional_key_has_its_default():
    fields, config = default_fields(), load_config(find_config("ek100"))
    for stage in ("finetune", "extract", "bmn", "proposals", "classify"):
        missing = setting_fields(config, row(stage)).keys() - fields.keys()
        assert all(key.split(".")[-1] in REQUIRED for key in missing), missing
    assert fields["finetune.augment.mixup"] == 0 and fields["extract.crop"] == "whole"
