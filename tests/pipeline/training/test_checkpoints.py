"""Checkpoints and weights: put back as they were, of one training alone, and refused in one line."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
import torch
from helpers.tiny_training import TinyStage, batches_of, network, settings_of
from torch import nn

from pipeline.errors import UserError
from pipeline.training.checkpoints import (
    Checkpoint,
    Position,
    load_state,
    load_weights,
    save_state,
    save_weights,
    training_identity,
)
from pipeline.training.loop import fit
from pipeline.training.task import Task

STEPS, EPOCHS = 3, 2
CPU = torch.device("cpu")


def train(folder, fingerprint="f", samples="s"):
    def loss(model, batch, generator):
        return {"total": model(batch["x"]).square().mean()}

    model, stage = network(), TinyStage(folder, fingerprint)
    task = Task("t", batches_of(STEPS, EPOCHS, ("a",)), loss, STEPS, {"samples": samples})
    fit(model, task, settings_of(EPOCHS), stage, CPU)
    return stage.checkpoint


def changed(path, change):
    content = torch.load(path, weights_only=True) | change
    torch.save({key: value for key, value in content.items() if value is not None}, path)


def test_position_and_states_are_put_back(tmp_path):
    model, other = network(), network()
    nn.init.zeros_(other[0].weight)
    position = Position(1, 2, [{"epoch": 1, "total": 0.5}], {"total": 0.25})
    parts = {"model": model, "none": None}
    Checkpoint(tmp_path / "c.pt", "f", parts).save(position)
    assert set(load_state(tmp_path / "c.pt")) == {
        "epoch", "step", "history", "sums", "fingerprint", "model",
    }  # fmt: skip
    again = Checkpoint(tmp_path / "c.pt", "f", {"model": other, "none": None})
    assert again.restore(CPU, STEPS) == position
    assert torch.equal(other[0].weight, model[0].weight)


def test_without_a_file_it_is_the_start(tmp_path):
    found = Checkpoint(tmp_path / "c.pt", "f", {"model": network()}).restore(CPU, STEPS)
    assert found == Position(0, 0, [], {})


def test_what_a_checkpoint_belongs_to_is_the_digest_of_its_stage_and_samples():
    """As checkpoints that are already on disks say it."""
    fields = {"stage": "f", "samples": "s", "judges": "j"}
    expected = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    assert training_identity("f", {"samples": "s", "judges": "j"}) == expected
    assert training_identity("f", {"judges": "j", "samples": "s"}) == expected
    assert training_identity("f", {"samples": "s"}) != expected


@pytest.mark.parametrize("other", [{"fingerprint": "g"}, {"samples": "t"}])
def test_a_checkpoint_of_other_settings_or_samples_is_refused(tmp_path, other):
    train(tmp_path)
    with pytest.raises(UserError, match="other settings or samples") as caught:
        train(tmp_path, **other)
    assert "\n" not in caught.value.message
    train(tmp_path)


def test_a_checkpoint_beyond_the_steps_of_an_epoch_is_refused(tmp_path):
    changed(train(tmp_path), {"epoch": 1, "step": STEPS + 1})
    with pytest.raises(UserError, match="other settings or samples") as caught:
        train(tmp_path)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("content", [b"", b"text", b"\x80\x04K\x01.", b"PK\x03\x04 broken"])
def test_a_damaged_checkpoint_is_one_line(tmp_path, content):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(UserError, match="checkpoint.pt") as caught:
        train(tmp_path)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "change", [{"model": {}}, {"optimizer": 3}, {"epoch": None}, {"sums": None}]
)
def test_a_checkpoint_of_another_form_is_one_line(tmp_path, change):
    changed(train(tmp_path), change)
    with pytest.raises(UserError, match="not a checkpoint of this training") as caught:
        train(tmp_path)
    assert "\n" not in caught.value.message


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "c.pt"
    torch.save({"model": Code()}, path)
    with pytest.raises(UserError, match="not a usable checkpoint"):
        load_state(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("content", "said"), [(None, "no such file"), ([1], "not a checkpoint")])
def test_what_is_no_state_is_one_line(tmp_path, content, said):
    path = tmp_path / "c.pt"
    if content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=said) as caught:
        load_state(path)
    assert "\n" not in caught.value.message


def test_weights_are_put_back_and_others_refused(tmp_path):
    model, other = network(), network()
    nn.init.zeros_(other[0].weight)
    save_weights(model, tmp_path / "new" / "model.pt")
    load_weights(other, tmp_path / "new" / "model.pt")
    assert torch.equal(other[0].weight, model[0].weight)
    for content in ({"model": nn.Linear(2, 2).state_dict()}, {"weights": {}}, {"model": 3}):
        save_state(tmp_path / "w.pt", content)
        with pytest.raises(UserError, match="not the weights of this configuration") as caught:
            load_weights(other, tmp_path / "w.pt")
        assert "\n" not in caught.value.message
