"""Attention and blocks against the public implementation's, and against dense attention."""

from __future__ import annotations

import pytest
import torch

from actionformer.attention import Attention, reach
from actionformer.blocks import Block
from actionformer.layers import Conv, Norm, position_code


def relative(ours, theirs):
    theirs = torch.as_tensor(theirs)
    return float((ours.detach() - theirs).abs().max() / theirs.abs().max())


def loaded(module, vectors, name):
    start = f"{name}/state/"
    module.load_state_dict(
        {
            key.removeprefix(start): torch.from_numpy(value)
            for key, value in vectors.items()
            if key.startswith(start)
        }
    )
    return module.eval()


@pytest.mark.parametrize("kind", [Attention, Block])
@pytest.mark.parametrize(
    "case", ["local_stride1", "local_stride2", "local_relative", "full_stride1", "full_stride2"]
)
def test_equals_the_public_one(reference, kind, case):
    vectors = reference("actionformer_ops.npz")
    reach_kind, _, form = case.partition("_")
    name = f"block_{form}" if kind is Block else f"{reach_kind}_attention_{form}"
    if f"{name}/input" not in vectors or (kind is Block and reach_kind == "full"):
        pytest.skip("no such vectors")
    window = int(vectors[f"{name}/window"]) if reach_kind == "local" else -1
    options = {"stride": 2 if form == "stride2" else 1, "relative": form == "relative"}
    module = loaded(kind(16, int(vectors[f"{name}/heads"]), window, **options), vectors, name)
    x = torch.from_numpy(vectors[f"{name}/input"]).transpose(1, 2)
    mask = torch.from_numpy(vectors[f"{name}/output_mask"])
    for recorded in (False, True):
        with torch.set_grad_enabled(recorded):
            made = module(x, mask.unsqueeze(2), reach(mask, window))
        assert relative(made.transpose(1, 2), vectors[f"{name}/output"]) < 5e-6


@pytest.mark.parametrize(("name", "sizes"), [("", (16, 20, 3)), ("_stride2", (16, 16, 3))])
def test_masked_convolutions_equal_the_public_ones(reference, name, sizes):
    vectors, name = reference("actionformer_ops.npz"), f"masked_conv{name}"
    options = {"stride": 2, "groups": 16} if "stride2" in name else {"bias": True}
    conv = loaded(Conv(*sizes, **options), vectors, name)
    x = torch.from_numpy(vectors[f"{name}/input"]).transpose(1, 2)
    made = conv(x, torch.from_numpy(vectors[f"{name}/output_mask"]).unsqueeze(2))
    assert relative(made.transpose(1, 2), vectors[f"{name}/output"]) < 1e-6


def test_layer_norm_equals_the_public_one(reference):
    vectors = reference("actionformer_ops.npz")
    norm = Norm(16)
    norm.load_state_dict(
        {key: torch.from_numpy(vectors[f"layer_norm/{key}"]) for key in ("weight", "bias")}
    )
    made = norm(torch.from_numpy(vectors["layer_norm/input"]).transpose(1, 2))
    assert relative(made.transpose(1, 2), vectors["layer_norm/output"]) < 5e-6


def test_position_codes_equal_the_public_ones(reference):
    vectors = reference("actionformer_ops.npz")
    width, longest = vectors["position/table"].shape
    for key in ("table", "longer"):
        code = position_code(vectors[f"position/{key}"].shape[1], width, longest)
        assert relative(code.t(), vectors[f"position/{key}"]) < 1e-6


def dense(attention, x, mask, window):
    """The same with all pairs of positions, in plain words."""
    shown, parts = mask.unsqueeze(2), []
    for name in ("query", "key", "value"):
        conv, norm, last = (getattr(attention, name + end) for end in ("_conv", "_norm", ""))
        parts.append(last(norm(conv(x, shown))).unflatten(2, (attention.heads, -1)))
    scores = torch.einsum("bqhd,bkhd->bhqk", *parts[:2]) / parts[0].shape[3] ** 0.5
    place = torch.arange(mask.shape[1])
    distance = place - place.unsqueeze(1)
    if attention.relative:
        near = (distance + window // 2).clamp(0, window - 1)
        scores = scores + attention.rel_pe[0, 0][:, near]
    if window > 1:
        scores = scores.masked_fill(distance.abs() > window // 2, -torch.inf)
    scores = scores.masked_fill(~mask[:, None, None], -torch.inf)
    made = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(3).nan_to_num(), parts[2]).flatten(2)
    return attention.proj(made) * shown


@pytest.mark.parametrize("relative_position", [False, True])
@pytest.mark.parametrize("window", [-1, 3, 5, 7, 19, 63])
@pytest.mark.parametrize("length", [1, 13, 100])
def test_blocks_of_windows_equal_dense_attention(window, length, relative_position):
    if window < 1 and relative_position:
        pytest.skip("distances are learnt within windows")
    torch.manual_seed(0)
    attention = Attention(8, 2, window, relative=relative_position).double()
    if relative_position:
        torch.nn.init.normal_(attention.rel_pe)
    ends = torch.tensor([length, max(1, length // 2), 1])
    mask = torch.arange(length) < ends.unsqueeze(1)
    x = torch.randn(3, length, 8, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, length, 8, dtype=torch.float64)
    found = []
    for run in (lambda: attention(x, mask.unsqueeze(2), reach(mask, window)),
                lambda: dense(attention, x, mask, window)):  # fmt: skip
        made = run()
        gradients = torch.autograd.grad((made * weights).sum(), [x, *attention.parameters()])
        found.append([made, *gradients])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-10)
    assert not found[0][0][~mask].any()


def test_memory_grows_with_the_length_and_not_its_square():
    cells = [
        reach(torch.ones(1, length, dtype=torch.bool), 19).allowed.numel()
        for length in (2**10, 2**13)
    ]
    assert cells[1] < 9 * cells[0]
