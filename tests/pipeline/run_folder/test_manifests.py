"""The run folder: fingerprints, refusals, atomic writes, the lock."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest
from pipeline.run_folder.reports import write_report

from pipeline.configuration.keys import default_fields, restated
from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UserError
from pipeline.run_folder import manifests as artifacts
from pipeline.run_folder.lock import locked
from pipeline.runs.fields import setting_fields

# What a configuration has to say itself.
REQUIRED = {
    "format", "train_subset", "fps", "stride", "short_side", "optimizer", "base_lr", "batch_size",
    "epochs", "mode", "temporal_scale", "duration_scale", "name",
}  # fmt: skip


def complete(run, name, fields):
    """A stage with its outputs, complete."""
    stage = artifacts.open_stage(run, name, fields)
    for output in artifacts.OUTPUTS[name]:
        (stage.folder / output).write_text("made")
    stage.finish()
    return stage


def test_same_fields_go_on_and_complete_is_last(tmp_path):
    stage = artifacts.open_stage(tmp_path, "finetune", {"a": 1, "b": (1, 2)})
    assert not stage.complete
    stage.progress(3, 10)
    again = artifacts.open_stage(tmp_path, "finetune", {"b": [1, 2], "a": 1})
    assert not again.complete and again.fingerprint == stage.fingerprint
    for output in artifacts.OUTPUTS["finetune"]:
        (stage.folder / output).write_text("made")
    again.finish({"top1": 3.0})
    assert artifacts.open_stage(tmp_path, "finetune", {"a": 1, "b": [1, 2]}).complete
    manifest = artifacts.read_manifest(tmp_path, "finetune")
    assert manifest["state"] == "complete" and manifest["summary"] == {"top1": 3.0}


def test_other_fields_are_refused_and_force_moves_aside(tmp_path):
    complete(tmp_path, "bmn", {"bmn.epochs": 1, "file.a.csv": "x"})
    with pytest.raises(UserError) as caught:
        artifacts.open_stage(tmp_path, "bmn", {"bmn.epochs": 2, "file.a.csv": "y"})
    assert "bmn.epochs: 1 -> 2" in caught.value.message and "a.csv changed" in caught.value.message
    stage = artifacts.open_stage(tmp_path, "bmn", {"bmn.epochs": 2, "file.a.csv": "y"}, force=True)
    assert not stage.complete and not (stage.folder / "model.pt").exists()
    kept = [path for path in tmp_path.glob("bmn.*") if (path / "model.pt").exists()]
    assert len(kept) == 1, "the old folder is moved, never deleted"


def test_missing_input_names_its_command(tmp_path):
    with pytest.raises(UserError, match="tada-loc finetune"):
        artifacts.input_fields(tmp_path, "extract")
    artifacts.open_stage(tmp_path, "finetune", {"a": 1})
    with pytest.raises(UserError, match="not complete"):
        artifacts.input_fields(tmp_path, "extract")
    complete(tmp_path, "finetune", {"a": 1})
    fields = artifacts.input_fields(tmp_path, "extract")
    assert list(fields) == ["input.finetune"]
    with pytest.raises(UserError, match="tada-loc bmn"):
        artifacts.input_fields(tmp_path, "classify")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    artifacts.write_json(path, {"x": 1})
    with pytest.raises(RuntimeError), artifacts.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"x": 1}
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="JSON"):
        artifacts.write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text()) == {"x": 1}


def test_what_can_neither_be_written_nor_cleaned_up_is_one_line(tmp_path, monkeypatch):
    """As on a disk the kernel has turned read-only while a file was open."""

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with (
        pytest.raises(UserError, match="a.txt: cannot be written .Read-only.*writable"),
        artifacts.atomic_path(tmp_path / "a.txt") as temporary,
    ):
        temporary.write_text("half")
        monkeypatch.setattr(artifacts.os, "replace", refused)
        monkeypatch.setattr(type(tmp_path), "unlink", refused)


def test_a_report_goes_into_a_pipe_and_through_a_link(tmp_path):
    """A device has to stay one: as root, a rename over /dev/null breaks the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # both ends: nothing waits for anybody
    write_report(pipe, {"x": 1})
    assert pipe.is_fifo() and json.loads(os.read(held, 1 << 16)) == {"x": 1}
    os.close(held)
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    for value in ({"x": 2}, {"x": 3}):  # the file is not there yet; it is
        write_report(link, value)
        assert json.loads(real.read_text()) == value and link.is_symlink()


def test_links_in_a_run_folder_are_replaced_not_followed(tmp_path):
    """A run folder from elsewhere could point at any file of the user's."""
    mine, link = tmp_path / "mine.txt", tmp_path / "results.json"
    mine.write_text("mine")
    link.symlink_to(mine)
    artifacts.write_json(link, {"x": 1})
    assert mine.read_text() == "mine" and not link.is_symlink()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be"), locked(tmp_path / "file" / "run"):
        pass


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"state": "partial"}', '{"state": 3, "fields": {}}']
)
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "bmn").mkdir()
    (tmp_path / "bmn" / "manifest.json").write_text(text)
    with pytest.raises(UserError, match="damaged"):
        artifacts.read_manifest(tmp_path, "bmn")


def test_litter_of_a_killed_run_is_cleared(tmp_path):
    stage = artifacts.open_stage(tmp_path, "bmn", {"a": 1})
    litter = stage.folder / ".model.pt.123.tmp"
    litter.write_text("half")
    artifacts.open_stage(tmp_path, "bmn", {"a": 1})
    assert not litter.exists()


HOLD = """
import sys, time
from pathlib import Path
from pipeline.run_folder.lock import locked
from pipeline.run_folder.reports import write_report

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_a_dead_one_does_not_block(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(UserError, match=f"process {holder.pid}"), locked(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(tmp_path):
        pass


def test_a_manifest_of_before_a_key_existed_stays_valid(tmp_path):
    """A field it lacks counts as its default, which does what was done then; any other value is a difference."""
    config = load_config(find_config("demo"))
    new = setting_fields(config, "bmn")
    keys = ("bmn.regression", "bmn.positions", "dataset.hold_out")
    old = {key: value for key, value in new.items() if key not in keys}
    stage = artifacts.open_stage(tmp_path, "bmn", old)
    (stage.folder / "model.pt").write_text("weights")
    stage.finish({})
    opened = artifacts.open_stage(tmp_path, "bmn", new, restate=restated)
    assert opened.complete and opened.fingerprint == stage.fingerprint
    assert not artifacts.why_again(tmp_path, "bmn", new, restated)
    other = new | {"bmn.regression": True}
    assert "bmn.regression: False -> True" in artifacts.why_again(tmp_path, "bmn", other, restated)
    with pytest.raises(UserError, match="bmn.regression: False -> True"):
        artifacts.open_stage(tmp_path, "bmn", other, restate=restated)
    assert artifacts.follow_stage(tmp_path, "bmn", new, restate=restated).fingerprint == (
        stage.fingerprint
    )


def test_every_optional_key_has_its_default():
    fields, config = default_fields(), load_config(find_config("ek100"))
    for stage in ("finetune", "extract", "bmn", "bmn/proposals", "classify"):
        missing = setting_fields(config, stage).keys() - fields.keys()
        assert all(key.split(".")[-1] in REQUIRED for key in missing), missing
    assert fields["finetune.augment.mixup"] == 0 and fields["extract.crop"] == "whole"
