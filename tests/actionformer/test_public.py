"""Configurations and checkpoints of the public code: what is read, and what is refused."""

from __future__ import annotations

import pytest
import torch

from actionformer import ActionFormer, ActionFormerError, from_public_config, load_public_checkpoint

ANET = {
    "dataset": {"input_dim": 512, "num_classes": 1, "max_seq_len": 192, "json_file": "anet.json"},
    "model": {
        "backbone_arch": [2, 2, 5],
        "n_mha_win_size": [7, 7, 7, 7, 7, -1],
        "embd_dim": 256,
        "fpn_dim": 256,
        "head_dim": 256,
        "use_abs_pe": True,
    },
    "train_cfg": {"cls_prior_prob": 0.1, "droppath": 0.2, "label_smoothing": 0.1},
    "test_cfg": {"voting_thresh": 0.9},
}
TINY = {"input_dim": 4, "num_classes": 3, "embd_dim": 8, "fpn_dim": 8, "head_dim": 12, "n_head": 2}


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_published_networks_have_the_published_numbers_of_parameters():
    model = from_public_config(ANET)
    assert count(model) == 6_943_497
    assert model.windows == (7, 7, 7, 7, 7, -1) and model.max_length == 192
    assert model.strides == (1, 2, 4, 8, 16, 32) and model.ranges[-1] == (64.0, 10000.0)
    with torch.device("meta"):
        assert count(ActionFormer(2048, 20)) == 29_251_612
        assert count(ActionFormer(2304, 97, window=9)) == 29_763_177
        assert count(ActionFormer(2304, 300, window=9)) == 30_075_188


def test_the_classes_start_at_their_prior_and_empty_ones_at_almost_none():
    model = from_public_config(
        TINY | {"train_cfg": {"head_empty_cls": [0, 2], "cls_prior_prob": 0.2}}
    )
    started = model.cls_head.cls_head.conv.bias.sigmoid()
    assert started.tolist() == pytest.approx([1e-6, 0.2, 1e-6], rel=0.02)
    assert model.backbone.stem[0].drop_path_attn.rate == 0.1  # the public default


def test_keys_left_out_are_as_in_the_public_code():
    model = from_public_config({"input_dim": 4, "num_classes": 3})
    assert (model.width, model.max_length, model.windows) == (512, 2304, (-1,) * 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_dim": None}, "input_dim must be a whole number, not None"),
        ({"num_classes": "three"}, "num_classes must be a whole number, not 'three'"),
        (
            {"backbone_type": "conv"},
            "backbone_type 'conv' is not supported: only 'convTransformer'",
        ),
        ({"fpn_type": "fpn"}, "fpn_type 'fpn' is not supported: only 'identity'"),
        ({"scale_factor": 4}, "scale_factor 4 is not supported"),
        ({"fpn_dim": 16}, "fpn_dim 16 is not supported: only 8"),
        ({"head_with_ln": False}, "head_with_ln False is not supported"),
        ({"backbone_arch": [2, 5]}, r"backbone_arch \[2, 5\] must be three whole numbers"),
        ({"train_cfg": [1]}, "train_cfg must be a mapping"),
        ({"model": "x"}, "model must be a mapping"),
        ({"n_mha_win_size": [9, 9]}, "window has 2 values for 6 levels"),
    ],
)
def test_what_is_not_built_is_refused(changes, message):
    with pytest.raises(ActionFormerError, match=message):
        from_public_config(TINY | changes)


def test_checkpoints_are_read_in_every_form_and_tables_in_them_left_unused():
    one, other = (from_public_config(TINY) for _ in range(2))
    state = one.state_dict()
    extra = {
        "backbone.pos_embd": torch.zeros(1, 8, 2304),
        "point_generator.buffer_points.0": torch.zeros(4, 4),
        "backbone.stem.0.attn.l_mask": torch.zeros(2),
    }
    named = {f"module.{name}": value for name, value in (state | extra).items()}
    zeros = {name: torch.zeros_like(value) for name, value in named.items()}
    for form in (
        state,
        named,
        {"state_dict": named},
        {"state_dict": zeros, "state_dict_ema": named},
    ):
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.zero_()
        load_public_checkpoint(other, form)
        assert all(torch.equal(value, state[name]) for name, value in other.state_dict().items())


def test_checkpoints_that_do_not_fit_are_refused_and_change_nothing():
    model = from_public_config(TINY)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = {name: value + 1 for name, value in before.items()}
    name = "cls_head.cls_head.conv.bias"
    lacking = {key: value for key, value in state.items() if key != name}
    for given, message in (
        (lacking, rf"missing keys \['{name}'\], unknown \[\]"),
        (state | {"more": torch.zeros(1)}, r"missing keys \[\], unknown \['more'\]"),
        (state | {name: torch.zeros(5)}, rf"{name} has shape \(5,\), this model's \(3,\)"),
        (state | {name: "x"}, rf"{name} has shape str"),
        ({"state_dict_ema": {}}, "missing keys"),
        ([1, 2], "a checkpoint must be a mapping of names to weights, not list"),
    ):
        with pytest.raises(ActionFormerError, match=message):
            load_public_checkpoint(model, given)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_checkpoint_may_hold_arrays_and_names_that_are_none():
    model, other = (from_public_config(TINY) for _ in range(2))
    load_public_checkpoint(other, {name: one.numpy() for name, one in model.state_dict().items()})
    assert all(
        torch.equal(one, model.state_dict()[name]) for name, one in other.state_dict().items()
    )
    with pytest.raises(ActionFormerError, match="unknown"):
        load_public_checkpoint(model, {3: torch.ones(1)})
