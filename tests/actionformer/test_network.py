"""The network against the public implementation, and against itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import actionformer
from actionformer import ActionFormer, ActionFormerError, pad_batch

SETS = pytest.mark.parametrize("name", ["local", "full"])


@pytest.fixture
def public(reference):
    vectors = reference("actionformer.npz")

    def build(name):
        model = actionformer.from_public_config(json.loads(str(vectors[f"{name}/config"])))
        start = f"{name}/state/"
        state = {
            "module." + key.removeprefix(start): torch.from_numpy(value)
            for key, value in vectors.items()
            if key.startswith(start)
        }
        actionformer.load_public_checkpoint(model, {"state_dict_ema": state, "epoch": 3})
        return model.eval(), [torch.from_numpy(vectors[f"{name}/input{i}"]) for i in range(3)]

    return vectors, build


def relative(ours, theirs):
    theirs = torch.as_tensor(theirs)
    return float((ours.detach() - theirs).abs().max() / theirs.abs().max())


def small(**changes) -> ActionFormer:
    """Two levels below the first, and norms, scales and biases as a training leaves them."""
    torch.manual_seed(0)
    options = {"width": 16, "heads": 2, "levels": 3, "window": 5, "max_length": 32}
    model = ActionFormer(6, 3, **options | changes)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim != 3 or parameter.shape[0] == 1:
                parameter.uniform_(0.1, 1.0)
    return model.eval()


def videos(*lengths, channels=6):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(channels, length, generator=generator) for length in lengths]


@SETS
@pytest.mark.parametrize("members", [(0, 1), (2,), (0,), (1,)])
@pytest.mark.parametrize("recorded", [False, True])
def test_every_level_equals_the_public_one(public, name, members, recorded):
    """Alone and in a batch; with gradients recorded the MLPs take all rows at once."""
    vectors, build = public
    model, inputs = build(name)
    with torch.set_grad_enabled(recorded):
        batch, mask = pad_batch(model, [inputs[i] for i in members])
        levels = model(batch, mask)
        before, after = (model.features(batch, mask, normed=normed) for normed in (False, True))
    for row, video in enumerate(members):
        for number, level in enumerate(levels):

            def theirs(what, video=video, number=number):
                return vectors[f"{name}/{video}/{what}/{number}"]

            assert np.array_equal(level.mask[row].numpy(), theirs("mask"))
            for ours, what in (
                (before[number], "backbone"),
                (after[number], "feature"),
                (level.logits, "logits"),
                (level.offsets, "offsets"),
            ):
                assert relative(ours[row], theirs(what)) < 5e-6, (what, number)


VARIANTS = pytest.mark.parametrize(
    "changes",
    [
        {},
        {"window": -1},
        {"window": (5, 1, 3), "position_code": True},
        {"kernel": 5, "head_kernel": 7},
        {"relative_position": True, "drop_path": 0.0, "stem_layers": 0},
        {"levels": 1, "head_width": 8, "head_layers": 1, "stem_layers": 1, "embedding_layers": 1},
    ],
    ids=str,
)


@VARIANTS
def test_batched_equals_single(changes):
    model, inputs = small(**changes), videos(5, 17, 32)
    with torch.no_grad():
        whole = model(*pad_batch(model, inputs))
        for row, video in enumerate(inputs):
            for ours, level in zip(model(*pad_batch(model, [video])), whole, strict=True):
                for one, other in zip(ours, level, strict=True):
                    assert torch.allclose(one[0].float(), other[row].float(), atol=1e-5)


@VARIANTS
def test_padding_that_nothing_reads_is_left_out_and_changes_nothing(changes):
    model = small(**changes | {"max_length": 128})
    (video,) = videos(9)
    batch, mask = pad_batch(model, [video])
    assert batch.shape[2] == 128 and model._pyramid(batch, mask)[1][0].shape[1] < 40
    with torch.no_grad():
        levels = model(batch, mask)
        features = model.features(batch, mask)
        model.margin = 1000  # keeps all of it
        for ours, whole in zip(levels, model(batch, mask), strict=True):
            for one, other in zip(ours, whole, strict=True):
                assert one.shape == other.shape
                assert torch.allclose(one.float(), other.float(), atol=1e-5)
        for one, other in zip(features, model.features(batch, mask), strict=True):
            assert torch.allclose(one, other, atol=1e-5)
    assert not levels[0].logits[0, 9:].any() and not levels[0].offsets[0, 9:].any()


def test_float64_bfloat16_and_an_empty_batch():
    model = small(position_code=True)
    batch, mask = pad_batch(model, videos(20, 32))
    plain = model(batch, mask)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(batch, mask)
    exact = model.double()(batch.double(), mask)
    for one, low, high in zip(plain, rounded, exact, strict=True):
        assert high.logits.dtype == high.offsets.dtype == torch.float64
        assert relative(one.logits.double(), high.logits.detach()) < 1e-5
        assert relative(low.logits.double(), high.logits.detach()) < 0.1
    empty = model(batch[:0].double(), mask[:0])
    assert [tuple(level.logits.shape) for level in empty] == [(0, 32, 3), (0, 16, 3), (0, 8, 3)]


def test_a_video_of_nothing_but_padding_gives_zeros_and_no_nan():
    for window in (5, -1):
        model = small(window=window).train()
        batch, _ = pad_batch(model, videos(32, 32))
        mask = torch.tensor([[True] * 32, [False] * 32])
        levels = model(batch, mask)
        assert all(not level.logits[1].any() for level in levels)
        sum(level.logits.sum() + level.offsets.sum() for level in levels).backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_every_parameter_is_trained_and_checkpointing_gives_the_same_gradients():
    gradients = []
    for again in (False, True):
        model = small(activation_checkpointing=again, drop_path=0.1, dropout=0.1).train()
        torch.manual_seed(3)
        levels = model(*pad_batch(model, videos(20, 32, 27)))
        sum((level.logits**2).sum() + level.offsets.sum() for level in levels).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    names = [name for name, _ in model.named_parameters()]
    idle = [name for name, grad in zip(names, gradients[0], strict=True) if not grad.any()]
    assert not idle
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_drop_path_leaves_branches_out_by_video_in_training_only():
    model = small(drop_path=0.5, stem_layers=1, levels=1)
    batch, mask = pad_batch(model, [videos(32)[0]] * 64)
    assert torch.equal(*(model(batch, mask)[0].logits for _ in range(2)))
    rows = model.train()(batch, mask)[0].logits.flatten(1)
    found = {tuple(row.tolist()) for row in (rows * 1e4).round().detach()}
    assert 2 <= len(found) <= 8  # either branch is in or out; rows of the same choice are alike


@pytest.mark.parametrize(
    ("lengths", "changes", "expected"),
    [
        ([5], {}, 32),
        ([33], {}, 48),  # 4 x 2 x (5 // 2)
        ([33], {"window": -1}, 36),
        ([33, 5], {"window": (5, 3, -1)}, 36),
        ([97], {"window": (7, 7, 7)}, 120),
    ],
)
def test_batches_are_padded_as_in_the_public_code(lengths, changes, expected):
    batch, mask = pad_batch(small(**changes), videos(*lengths))
    assert batch.shape == (len(lengths), 6, expected) and mask.shape == (len(lengths), expected)
    assert mask.sum(1).tolist() == lengths
    assert not batch.masked_fill(mask.unsqueeze(1), 0.0).any()


def test_features_that_do_not_fit_are_refused():
    model = small()
    for features, message in (
        ([], "no features"),
        ([torch.zeros(6, 0)], r"features 0 have shape \[6, 0\], not \[6, T\]"),
        ([torch.zeros(6, 4), torch.zeros(4, 6)], r"features 1 have shape \[4, 6\]"),
        ([torch.zeros(6)], "features 0"),
    ):
        with pytest.raises(ActionFormerError, match=message):
            pad_batch(model, features)
    with pytest.raises(ActionFormerError, match=r"33 in training: at most 32"):
        pad_batch(model.train(), videos(33))


@pytest.mark.parametrize(
    ("shape", "mask", "message"),
    [
        ((1, 5, 32), (1, 32), r"batch \[1, 5, 32\]"),
        ((1, 6, 32), (1, 16), r"mask \[1, 16\]"),
        ((6, 32), (1, 32), r"batch \[6, 32\]"),
        ((1, 6, 30), (1, 30), r"length 30 must be a multiple of 4"),
        ((1, 6, 0), (1, 0), r"length 0"),
    ],
)
def test_batches_that_do_not_fit_are_refused(shape, mask, message):
    with pytest.raises(ActionFormerError, match=message):
        small()(torch.zeros(shape), torch.ones(mask, dtype=torch.bool))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": (5, 5)}, "window has 2 values for 3 levels"),
        ({"ranges": [(0, 4)]}, "ranges has 1 values for 3 levels"),
        ({"levels": 7, "max_length": 64}, "ranges has 6 values for 7 levels"),
        ({"heads": 3}, "heads 3 must divide width 16"),
        ({"kernel": 2}, r"kernels \(2, 3\) must be odd"),
        ({"window": 4}, r"windows \(4, 4, 4\) must be odd"),
        ({"max_length": 30}, "max_length 30 must be a multiple of the largest stride, 4"),
        ({"head_layers": 0}, r"layers \(2, 2, 0\) must be 1 or more, of the stem 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ActionFormerError, match=message):
        small(**changes)


def test_distances_learnt_within_windows_work_rounded_and_are_trained():
    model = small(relative_position=True, window=(5, 5, -1)).train()
    with torch.autocast("cpu", torch.bfloat16):
        levels = model(*pad_batch(model, videos(20, 32)))
    sum(level.logits.square().sum() for level in levels).backward()
    assert model.backbone.stem[0].attn.rel_pe.grad.any()
    assert not hasattr(model.backbone.branch[1].attn, "rel_pe")


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_a_batch_is_of_the_type_of_the_weights_whatever_the_files_hold(dtype):
    model = small(max_length=16)
    rows = np.random.default_rng(0).normal(size=(9, 6)).astype(dtype)
    rows.setflags(write=False)  # as of a mapped file
    batch, mask = pad_batch(model, [rows.T[:, ::-1]])
    assert batch.dtype == torch.float32 and mask.sum() == 9
    assert np.array_equal(batch[0, :, :9].numpy(), rows.T[:, ::-1].astype(np.float32))
    assert pad_batch(model.double(), [rows.T])[0].dtype == torch.float64


def test_classes_that_there_are_not_cannot_be_empty():
    with pytest.raises(ActionFormerError, match=r"empty_classes \[7, -1\] are none of 3 classes"):
        small(empty_classes=(2, 7, -1))
