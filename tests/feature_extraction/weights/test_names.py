"""Initial weights of every network: ImageNet's inflated, and public checkpoints by their own names."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from feature_extraction.backbones import BACKBONES, build_backbone
from feature_extraction.weights import (
    CheckpointError,
    load_imagenet,
    load_public_checkpoint,
    read_checkpoint,
    weights_digest,
)

BLOCKS = (1, 2, 1, 1)
WIDTH = 16


def small(name: str, seed: int = 0, **options) -> nn.Module:
    torch.manual_seed(seed)
    options = {"depth": BLOCKS, "width": WIDTH, "num_classes": 5, **options}
    return build_backbone(name, **options)


def norm(name: str, channels: int) -> dict[str, Tensor]:
    values = {leaf: torch.rand(channels) for leaf in ("weight", "bias", "running_mean")}
    values["running_var"] = torch.rand(channels) + 0.5
    values["num_batches_tracked"] = torch.tensor(7)
    return {f"{name}.{leaf}": value for leaf, value in values.items()}


def layer(conv: str, bn: str, outputs: int, inputs: int, *kernel: int) -> dict[str, Tensor]:
    return {f"{conv}.weight": torch.randn(outputs, inputs, *kernel), **norm(bn, outputs)}


def pathway(
    stem: dict, block, width: int, taps: tuple[int, ...], joined: tuple[int, ...]
) -> dict[str, Tensor]:
    """One pathway's tensors; block(stage, number, part) gives the names of a layer and its norm."""
    state, channels = dict(stem), width
    for stage, count in enumerate(BLOCKS):
        channels, inner = channels + joined[stage], width * 2**stage
        for number in range(count):
            if number == 0:
                state |= layer(*block(stage, number, "shortcut"), inner * 4, channels, 1, 1, 1)
            state |= layer(*block(stage, number, "a"), inner, channels, taps[stage], 1, 1)
            state |= layer(*block(stage, number, "b"), inner, inner, 1, 3, 3)
            state |= layer(*block(stage, number, "c"), inner * 4, inner, 1, 1, 1)
            channels = inner * 4
    return state


def pyslowfast(alpha_reach: int | None) -> dict[str, Tensor]:
    """PySlowFast's names: two pathways, or the slow one alone where there is no reach."""
    torch.manual_seed(5)
    state: dict[str, Tensor] = {}
    narrow, reach = WIDTH // 8, alpha_reach
    fast_channels = (narrow, *(narrow * 4 * 2**stage for stage in range(3)))
    for number, (width, kernel) in enumerate(((WIDTH, 1), (narrow, 5))[: 2 if reach else 1]):

        def block(stage, index, part, number=number):
            name = f"s{stage + 2}.pathway{number}_res{index}."
            name += "branch1" if part == "shortcut" else f"branch2.{part}"
            return name, f"{name}_bn"

        name = f"s1.pathway{number}_stem"
        stem = layer(f"{name}.conv", f"{name}.bn", width, 3, kernel, 7, 7)
        taps = (1, 1, 3, 3) if number == 0 else (3, 3, 3, 3)
        sides = tuple(2 * n for n in fast_channels) if reach and number == 0 else (0,) * 4
        state |= pathway(stem, block, width, taps, sides)
    for stage, channels in enumerate(fast_channels if reach else ()):
        name = f"s{stage + 1}_fuse"
        state |= layer(f"{name}.conv_f2s", f"{name}.bn", 2 * channels, channels, reach, 1, 1)
    features = WIDTH * 32 + (narrow * 32 if reach else 0)
    state["head.projection.weight"] = torch.randn(5, features)
    state["head.projection.bias"] = torch.randn(5)
    return state


