"""A training with all augmentations on, killed and resumed, is the unbroken one."""

from __future__ import annotations

import json

import pytest
import torch
from helpers.small_runs import options, tada

from pipeline.training import mixing

ALL = (
    "finetune.augment.color_jitter=0.5", "finetune.augment.rand_augment=[2,9]",
    "finetune.augment.erasing=0.5", "finetune.augment.mixup=0.8", "finetune.augment.cutmix=1.0",
    "finetune.balance=sqrt", "finetune.short_segments=inside", "finetune.label_smoothing=0.1",
    "finetune.epochs=3", "finetune.warmup_epochs=0", "finetune.checkpoint_seconds=0.0001",
)  # fmt: skip


class Killed(BaseException):
    pass


def weights(run):
    return torch.load(run / "finetune/model.pt", weights_only=True)["model"]


def test_resumed_equals_unbroken(data, tmp_path, monkeypatch):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert tada("finetune", *options(data, whole, *ALL)).exit_code == 0
    steps, loss = [], mixing.mixed_loss

    def killed(*arguments):
        steps.append(1)
        if len(steps) == 6:
            raise Killed
        return loss(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(mixing, "mixed_loss", killed)
        with pytest.raises(Killed):
            tada("finetune", *options(data, resumed, *ALL))
    done = tada("finetune", *options(data, resumed, *ALL))
    assert done.exit_code == 0 and "resuming from epoch" in done.output, done.output
    assert "finetune: balance sqrt: an epoch takes about" in done.output
    histories = [(run / "finetune/history.json").read_text() for run in (whole, resumed)]
    assert json.loads(histories[0]) == json.loads(histories[1])
    first, second = weights(whole), weights(resumed)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_pieces_of_a_batch_are_mixed_each(data, tmp_path):
    done = tada(
        "finetune", *options(data, tmp_path / "run", *ALL, "finetune.gradient_accumulation=2")
    )
    assert done.exit_code == 0, done.output


def test_freeze_norm_without_initial_weights_is_one_line(data, tmp_path):
    done = tada("finetune", *options(data, tmp_path / "run", "finetune.freeze_norm=true"))
    assert done.exit_code == 1 and "Traceback" not in done.output
    assert "set backbone.pretrained, or freeze_norm=false" in done.output
