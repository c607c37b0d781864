"""A head that is trained alone: the rest of the network is as in inference, and stays as it was."""

from __future__ import annotations

import pytest
import torch

from pipeline.configuration.settings import BackboneSettings
from pipeline.training.networks.classifier import SharedClassifier, untrained_classifier
from pipeline.training.optimisation import build_optimizer

SMALL = {"name": "tada2d", "depth": [1, 1, 1, 1], "width": 4, "dropout": 0.5}


def shared(**options):
    torch.manual_seed(0)
    return SharedClassifier(untrained_classifier(BackboneSettings(**SMALL), 3), **options)


def test_the_head_alone_has_gradients_and_drops_features(capsys):
    model = shared(head_only=True).train()
    assert "the head alone is trained (backbone.train), 387 weights" in capsys.readouterr().err
    assert not model.network.stem.training and not model.network.training
    assert model.network.head.training and model.network.head.dropout.training
    video = torch.randn(2, 3, 4, 32, 32)
    model(video).square().sum().backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {"network.head.classifiers.0.weight", "network.head.classifiers.0.bias"}
    model.eval()
    assert not model.network.head.training


def test_steps_change_nothing_but_the_head():
    from pipeline.configuration.reading import find_config, load_config

    model = shared(head_only=True).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = build_optimizer(model, load_config(find_config("demo")).finetune)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2
    for _ in range(2):
        model(torch.randn(2, 3, 4, 32, 32)).square().sum().backward()
        optimizer.step()
    changed = {n for n, tensor in model.state_dict().items() if not torch.equal(tensor, before[n])}
    assert changed == {"network.head.classifiers.0.weight", "network.head.classifiers.0.bias"}


@pytest.mark.parametrize("head_only", [True, False])
def test_the_whole_network_is_trained_by_default(head_only):
    trained = [p.requires_grad for p in shared(head_only=head_only).parameters()]
    assert all(trained) == (not head_only) and any(trained)