def tadaconv_code(reach: int) -> dict[str, Tensor]:
    """A SlowFast under the names of TAdaConv's code: the tensors of PySlowFast's, renamed."""
    renamed = {}
    for key, value in pyslowfast(reach).items():
        for number, path in enumerate(("slow", "fast")):
            key = key.replace(f"s1.pathway{number}_stem.conv.", f"backbone.{path}_conv1.a.")
            key = key.replace(f"s1.pathway{number}_stem.bn.", f"backbone.{path}_conv1.a_bn.")
            for stage in range(2, 6):
                for block in reversed(range(3)):
                    old = f"s{stage}.pathway{number}_res{block}."
                    key = key.replace(old, f"backbone.{path}_conv{stage}.res_{block + 1}.")
        for stage in range(1, 5):
            key = key.replace(f"s{stage}_fuse.conv_f2s", f"s{stage}_fuse.conv_fast_to_slow")
            key = key.replace(f"s{stage}_fuse.", f"backbone.slowfast_fusion{stage}.")
        key = key.replace("branch1", "short_cut").replace("branch2", "conv_branch")
        renamed[key.replace("head.projection", "head.out")] = value
    return renamed


def same(ours: Tensor, theirs: Tensor) -> bool:
    return torch.equal(ours, theirs.reshape(ours.shape))


@pytest.mark.parametrize(("name", "reach"), [("slowfast_4x16", 5), ("slowfast_8x8", 7)])
def test_pyslowfasts_names_load(tmp_path, name, reach):
    state = pyslowfast(reach)
    assert "s2.pathway0_res0.branch2.a_bn.running_mean" in state and "s1_fuse.bn.bias" in state
    path = tmp_path / "slowfast.pyth"
    torch.save({"epoch": 3, "model_state": state}, path)
    model = small(name)
    report = load_public_checkpoint(model, read_checkpoint(path))
    assert set(report.used) == set(state)
    assert not (report.unused or report.missing or report.swapped_head)
    for ours, theirs in (
        (model.slow.stem.conv, "s1.pathway0_stem.conv"),
        (model.fast.stem.conv, "s1.pathway1_stem.conv"),
        (model.fast.stages[1][1].conv, "s3.pathway1_res1.branch2.b"),
        (model.slow.stages[2][0].reduce.conv, "s4.pathway0_res0.branch2.a"),
        (model.slow.stages[3][0].shortcut.norm, "s5.pathway0_res0.branch1_bn"),
        (model.lateral[2].conv, "s3_fuse.conv_f2s"),
        (model.lateral[0].norm, "s1_fuse.bn"),
        (model.head.classifiers[0], "head.projection"),
    ):
        assert same(ours.weight, state[f"{theirs}.weight"]), theirs


def test_both_codes_names_of_one_slowfast_give_one_network():
    one, other = small("slowfast_8x8", 1), small("slowfast_8x8", 2)
    load_public_checkpoint(one, pyslowfast(7))
    state = tadaconv_code(7)
    assert "backbone.slow_conv3.res_2.conv_branch.b_bn.weight" in state
    assert "backbone.slowfast_fusion4.conv_fast_to_slow.weight" in state
    report = load_public_checkpoint(other, {"model_state": state})
    assert not (report.unused or report.missing) and weights_digest(one) == weights_digest(other)


def test_slow_checkpoints_load_into_slowonly():
    model = small("slowonly_8x8")
    state = pyslowfast(None)
    report = load_public_checkpoint(model, state)
    assert not (report.unused or report.missing)
    assert same(model.stages[3][0].reduce.conv.weight, state["s5.pathway0_res0.branch2.a.weight"])
    theirs = {
        key.replace("s1.pathway0_stem.conv.", "backbone.slow_conv1.a."): value
        for key, value in state.items()
    }
    assert not load_public_checkpoint(small("slowonly_8x8"), theirs).missing


