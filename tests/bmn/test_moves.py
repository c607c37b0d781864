"""Moves of cells: their targets, their decoding, their loss, their output."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bmn import BMN, BMNError, BMNOutput, MovedOutput, bmn_loss, decode_proposals, move_proposals
from bmn.losses import MOVE_BETA, move_loss
from bmn.model import PUBLIC_LAYERS, PUBLIC_MOVES
from bmn.moves import MOVE_LIMITS, window_moves
from bmn.targets import Targets, valid_mask, window_targets

SEGMENTS = np.array([[2.3, 5.8], [7.1, 15.9], [17.4, 20.0]])
SPAN = (0.0, 20.0)


def small(regression: bool) -> BMN:
    torch.manual_seed(0)
    return BMN(8, 20, 10, hidden_1d=8, hidden_2d=6, hidden_3d=10, regression=regression)


def perfect(center=0.5):
    targets = window_targets(SEGMENTS, SPAN, 20, 10, center)
    moves = window_moves(SEGMENTS, SPAN, 20, 10)
    maps = np.stack([targets.iou.numpy()] * 2)
    return decode_proposals(
        targets.start, targets.end, maps, seconds_per_position=1.0, boundary_center=center
    ), moves


def test_targets_equal_a_loop_over_cells():
    moves = window_moves(SEGMENTS * 2.5 + 10.0, (10.0, 60.0), 20, 10)
    for d in range(10):
        for s in range(20):
            shared = np.minimum(s + d + 1, SEGMENTS[:, 1]) - np.maximum(s, SEGMENTS[:, 0])
            lengths = SEGMENTS[:, 1] - SEGMENTS[:, 0]
            ious = shared.clip(0) / (d + 1 + lengths - shared.clip(0))
            best = int(ious.argmax())
            expected = [0.0, 0.0]
            if ious[best] > 0:
                expected[0] = (SEGMENTS[best].mean() - (s + (d + 1) / 2)) / (d + 1)
                expected[1] = math.log(lengths[best] / (d + 1))
            assert moves[:, d, s].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("center", [0, 0.5])
def test_a_perfect_signal_is_decoded_exactly(center):
    proposals, moves = perfect(center)
    moved = move_proposals(proposals, moves, seconds_per_position=1.0)
    assert np.array_equal(moved[:, 2:], proposals[:, 2:])
    near = moved[proposals[:, 5] > 0.5]
    distance = np.abs(near[:, None, :2] - SEGMENTS).max(-1)
    assert distance.min(1).max() < 1e-5 and distance.min(0).max() < 1e-5


def test_no_moves_change_nothing_and_the_unit_does_not_matter():
    proposals, moves = perfect()
    assert np.allclose(
        move_proposals(proposals, moves * 0, seconds_per_position=1.0), proposals, rtol=1e-12
    )
    share, seconds = proposals.copy(), proposals.copy()
    share[:, :2] /= 20.0
    seconds[:, :2] *= 0.3
    moved = move_proposals(proposals, moves, seconds_per_position=1.0)
    assert np.allclose(move_proposals(share, moves)[:, :2] * 20, moved[:, :2])
    in_seconds = move_proposals(seconds, moves, seconds_per_position=0.3)
    assert np.allclose(in_seconds[:, :2], moved[:, :2] * 0.3)


def test_wild_moves_keep_some_length_and_stay_in_the_video():
    proposals, _ = perfect()
    rng = np.random.default_rng(0)
    for size in (1.0, 1e3, 1e30):
        moves = rng.normal(0, size, (2, 10, 20)).astype(np.float32)
        moved = move_proposals(proposals, moves, seconds_per_position=1.0)
        assert (moved[:, 0] >= 0).all() and (moved[:, 1] <= 20).all()
        assert (moved[:, 1] - moved[:, 0] > 0.2).all()


def test_trained_cells_are_within_the_limits():
    rng = np.random.default_rng(1)
    for _ in range(30):
        start = rng.uniform(0, 15)
        segments = np.array([[start, start + rng.uniform(0.3, 9)]])
        iou = window_targets(segments, SPAN, 20, 10).iou
        moves = window_moves(segments, SPAN, 20, 10)
        for move, limit in zip(moves, MOVE_LIMITS, strict=True):
            assert (move[iou > 0.5].abs() <= limit).all()


def test_the_output_is_extra_and_the_rest_is_the_same():
    plain, moved = small(False), small(True)
    own = plain.state_dict()
    assert all(torch.equal(moved.state_dict()[name], value) for name, value in own.items())
    assert {name.split(".")[0] for name in moved.state_dict().keys() - own.keys()} == {
        "move_reduce",
        "move_head",
    }
    features = torch.randn(3, 8, 20)
    without, with_moves = plain(features), moved(features)
    assert type(without) is BMNOutput and without.moves is None and len(without) == 3
    assert type(with_moves) is MovedOutput and with_moves.moves.shape == (3, 2, 10, 20)
    assert all(torch.equal(a, b) for a, b in zip(without, with_moves[:3], strict=True))
    with pytest.raises(RuntimeError, match="move_head"):
        plain.load_state_dict(moved.state_dict())


def test_public_weights_of_the_moves_are_taken():
    model, other = small(True), small(True)
    state = {}
    for public, own in (PUBLIC_LAYERS | PUBLIC_MOVES).items():
        for kind in ("weight", "bias"):
            value = torch.rand_like(model.state_dict()[f"{own}.{kind}"])
            state[f"{public}.{kind}"] = value
            if public == "head.x_3d_p.0" and kind == "weight":
                state[f"{public}.{kind}"] = value.permute(1, 2, 0)[..., None, None]
            if public in ("head.x_2d_p.0", "head.x_2d_r.0") and kind == "weight":
                state[f"{public}.{kind}"] = value[..., None, None]
    other.load_state_dict(state)
    assert torch.equal(other.move_reduce.bias, state["head.x_2d_r.0.bias"])
    with pytest.raises(BMNError, match="x_2d_r"):
        small(False).load_state_dict(state)


def test_the_loss_gains_a_term_and_the_others_stay():
    moves = window_moves(SEGMENTS, SPAN, 20, 10)[None]
    targets = Targets(*(table[None] for table in window_targets(SEGMENTS, SPAN, 20, 10)))
    output = small(True)(torch.randn(1, 8, 20))
    mask, fields = valid_mask(10, 20), (torch.rand(1, 10, 20), torch.rand(1, 10, 20))
    plain = bmn_loss(BMNOutput(*output[:3]), targets, mask, uniforms=fields)
    loss = bmn_loss(output, targets, mask, uniforms=fields, moves=moves, move_weight=3.0)
    assert loss._fields == ("total", "tem", "pem_reg", "pem_cls", "moves")
    assert torch.equal(loss.tem, plain.tem) and torch.equal(loss.pem_cls, plain.pem_cls)
    assert loss.total.item() == pytest.approx((plain.total + 3 * loss.moves).item(), rel=1e-6)
    with pytest.raises(BMNError, match="both"):
        bmn_loss(output, targets, mask)
    with pytest.raises(BMNError, match="both"):
        bmn_loss(BMNOutput(*output[:3]), targets, mask, moves=moves)
    with pytest.raises(BMNError, match="do not fit"):
        bmn_loss(output, targets, mask, moves=moves[0])


def test_the_loss_of_moves_is_of_the_cells_above_half():
    iou = torch.tensor([[[0.6, 0.5, 0.9]]])
    prediction = torch.tensor([0.02, 9.0, 0.0, 0.0, 9.0, 0.4]).reshape(1, 2, 1, 3)
    loss = move_loss(prediction, torch.zeros(1, 2, 1, 3), iou)
    small_error, large_error = 0.02**2 / (2 * MOVE_BETA), 0.4 - MOVE_BETA / 2
    assert loss.item() == pytest.approx((small_error + large_error) / 4)
    assert move_loss(prediction, prediction * 2, iou * 0) == 0
    # What does not count may be anything, and takes no part in the gradient.
    wild = prediction.clone()
    wild[:, :, (iou <= 0.5)[0]] = math.inf
    wild.requires_grad_()
    assert torch.equal(move_loss(wild, torch.zeros(1, 2, 1, 3), iou), loss)
    move_loss(wild, torch.zeros(1, 2, 1, 3), iou).backward()
    assert wild.grad.isfinite().all() and not wild.grad[:, :, (iou <= 0.5)[0]].any()


def test_training_learns_the_moves():
    torch.manual_seed(0)
    model = BMN(8, 20, 10, hidden_1d=16, hidden_2d=16, hidden_3d=16, regression=True)
    moves = window_moves(SEGMENTS, SPAN, 20, 10)[None]
    targets = Targets(*(table[None] for table in window_targets(SEGMENTS, SPAN, 20, 10)))
    features, mask = torch.randn(1, 8, 20), valid_mask(10, 20)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(80):
        loss = bmn_loss(model(features), targets, mask, moves=moves)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append(loss.moves.item())
    assert losses[-1] < 0.2 * losses[0]


def test_no_segments_give_no_moves_and_bad_input_is_refused():
    assert not window_moves(np.zeros((0, 2)), SPAN, 20, 10).any()
    assert not window_moves(np.array([[5.0, 5.0], [7.0, 6.0]]), SPAN, 20, 10).any()
    proposals, moves = perfect()
    with pytest.raises(BMNError, match="shape"):
        move_proposals(proposals, moves[0], seconds_per_position=1.0)
    with pytest.raises(BMNError, match="not a cell"):
        move_proposals(proposals, moves[:, :2], seconds_per_position=1.0)
    assert move_proposals(proposals[:0], moves).shape == (0, 7)
