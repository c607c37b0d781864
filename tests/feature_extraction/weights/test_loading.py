"""Loading public and ImageNet weights: used in full, or refused in one line."""

from __future__ import annotations

import pickle
import socket

import pytest
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

from feature_extraction.backbones import build_backbone
from feature_extraction.weights import (
    CheckpointError,
    imagenet_state,
    load_imagenet,
    load_public_checkpoint,
    read_checkpoint,
    weights_digest,
)

BLOCKS = (1, 2, 1, 1)


def small(name="tada2d", num_classes=5, **options):
    torch.manual_seed(options.pop("seed", 0))
    return build_backbone(name, depth=BLOCKS, width=8, num_classes=num_classes, **options)


@pytest.fixture(scope="module")
def public(reference):
    vectors = reference("tada2d.npz")
    return {
        key.removeprefix("state/"): torch.from_numpy(value)
        for key, value in vectors.items()
        if key.startswith("state/")
    }


@pytest.fixture(scope="module")
def public_pair(reference):
    vectors = reference("tada2d_verb_noun.npz")
    return {
        key.removeprefix("state/"): torch.from_numpy(value)
        for key, value in vectors.items()
        if key.startswith("state/")
    }


def fresh(num_classes, seed=1):
    torch.manual_seed(seed)
    return build_backbone("tada2d", width=8, num_classes=num_classes)


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 300
    return text


def test_every_public_tensor_is_used_once(public, public_pair):
    for state, classes in ((public, 10), (public_pair, (7, 11))):
        model = fresh(classes)
        report = load_public_checkpoint(model, state)
        assert set(report.used) == set(state) and not report.unused and not report.missing
        assert not report.swapped_head
        total = sum(float(value.double().sum()) for value in state.values())
        assert sum(float(v.double().sum()) for v in model.state_dict().values()) == pytest.approx(
            total, rel=1e-9
        )


def test_wrapped_and_prefixed_checkpoints_load_alike(public):
    plain, wrapped = fresh(10), fresh(10, seed=2)
    load_public_checkpoint(plain, public)
    inner = {f"module.{key}": value for key, value in public.items()}
    report = load_public_checkpoint(wrapped, {"epoch": 3, "cfg": "...", "model_state": inner})
    assert not report.missing and weights_digest(plain) == weights_digest(wrapped)


@pytest.mark.parametrize("classes", [12, (10, 3), (7, 11)])
def test_another_head_is_swapped(public, classes):
    model = fresh(classes)
    before = [c.weight.clone() for c in model.head.classifiers]
    report = load_public_checkpoint(model, public)
    assert report.swapped_head and set(report.unused) == {"head.out.weight", "head.out.bias"}
    assert report.missing and all(key.startswith("head.") for key in report.missing)
    assert all(
        torch.equal(c.weight, b) for c, b in zip(model.head.classifiers, before, strict=True)
    )
    assert torch.equal(model.stem.norm.weight, public["backbone.conv1.a_bn.weight"])


def test_a_pair_does_not_fill_a_single_head(public_pair):
    report = load_public_checkpoint(fresh(7), public_pair)
    assert report.swapped_head and len(report.unused) == 4
    own_pair = small(num_classes=(5, 6)).state_dict()
    assert load_public_checkpoint(small(num_classes=5), own_pair).swapped_head


def test_a_headless_checkpoint_keeps_our_head(public):
    state = {key: value for key, value in public.items() if not key.startswith("head.")}
    report = load_public_checkpoint(fresh(10), state)
    assert report.swapped_head and not report.unused and len(report.missing) == 2


def test_our_own_state_loads_back():
    ours, other = small(seed=1), small(seed=2)
    report = load_public_checkpoint(other, {"model": ours.state_dict()})
    assert not (report.unused or report.missing or report.swapped_head)
    assert weights_digest(ours) == weights_digest(other)


def test_public_tsn_loads_into_tsn(public):
    calibration = ("b_rf", "b_avgpool_bn")
    state = {k: v for k, v in public.items() if not any(part in k for part in calibration)}
    for key in state:
        if key.endswith("conv_branch.b.weight"):
            state[key] = state[key][0, 0].unsqueeze(2)
    model = build_backbone("tsn", width=8, num_classes=10)
    report = load_public_checkpoint(model, state)
    assert not (report.unused or report.missing or report.swapped_head)


def test_refuses_what_does_not_fit(public):
    model = fresh(10)
    before = weights_digest(model)
    some_key = "backbone.conv3.res_2.conv_branch.b_rf.g.weight"
    lacking = {key: value for key, value in public.items() if key != some_key}
    wrong = {**public, some_key: torch.zeros(16, 15, 1, 1, 1)}
    extra = {**public, "backbone.conv3.res_2.conv_branch.d.weight": torch.zeros(3)}
    torchvision = {"conv1.weight": torch.zeros(1), "layer1.0.conv1.weight": torch.zeros(1)}
    for state, words in (
        (lacking, "missing from the checkpoint: stages.1.1.conv.route.g.weight"),
        (wrong, "conv3.res_2.conv_branch.b_rf.g.weight has shape"),
        (extra, "that the network does not have: backbone.conv3.res_2.conv_branch.d.weight"),
        (torchvision, "use load_imagenet"),
        ({"encoder.weight": torch.zeros(2)}, "no key of the checkpoint belongs to the network"),
        ({"epoch": 3}, "holds no tensors, only epoch"),
    ):
        with pytest.raises(CheckpointError) as error:
            load_public_checkpoint(model, state)
        assert words in one_line(error)
    assert weights_digest(model) == before