def test_epic_kitchens_heads_load():
    state = pyslowfast(7)
    head = {key: state.pop(key) for key in list(state) if key.startswith("head.")}
    width = head["head.projection.weight"].shape[1]
    for name, count in (("projection_verb", 4), ("projection_noun", 6)):
        state[f"head.{name}.weight"], state[f"head.{name}.bias"] = (
            torch.randn(count, width),
            torch.randn(count),
        )
    model = small("slowfast_8x8", num_classes=(4, 6))
    assert not load_public_checkpoint(model, state).swapped_head
    assert torch.equal(model.head.classifiers[1].weight, state["head.projection_noun.weight"])
    report = load_public_checkpoint(small("slowfast_8x8"), state)
    assert report.swapped_head and len(report.unused) == 4


PUBLIC = {
    "reduce.conv": "a",
    "reduce.norm": "a_bn",
    "conv.spatial": "b1",
    "conv.between.norm": "b1_bn",
    "conv.temporal": "b2",
    "conv": "b",
    "expand.conv": "c",
    "expand.norm": "c_bn",
}


def in_public_names(name: str, model: nn.Module) -> dict[str, Tensor]:
    """A model's tensors under the names of TAdaConv's code, written down rule by rule."""
    state = {}
    for key, value in model.state_dict().items():
        owner, _, leaf = key.rpartition(".")
        if owner.startswith("head."):
            owner = "head.out"
        elif owner.startswith("stem."):
            owner = {"stem.conv": "backbone.conv1.a", "stem.norm": "backbone.conv1.a_bn"}[owner]
        else:
            _, stage, block, rest = owner.split(".", 3)
            head = f"backbone.conv{int(stage) + 2}.res_{int(block) + 1}."
            conv, route, part = rest.partition(".route.")
            if route:
                owner = f"{head}conv_branch.{PUBLIC[conv]}_rf.{part}"
            elif rest.startswith("shortcut"):
                owner = head + {"shortcut.conv": "short_cut", "shortcut.norm": "short_cut_bn"}[rest]
            elif rest == "aggregate.norm":
                owner = f"{head}conv_branch.{'b2_bn' if 'r2plus1d' in name else 'b_bn'}"
            else:
                owner = f"{head}conv_branch.{PUBLIC[rest]}"
        state[f"{owner}.{leaf}"] = value.clone()
    return state


@pytest.mark.parametrize(
    "name",
    ["r3d", "r3d_tada", "r2plus1d", "r2plus1d_tada_2d", "r2plus1d_tada_2d1d", "slowonly_8x8_tada"],
)
def test_the_names_of_tadaconvs_code_load(name):
    theirs, ours = small(name, 1), small(name, 2)
    state = in_public_names(name, theirs)
    assert len(state) == len(theirs.state_dict())
    for key in state:  # its convolutions have dummy dimensions
        if key.endswith("conv_branch.a.weight") and state[key].dim() == 4:
            state[key] = state[key].unsqueeze(2)
    report = load_public_checkpoint(ours, state)
    assert not (report.unused or report.missing) and weights_digest(ours) == weights_digest(theirs)
    lacking = dict(state)
    gone = next(key for key in lacking if "res_2.conv_branch" in key and key.endswith("weight"))
    del lacking[gone]
    before = weights_digest(ours)
    with pytest.raises(CheckpointError, match="missing from the checkpoint"):
        load_public_checkpoint(ours, lacking)
    assert weights_digest(ours) == before


def test_another_familys_checkpoint_is_refused():
    models = {name: small(name) for name in BACKBONES}
    states = {name: dict(model.state_dict()) for name, model in models.items()}
    shapes = {name: {key: v.shape for key, v in state.items()} for name, state in states.items()}
    for name, model in models.items():
        for other, state in states.items():
            if shapes[other] != shapes[name]:
                with pytest.raises(CheckpointError):
                    load_public_checkpoint(model, state)
    for name, reach in (("slowfast_8x8", 5), ("slowfast_8x8", None), ("slowonly_8x8", 7)):
        with pytest.raises(CheckpointError):
            load_public_checkpoint(small(name), pyslowfast(reach))
    extra = {**pyslowfast(7), "s3.pathway0_nonlocal1.conv_g.weight": torch.zeros(2)}
    with pytest.raises(
        CheckpointError, match="that the network does not have: s3.pathway0_nonlocal1"
    ):
        load_public_checkpoint(small("slowfast_8x8"), extra)


