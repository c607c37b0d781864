"""Calibration weights: the reference vectors, the linear form, and what they see."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.tadaconv import (
    CalibrationWeights,
)
from feature_extraction.tadaconv.generation import LinearCalibration
from feature_extraction.tadaconv.layout import to_frames


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.detach() - theirs).abs().max() / theirs.abs().max())


def test_matches_the_reference_calibration_weights(reference):
    vectors = {key: torch.from_numpy(value) for key, value in reference("tadaconv_ops.npz").items()}
    route = CalibrationWeights(8, reduction=2).eval()
    own = route.state_dict()
    route.load_state_dict(
        {key: vectors[f"route/state/{key}"].reshape(own[key].shape) for key in own}
    )
    alpha = route(to_frames(vectors["route/input"]), 6)
    assert relative(alpha, vectors["route/output"][..., 0, 0]) < 1e-5


def test_local_weights_see_their_neighbours_alone():
    torch.manual_seed(0)
    route = CalibrationWeights(8, kernels=(3, 3), global_context=False).eval()
    nn.init.normal_(route.b.weight)
    nn.init.constant_(route.bn.bias, 1.0)
    frames = torch.randn(9, 8, 5, 5)
    changed = frames.clone()
    changed[8] += 1
    differs = (route(frames, 9) != route(changed, 9)).any(1)[0]
    assert not differs[:6].any() and differs[6:].any()  # two kernels of 3 reach two frames


def test_linear_weights_are_one_convolution_over_time():
    torch.manual_seed(0)
    route = LinearCalibration(6, 4, kernel=3, global_context=True)
    nn.init.normal_(route.b.weight)
    frames = torch.randn(10, 6, 5, 5)
    local = frames.mean((2, 3)).reshape(2, 5, 6).transpose(1, 2)
    context = F.conv1d(local.mean(2, keepdim=True), route.g.weight, route.g.bias)
    expected = 1 + F.conv1d(local + context, route.b.weight, padding=1)
    torch.testing.assert_close(route(frames, 5), expected)
