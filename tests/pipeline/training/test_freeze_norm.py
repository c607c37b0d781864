"""Batch norm kept as it was loaded, through every step; new norms are trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from feature_extraction import build_backbone
from feature_extraction.backbones.recompute import recompute_in_backward
from feature_extraction.backbones.resnet import Bottleneck
from pipeline.configuration.reading import find_config, load_config
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.training.classifier import SharedClassifier, freeze_norms
from pipeline.training.loop import fit
from pipeline.training.optimisation import Schedule, build_optimizer

SETTINGS = load_config(find_config("hacs"), {}).finetune
CPU = torch.device("cpu")
NORM = nn.modules.batchnorm._BatchNorm


def loaded() -> nn.Module:
    """A small TAda2D as ImageNet's weights leave it: norms of the routes and BN2 are new."""
    torch.manual_seed(0)
    model = build_backbone(
        "tada2d", depth=(1, 1, 1, 1), width=8, num_classes=3, dropout=0.0, reduction=2
    )
    for name, norm in model.named_modules():
        if isinstance(norm, NORM) and not new(name):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return model


def new(name: str) -> bool:
    return ".route." in name or "pooled_norm" in name


def batches(epoch, step):
    for number in range(epoch * 2 + step, 4):
        generator = torch.Generator().manual_seed(number)
        yield {"x": torch.randn(2, 3, 4, 32, 32, generator=generator), "names": ["a", "b"]}


def train(path, **options):
    model = loaded()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    if options.pop("recompute", False):
        recompute_in_backward(m for m in model.modules() if isinstance(m, Bottleneck))
    whole = SharedClassifier(model, freeze_norm=True)
    checked = []

    def loss(model, batch, generator):
        return {"total": model(batch["x"]).square().mean()}

    def validate(model):
        assert not any(module.training for module in model.modules())
        checked.append(model)
        return {}

    fit(
        whole,
        batches,
        loss,
        optimizer=build_optimizer(whole, SETTINGS),
        schedule=Schedule(0.1, 2),
        steps=2,
        seed=0,
        device=CPU,
        checkpoint=path,
        fingerprint="f",
        validate=validate,
        **options,
    )
    assert len(checked) == 2
    return before, model


@pytest.mark.parametrize("options", [{}, {"average": 0.9}, {"recompute": True}])
def test_loaded_norms_stay_and_new_ones_and_the_rest_are_trained(tmp_path, options):
    before, model = train(tmp_path / "c.pt", **options)
    after = model.state_dict()
    norms = {name for name, module in model.named_modules() if isinstance(module, NORM)}
    assert any(new(name) for name in norms) and not all(new(name) for name in norms)
    for key, value in before.items():
        name = key.rpartition(".")[0]
        if name in norms and not new(name):
            assert torch.equal(after[key], value), key
        elif name in norms and "running" in key:
            assert not torch.equal(after[key], value), key
    assert not torch.equal(after["stem.conv.weight"], before["stem.conv.weight"])


def test_a_recomputed_training_is_the_training(tmp_path):
    _, plain = train(tmp_path / "a.pt")
    _, again = train(tmp_path / "b.pt", recompute=True)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, msg=key)


def test_frozen_norms_are_no_parameters_of_the_optimizer():
    model = loaded()
    names = freeze_norms(model)
    groups = build_optimizer(model, SETTINGS).param_groups
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    for name, module in model.named_modules():
        if isinstance(module, NORM):
            assert (name in names) == (not new(name))
            assert (id(module.weight) in trained) == new(name)


def test_norms_of_several_processes_are_frozen_too(monkeypatch):
    alone = SharedClassifier(loaded(), freeze_norm=True).train()
    monkeypatch.setenv("WORLD_SIZE", "2")
    model = distributed.synchronize_norms(loaded(), CPU)
    shared = SharedClassifier(model, freeze_norm=True).train()
    names = freeze_norms(model)
    assert names == freeze_norms(loaded())
    for name in names:
        ours, theirs = (whole.network.get_submodule(name) for whole in (shared, alone))
        assert isinstance(ours, distributed._SharedNorm) and not ours.training
        given = torch.randn(2, ours.num_features, 4, 4, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(ours(given), theirs(given))


def test_random_start_weights_are_one_line():
    model = build_backbone("tsn", depth=(1, 1, 1, 1), width=8, num_classes=3)
    with pytest.raises(UserError, match="freeze_norm: .* set backbone.pretrained") as caught:
        SharedClassifier(model, freeze_norm=True)
    assert "\n" not in caught.value.message