@pytest.fixture(scope="module")
def image_net() -> ResNet:
    torch.manual_seed(0)
    network = ResNet(Bottleneck, list(BLOCKS), num_classes=5).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.8, 1.2)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network


def kept_at_random(name: str, key: str) -> bool:
    random = [".route.", ".pooled_norm.", "head."]
    random += [".conv.temporal.", ".aggregate.norm."] if name.startswith("r2plus1d") else []
    return any(part in key for part in random)


@pytest.mark.parametrize("name", [name for name in BACKBONES if "slowfast" not in name])
def test_imagenet_weights_go_into_every_one_pathway(name, image_net):
    model = small(name, width=64)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = image_net.state_dict()
    report = load_imagenet(model, state)
    assert set(report.unused) == {"fc.weight", "fc.bias"}
    assert set(report.missing) == {key for key in before if kept_at_random(name, key)}
    after = model.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in report.missing)
    middle = "conv.spatial" if name.startswith("r2plus1d") else "conv"
    kernel, theirs = after[f"stages.1.1.{middle}.weight"], state["layer2.1.conv2.weight"]
    if name.startswith("r3d"):
        assert kernel.shape[2] == 3
        assert all(torch.equal(kernel[:, :, tap], theirs / 3) for tap in range(3))
        assert torch.equal(after["stem.conv.weight"][:, :, 1], state["conv1.weight"] / 3)
    else:
        assert torch.equal(kernel, theirs)
    if name.startswith("slowonly"):
        reduce = after["stages.2.0.reduce.conv.weight"]
        assert torch.equal(reduce[:, :, 0], state["layer3.0.conv1.weight"] / 3)


def test_a_frame_that_stands_still_means_to_r3d_what_it_means_to_r2d(image_net):
    """Weight / 3 over three equal frames is the weight; only the clip's ends see zeros beyond them."""
    r2d, r3d = small("tsn", width=64).eval(), small("r3d", width=64).eval()
    load_imagenet(r2d, image_net.state_dict())
    load_imagenet(r3d, image_net.state_dict())
    clip = torch.randn(1, 3, 1, 32, 32).expand(-1, -1, 15, -1, -1)
    maps = {}

    def last_map(which):
        def hook(module, inputs, output):
            maps[which] = output[7]

        return hook

    for which, model in (("r2d", r2d), ("r3d", r3d)):
        model.stages[-1][-1].register_forward_hook(last_map(which))
        with torch.no_grad():
            model.features(clip)
    torch.testing.assert_close(maps["r3d"], maps["r2d"], rtol=1e-3, atol=1e-4)


def test_slowonly_with_imagenet_weights_sees_a_still_frame_as_torchvision_does(image_net):
    model = small("slowonly_8x8", width=64).eval()
    load_imagenet(model, image_net.state_dict())
    image = torch.randn(1, 3, 48, 40)
    features = nn.Sequential(*list(image_net.children())[:-2])(image)[0]
    seen = []
    model.stages[-1][-1].register_forward_hook(
        lambda module, inputs, output: seen.append(output[4])
    )
    with torch.no_grad():
        model.features(image[:, :, None].expand(-1, -1, 9, -1, -1))
    torch.testing.assert_close(seen[0], features, rtol=1e-3, atol=1e-4)


def test_a_slowfast_does_not_take_imagenet_weights(image_net):
    model = small("slowfast_8x8", width=64)
    before = weights_digest(model)
    with pytest.raises(CheckpointError, match="random weights, as in its paper"):
        load_imagenet(model, image_net.state_dict())
    assert weights_digest(model) == before
