"""Networks of torchvision: features before their classifier, TAdaConv put in, checkpoint files."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from feature_extraction.backbones import for_inference
from feature_extraction.backbones.others import (
    describe,
    load_into_published,
    published_backbone,
)
from feature_extraction.published.names import PublishedError
from feature_extraction.weights import CheckpointError

NAME = "torchvision:r3d_18"
LARGE = {"s3d": "classifier", "swin3d_t": "head"}


def made(name: str = NAME, seed: int = 0, **options):
    torch.manual_seed(seed)
    return published_backbone(name, num_classes=3, **options).eval()


@torch.no_grad()
@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18", *LARGE])
def test_features_are_what_its_classifier_is_given(name):
    torch.manual_seed(0)
    theirs = models.get_model(name).eval()
    ours = made(f"torchvision:{name}", seed=1)
    load_into_published(ours, theirs.state_dict())
    side, frames = (224, 16) if name in LARGE else (56, 8)
    video = torch.randn(1, 3, frames, side, side)
    last = "fc" if hasattr(theirs, "fc") else LARGE[name]
    setattr(theirs, last, nn.Identity())
    found = ours.features(video)
    assert found.shape == (1, ours.feature_dim)
    torch.testing.assert_close(found, theirs(video), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_small_clips_go_through_s3d():
    found = made("torchvision:s3d").features(torch.randn(1, 3, 8, 64, 80))
    assert found.shape == (1, 1024) and found.isfinite().all()


@pytest.mark.parametrize("name", models.list_models(module=models.video))
def test_every_network_is_described_and_has_tensors_without_numbers(name):
    takes = describe(f"torchvision:{name}")
    assert takes.mean is not None and takes.std is not None
    with torch.device("meta"):
        model = made(f"torchvision:{name}", takes=takes)
    assert (takes.frames, takes.crop) == ((16, 224) if "mvit" in name else (None, None))
    assert model.head.classifiers[0].in_features == model.feature_dim


def test_mvit_takes_its_own_clip_alone():
    with torch.device("meta"):
        model = made("torchvision:mvit_v2_s")
        with pytest.raises(ValueError, match="takes clips of 16 frames, not of 8"):
            model.features(torch.empty(1, 3, 8, 224, 224))


@torch.no_grad()
@pytest.mark.parametrize(
    ("where", "options", "count"),
    [
        ("layer?.*.conv?.0", {}, 16),
        ("layer4.*.conv2.0", {"calibrate": "kernel"}, 2),
        ("stem.0", {"global_context": False, "reduction": 1}, 1),
    ],
)
def test_tadaconv_put_in_changes_nothing_until_it_is_trained(where, options, count):
    plain, tada = made(), made(insert=where, calibration=options)
    routes = [name for name, _ in tada.named_modules() if name.endswith(".route")]
    assert len(routes) == count
    load_into_published(tada, plain.state_dict())
    video = torch.randn(1, 3, 4, 32, 32)
    torch.testing.assert_close(tada.features(video), plain.features(video), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        for_inference(tada).features(video), plain.features(video), rtol=1e-4, atol=1e-5
    )


def test_tadaconv_is_trained():
    model = made(insert="layer4.*.conv2.0").train()
    video = torch.randn(2, 3, 4, 32, 32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(video).square().sum().backward()
        optimizer.step()
    assert model.network.layer4[0].conv2[0].route.b.weight.abs().sum() > 0


def test_a_pattern_that_fits_nothing_and_a_kernel_that_cannot_be_calibrated_are_refused():
    with pytest.raises(PublishedError, match=r"no convolution matches 'nothing\*'"):
        made(insert="nothing*")
    with pytest.raises(PublishedError, match="torchvision:swin3d_t: network|patch_embed"):
        made("torchvision:swin3d_t", insert="patch_embed.*")


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(PublishedError, match="did you mean r3d_18"):
        made("torchvision:r3d18")
    with pytest.raises(PublishedError, match="choose one of mc3_18"):
        made("torchvision:zzz")
    with pytest.raises(PublishedError, match="applies to hf: networks only"):
        made(tokens="first")
    with pytest.raises(PublishedError, match="no weights 'imagenet'"):
        made(weights="imagenet")


def test_a_checkpoint_fills_the_network_or_is_refused():
    theirs, ours = models.get_model("r3d_18"), made()
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    state = dict(theirs.state_dict())
    lacking = {key: value for key, value in state.items() if key != "stem.0.weight"}
    with pytest.raises(
        CheckpointError, match=r"missing from the checkpoint: network\.stem\.0\.weight"
    ):
        load_into_published(ours, lacking)
    with pytest.raises(CheckpointError, match="the network does not have: more"):
        load_into_published(ours, state | {"more": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"stem\.0\.weight has shape"):
        load_into_published(ours, state | {"stem.0.weight": torch.zeros(3)})
    with pytest.raises(CheckpointError, match="no key of the checkpoint"):
        load_into_published(ours, {"a": torch.zeros(1)})
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())
    report = load_into_published(ours, {"state_dict": state})
    assert report.unused == ("fc.weight", "fc.bias") and report.swapped_head
    assert torch.equal(ours.network.stem[0].weight, theirs.stem[0].weight)


def test_a_network_trained_here_is_taken_whole_and_its_head_where_it_fits():
    trained = made(insert="layer1.0.conv1.0")
    with torch.no_grad():
        trained.network.layer1[0].conv1[0].route.b.weight.fill_(0.5)
    again = made(seed=1, insert="layer1.0.conv1.0")
    report = load_into_published(again, trained.state_dict())
    assert not report.swapped_head and not report.unused
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, trained.state_dict()[name]), name
    other = published_backbone(NAME, num_classes=(2, 5), insert="layer1.0.conv1.0")
    assert load_into_published(other, trained.state_dict()).swapped_head
