"""Networks of timm over frames: the mean of what timm gives for each."""

from __future__ import annotations

import sys

import pytest
import timm
import torch

from feature_extraction.backbones.others import (
    describe,
    load_into_published,
    published_backbone,
)
from feature_extraction.published.names import PublishedError, parse_name


def made(name: str, seed: int = 0, **options):
    torch.manual_seed(seed)
    return published_backbone(f"timm:{name}", num_classes=3, **options).eval()


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("resnet18", 64),
        ("mobilenetv3_small_050", 64),
        ("vit_tiny_patch16_224", 224),
        ("convnext_atto", 64),
    ],
)
def test_features_are_the_mean_of_the_frames(name, side):
    torch.manual_seed(1)
    theirs = timm.create_model(name, num_classes=10).eval()
    ours = made(name)
    report = load_into_published(ours, theirs.state_dict())
    assert all(key.startswith(("fc.", "head.", "classifier.")) for key in report.unused)
    theirs.reset_classifier(0)
    video = torch.randn(2, 3, 3, side, side)
    wanted = torch.stack([theirs(video[:, :, t]) for t in range(3)]).mean(0)
    found = ours.features(video)
    assert found.shape == (2, ours.feature_dim)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_sizes_and_colours_are_those_of_timms_data():
    vit = describe("timm:vit_base_patch16_clip_224.openai")
    assert (vit.crop, vit.short_side, vit.frames) == (224, 248, None)
    assert vit.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    free = describe("timm:resnet18")
    assert (free.crop, free.short_side) == (None, None) and free.mean == (0.485, 0.456, 0.406)


@torch.no_grad()
def test_tadaconv_sees_the_frames_of_each_clip():
    plain, tada = made("resnet18"), made("resnet18", insert="layer?.*.conv2")
    load_into_published(tada, plain.state_dict())
    for frames in (4, 2):
        video = torch.randn(2, 3, frames, 32, 32)
        torch.testing.assert_close(
            tada.features(video), plain.features(video), rtol=1e-4, atol=1e-5
        )
    for module in tada.modules():
        if hasattr(module, "route"):
            torch.nn.init.normal_(module.route.b.weight, std=0.02)
        elif isinstance(module, torch.nn.BatchNorm2d):  # timm's last of a block begin at zero
            torch.nn.init.ones_(module.weight)
    video = torch.randn(2, 3, 4, 32, 32)
    together, alone = tada.features(video), tada.features(video[:1])
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)
    reverse = tada.features(video.flip(2))  # now the order of frames counts
    assert not torch.allclose(together, reverse, rtol=1e-3)
    torch.testing.assert_close(
        plain.features(video), plain.features(video.flip(2)), rtol=1e-4, atol=1e-5
    )


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(PublishedError, match="did you mean resnet18"):
        made("resnet_18")
    with pytest.raises(PublishedError, match=r"did you mean resnet18\.a1_in1k"):
        made("resnet18.a1_in1kk")
    with pytest.raises(PublishedError, match="has no revisions"):
        describe("timm:resnet18", "main")


def test_weights_that_cannot_be_had_are_one_line(monkeypatch):
    import huggingface_hub

    def refused(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refused)
    with pytest.raises(
        PublishedError, match=r"could not be downloaded \(no network\): fetch https"
    ):
        made("resnet18", weights="published")


def test_published_weights_are_those_of_the_file(monkeypatch, tmp_path):
    import huggingface_hub
    from safetensors.torch import save_file

    torch.manual_seed(3)
    theirs = timm.create_model("resnet18")
    save_file(theirs.state_dict(), path := tmp_path / "model.safetensors")
    asked = []
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda *given: asked.append(given) or str(path)
    )
    model = made("resnet18", weights="published")
    assert asked == [("timm/resnet18.a1_in1k", "model.safetensors")]
    assert torch.equal(model.network.conv1.weight, theirs.conv1.weight)


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    assert parse_name("timm:resnet18") is not None
    with pytest.raises(PublishedError, match=r"pip install timm \(the extra timm\)"):
        describe("timm:resnet18")