def test_refuses_another_architecture(public):
    with pytest.raises(CheckpointError, match="that the network does not have"):
        load_public_checkpoint(build_backbone("tsn", width=8, num_classes=10), public)
    with pytest.raises(CheckpointError, match="that the network does not have"):
        load_public_checkpoint(small("tsn"), small("tada2d").state_dict())
    with pytest.raises(CheckpointError, match="missing from the checkpoint"):
        load_public_checkpoint(small("tada2d"), small("tsn").state_dict())
    with pytest.raises(CheckpointError, match="that the network does not have"):
        load_public_checkpoint(small(), public)


class TorchvisionTwin(ResNet):
    """torchvision's ResNet without the max pool, as Appendix B has it: stage 1 strides instead."""

    def __init__(self) -> None:
        super().__init__(Bottleneck, list(BLOCKS), num_classes=5)
        self.maxpool = nn.Identity()
        self.layer1[0].conv2.stride = self.layer1[0].downsample[0].stride = (2, 2)


@pytest.mark.parametrize("name", ["tsn", "tada2d"])
def test_imagenet_weights_give_torchvisions_features(name):
    torch.manual_seed(0)
    image_net = TorchvisionTwin().eval()
    for module in image_net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.8, 1.2)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    image_net.fc = nn.Identity()
    state = {**image_net.state_dict(), "fc.weight": torch.zeros(5, 2048), "fc.bias": torch.zeros(5)}
    model = build_backbone(name, depth=BLOCKS, num_classes=4).eval()
    report = load_imagenet(model, state)
    assert set(report.unused) == {"fc.weight", "fc.bias"} and report.swapped_head
    assert all(
        key.startswith("head.") or ".route." in key or ".pooled_norm." in key
        for key in report.missing
    )
    image = torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        torch.testing.assert_close(
            model.features(torch.stack([image, image], 2)), image_net(image), rtol=1e-4, atol=1e-5
        )


def test_imagenet_is_strict():
    state = TorchvisionTwin().state_dict()
    model = build_backbone("tsn", depth=BLOCKS, num_classes=4)
    lacking = {key: value for key, value in state.items() if key != "layer2.1.bn2.weight"}
    with pytest.raises(CheckpointError, match="stages.1.1.aggregate.norm.weight"):
        load_imagenet(model, lacking)
    with pytest.raises(CheckpointError, match="no parameters for the ImageNet weights layer9.0"):
        load_imagenet(model, {**state, "layer9.0.conv1.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="conv1.weight has shape"):
        load_imagenet(small("tsn"), state)


def test_imagenet_state_from_a_file_or_a_clear_error(tmp_path, monkeypatch):
    path = tmp_path / "resnet50.pth"
    torch.save({"conv1.weight": torch.ones(2)}, path)
    assert torch.equal(imagenet_state(path)["conv1.weight"], torch.ones(2))
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        imagenet_state(tmp_path / "absent.pth")

    waits = []

    def offline(*arguments, **options):
        waits.append(socket.getdefaulttimeout())
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"\(no network\): download https://.*resnet50"):
        imagenet_state(None)
    assert waits == [60.0] and socket.getdefaulttimeout() is None, (
        "no server is waited for for ever"
    )
    with pytest.raises(CheckpointError, match="depth 26"):
        imagenet_state(None, depth=26)


class Code:
    """Unpickling it would make a file; reading it must not."""

    def __reduce__(self):
        return open, ("ran.txt", "w")


def test_reads_tensors_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.ones(1000)}, "good.pt")
    whole = (tmp_path / "good.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pt").write_text("not a checkpoint")
    (tmp_path / "code.pkl").write_bytes(pickle.dumps(Code(), protocol=2))
    torch.save({"model_state": Code()}, "code.pt")
    torch.save(torch.ones(3), "tensor.pt")
    assert torch.equal(read_checkpoint("good.pt")["a"], torch.ones(1000))
    for name, words in (
        ("absent.pt", "no such checkpoint file"),
        (".", "is a folder"),
        ("cut.pt", "damaged"),
        ("empty.pt", "damaged"),
        ("text.pt", "damaged"),
        ("code.pkl", "never run"),
        ("code.pt", "never run"),
        ("tensor.pt", "holds a Tensor"),
    ):
        with pytest.raises(CheckpointError) as error:
            read_checkpoint(name)
        text = one_line(error)
        assert words in text and text.startswith(name)
    assert not (tmp_path / "ran.txt").exists()


def test_the_digest_follows_values_and_nothing_else():
    model = small()
    digest = weights_digest(model)
    assert len(digest) == 64 and digest == weights_digest(small())
    assert digest == weights_digest(small().to(memory_format=torch.channels_last))
    model.stem.norm.num_batches_tracked += 1
    assert digest == weights_digest(model)
    model.stem.norm.running_mean[0] += 1e-6
    assert digest != weights_digest(model)
    assert digest != weights_digest(small(seed=1))


def test_a_slowfast_of_before_its_connections_had_their_name_has_the_same_digest():
    """Features say by which weights they were made; a name that changes must not make them another's."""
    torch.manual_seed(0)
    model = build_backbone("slowfast_8x8_tada", num_classes=5, depth=(1, 1, 1, 1), width=8)
    assert any(name.startswith("lateral.") for name in model.state_dict())
    # words: ok
    former = {k.replace("lateral.", "joints."): v for k, v in model.state_dict().items()}
    again = build_backbone("slowfast_8x8_tada", num_classes=5, depth=(1, 1, 1, 1), width=8)
    again.load_state_dict(former)
    assert weights_digest(again) == weights_digest(model)

    class Former(torch.nn.Module):
        def state_dict(self, *_, **__):
            return former

    assert weights_digest(Former()) == weights_digest(model)
