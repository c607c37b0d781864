"""The classifier: its initial weights, batch norms that are kept as loaded, its input and its loss."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.threads import several_threads
from helpers.tiny_training import TinyStage
from torch import nn

from feature_extraction.backbones import build_backbone
from feature_extraction.backbones.activation_checkpointing import checkpoint_activations
from feature_extraction.backbones.blocks import Bottleneck
from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.settings import BackboneSettings
from pipeline.errors import UsageError, UserError
from pipeline.processes import distributed
from pipeline.training.checkpoints import save_weights
from pipeline.training.loop import fit
from pipeline.training.mixing import draw_mix, mixed, mixed_loss
from pipeline.training.networks.classifier import (
    SharedClassifier,
    class_probabilities,
    classification_loss,
    classifier_loss,
    freeze_norms,
    load_classifier,
    network_input,
    new_classifier,
    untrained_classifier,
)
from pipeline.training.optimisation import build_optimizer
from pipeline.training.task import Task

CPU = torch.device("cpu")
NORM = nn.modules.batchnorm._BatchNorm
NARROW = {"name": "tada2d", "width": 8}


def test_a_public_checkpoint_is_loaded_and_said(reference, tmp_path, capsys):
    arrays = reference("tada2d.npz")
    state = {
        k.removeprefix("state/"): torch.from_numpy(v)
        for k, v in arrays.items()
        if k.startswith("state/")
    }
    path = tmp_path / "public.pth"
    torch.save({"model_state": state}, path)
    model = new_classifier(BackboneSettings(**NARROW, pretrained=str(path)), 10, seed=0)
    assert torch.equal(model.stem.conv.weight[:, :, None], state["backbone.conv1.a.weight"])
    assert f"{len(state)} tensors used" in capsys.readouterr().err
    other = new_classifier(BackboneSettings(**NARROW, pretrained=str(path)), (7, 11), seed=0)
    assert torch.equal(other.stem.conv.weight, model.stem.conv.weight)
    said = capsys.readouterr().err
    assert "2 not used" in said and "head.out.weight" in said and "left at random" in said


def test_torchvision_weights_are_loaded_from_a_file(tmp_path, capsys):
    from torchvision.models import resnet50

    torch.manual_seed(1)
    state = resnet50().state_dict()
    path = tmp_path / "resnet50.pth"
    torch.save(state, path)
    model = new_classifier(BackboneSettings(name="tsn", pretrained=str(path)), 5, seed=0)
    assert torch.equal(model.stem.conv.weight, state["conv1.weight"])
    assert "fc.weight" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "text", "code", "foreign", "empty"])
def test_files_that_are_no_weights_are_one_line(tmp_path, kind):
    class Code:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "weights.pth"
    if kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.touch()
    elif kind != "missing":
        torch.save({"x": Code()} if kind == "code" else {"x": torch.zeros(3)}, path)
    with pytest.raises(UserError) as caught:
        new_classifier(BackboneSettings(**NARROW, pretrained=str(path)), 10, seed=0)
    assert "weights.pth" in caught.value.message and "\n" not in caught.value.message
    assert not (tmp_path / "ran").exists()


def test_a_runs_weights_of_another_architecture_are_refused(tmp_path):
    save_weights(
        build_backbone("tsn", depth=(1, 1, 1, 1), width=8, num_classes=3),
        tmp_path / "finetune/model.pt",
    )
    settings = BackboneSettings(name="tada2d", depth=(1, 1, 1, 1), width=8)
    with pytest.raises(UserError, match="not the weights of this configuration"):
        load_classifier(settings, 3, tmp_path, torch.device("cpu"))


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


def finetune_settings(**keys):
    """Two epochs at a rate of 0.1 that falls."""
    fields = {"epochs": 2, "warmup_epochs": 0, "base_lr": 0.1, "base_batch": None} | keys
    assignments = {f"finetune.{key}": value for key, value in fields.items()}
    return load_config(find_config("hacs"), assignments).finetune


def train(folder, **options):
    model = loaded()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    if options.pop("activation_checkpointing", False):
        checkpoint_activations(m for m in model.modules() if isinstance(m, Bottleneck))
    whole = SharedClassifier(model, freeze_norm=True)
    checked = []

    def loss(model, batch, generator):
        return {"total": model(batch["x"]).square().mean()}

    def validate(model):
        assert not any(module.training for module in model.modules())
        checked.append(model)
        return {}

    task = Task("finetune", batches, loss, 2, {}, validate)
    fit(whole, task, finetune_settings(**options), TinyStage(folder), CPU)
    assert len(checked) == 2
    return before, model


@pytest.mark.parametrize("options", [{}, {"ema_decay": 0.9}, {"activation_checkpointing": True}])
def test_loaded_norms_stay_and_new_ones_and_the_rest_are_trained(tmp_path, options):
    before, model = train(tmp_path, **options)
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
    _, plain = train(tmp_path / "a")
    _, again = train(tmp_path / "b", activation_checkpointing=True)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, msg=key)


def test_frozen_norms_are_no_parameters_of_the_optimizer():
    model = loaded()
    names = freeze_norms(model)
    groups = build_optimizer(model, finetune_settings()).param_groups
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


def test_random_initial_weights_have_no_norm_to_keep():
    model = build_backbone("tsn", depth=(1, 1, 1, 1), width=8, num_classes=3)
    with pytest.raises(UserError, match="freeze_norm: .* set backbone.pretrained") as caught:
        SharedClassifier(model, freeze_norm=True)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": "resnet"}, "backbone.name = 'resnet': choose one of"),
        ({"tada_stages": (9,)}, "backbone: tada_stages are some of 2 to 5"),
        ({"name": "tsn", "proportion": 0.5}, "backbone: tsn has no TAdaConv: proportion"),
        ({"kernels": (2, 3)}, "backbone: "),
    ],
)
def test_a_network_that_cannot_be_is_one_line_of_usage(keys, said):
    with pytest.raises(UsageError) as caught:
        untrained_classifier(BackboneSettings(**NARROW | keys), 3)
    assert caught.value.message.startswith(said) and "\n" not in caught.value.message


def test_the_input_is_normalised_channel_by_channel():
    frames = torch.randint(0, 256, (2, 5, 3, 4, 6), dtype=torch.uint8)
    settings = BackboneSettings(mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0))
    found = network_input(frames, settings)
    assert found.shape == (2, 3, 5, 4, 6) and found.dtype == torch.float32
    for channel, (mean, std) in enumerate(zip(settings.mean, settings.std, strict=True)):
        expected = (frames[:, :, channel].double() / 255 - mean) / std
        torch.testing.assert_close(found[:, channel].double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("classes", [4, (3, 5)])
def test_probabilities_of_features_are_those_of_the_clips(classes):
    settings = BackboneSettings(name="tsn", depth=(1, 1, 1, 1), width=8)
    model = new_classifier(settings, classes, seed=1).eval()
    clips = torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features, logits = model.features(clips).numpy(), model(clips)
    logits = logits if isinstance(logits, tuple) else (logits,)
    found = class_probabilities(model, features, CPU)
    for head, expected in zip(found, logits, strict=True):
        np.testing.assert_allclose(head, expected.softmax(1).numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(head.sum(1), 1, rtol=1e-5)


def test_no_digit_of_a_probability_depends_on_the_number_of_threads():
    settings = BackboneSettings(name="tsn", depth=(1, 1, 1, 1), width=64)
    model = new_classifier(settings, 200, seed=1).eval()
    features = np.random.default_rng(0).normal(size=(300, 2048)).astype(np.float32)
    found = []
    for threads in (1, 2, 8):
        with several_threads(threads):
            found.append([class_probabilities(model, features[:n], CPU)[0] for n in (7, 300)])
    for other in found[1:]:
        for mine, first in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(mine, first)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_that_of_smoothed_labels_summed_over_heads(smoothing):
    verb, noun = torch.randn(3, 4), torch.randn(3, 5)
    target = torch.tensor([[0, 4], [3, 1], [2, 2]])
    expected = torch.zeros(())
    for head, column in ((verb, target[:, 0]), (noun, target[:, 1])):
        classes = head.shape[1]
        soft = F.one_hot(column, classes) * (1 - smoothing) + smoothing / classes
        expected = expected - (soft * head.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(classification_loss((verb, noun), target, smoothing), expected)
    one = classification_loss(verb, target[:, :1], smoothing)
    rest = classification_loss(noun, target[:, 1:], smoothing)
    torch.testing.assert_close(one + rest, expected)


@pytest.mark.parametrize("alpha", [0.0, 0.8])
def test_the_loss_of_a_batch_is_that_of_its_clips_mixed_or_not(alpha):
    backbone = BackboneSettings(name="tsn", depth=(1, 1, 1, 1), width=8, dropout=0.0)
    settings = finetune_settings(**{"augment.mixup": alpha, "label_smoothing": 0.1})
    model = new_classifier(backbone, 3, seed=0).eval()
    frames = torch.randint(0, 256, (4, 2, 3, 32, 32), dtype=torch.uint8)
    batch = {"clip": frames, "target": torch.tensor([[0], [1], [2], [1]])}
    found = classifier_loss(backbone, settings)(model, batch, torch.Generator().manual_seed(5))
    video = network_input(frames, backbone)
    mix = draw_mix(video, settings.augment, torch.Generator().manual_seed(5))
    if mix is None:
        expected = classification_loss(model(video), batch["target"], 0.1)
    else:
        expected = mixed_loss(model(mixed(video, mix)), batch["target"], mix, 0.1)
    assert (mix is None) == (alpha == 0) and list(found) == ["total"]
    torch.testing.assert_close(found["total"], expected)
