"""Parameters and multiply-adds of the paper's networks (Tables 1, 2, 4 and 7), on meta tensors.

Table 2's and Table 7's multiply-adds are those of 256 x 256 frames (224 x 224, times 1.306), Table 4's
and TSN's 33 those of 224 x 224. Convolutions and linear layers are counted, the padding as if it were
picture. R3D's 46.5 M are those with 174 classes; its 84.23 does not change with them.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from feature_extraction.backbones import BACKBONES, build_backbone
from feature_extraction.backbones.blocks import ClipConv, FactorisedConv, FrameConv
from feature_extraction.tadaconv import TAdaConv2d

MEGA, GIGA = 1e6, 1e9
TABLE_2 = {  # parameters (M), multiply-adds (G), classes
    "slowonly_8x8": (32.5, 54.52, 400),
    "slowonly_8x8_tada": (35.6, 54.53, 400),
    "slowfast_4x16": (34.5, 36.10, 400),
    "slowfast_4x16_tada": (37.7, 36.11, 400),
    "slowfast_8x8": (34.5, 65.71, 400),
    "slowfast_8x8_tada": (37.7, 65.73, 400),
    "r2plus1d": (28.1, 49.55, 400),
    "r2plus1d_tada_2d": (30.0, 49.57, 400),
    "r2plus1d_tada_2d1d": (31.9, 49.58, 400),
    "r3d": (46.5, 84.23, 174),
    "r3d_tada": (48.5, 84.24, 174),
}


def counts(name: str, frames: int, size: int, classes: int = 400, **options) -> tuple[int, int]:
    """Parameters, and multiply-adds of one clip."""
    with torch.device("meta"):
        model = build_backbone(name, num_classes=classes, **options).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.empty(1, 3, frames, size, size))
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2


def test_every_network_is_counted():
    assert set(BACKBONES) == set(TABLE_2) | {"tsn", "tada2d"}


@pytest.mark.parametrize("name", TABLE_2)
def test_table_2(name):
    parameters, operations, classes = TABLE_2[name]
    ours = counts(name, 32 if "slowfast" in name else 8, 256, classes)
    assert abs(ours[0] / MEGA - parameters) < 0.1
    assert abs(ours[1] / GIGA - operations) < 0.01 * operations
    assert abs(ours[1] / GIGA - operations) < 0.01  # as printed: the table's digits are ours


@pytest.mark.parametrize(
    ("name", "frames", "size", "operations"),
    [
        ("tsn", 8, 224, 33.0),
        ("tada2d", 8, 224, 33.0),
        ("tada2d", 8, 256, 43.1),
        ("tada2d", 16, 256, 86.2),
    ],
)
def test_r2d(name, frames, size, operations):
    assert abs(counts(name, frames, size)[1] / GIGA - operations) < 0.06


@pytest.mark.parametrize(
    ("calibrate", "parameters", "operations"),
    [("in", 3.16, 0.016), ("out", 3.16, 0.016), ("in_out", 4.10, 0.024), ("kernel", 2.24, 0.009)],
)
def test_table_4(calibrate, parameters, operations):
    plain = counts("tsn", 8, 224)
    ours = counts("tada2d", 8, 224, calibrate=calibrate)
    assert abs((ours[0] - plain[0]) / MEGA - parameters) < 0.005
    assert abs((ours[1] - plain[1]) / GIGA - operations) < 0.0006


class Multiplications(TorchDispatchMode):
    """Counts what Table 1 counts: convolutions, sums of averages and products, one each."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        output = function(*arguments, **(options or {}))
        if function is torch.ops.aten.convolution.default:
            weight = arguments[1]
            self.total += output.numel() * weight[0].numel()
        elif function is torch.ops.aten.mean.dim:
            self.total += arguments[0].numel()
        elif function is torch.ops.aten.mul.Tensor:
            self.total += output.numel()
        return output


def multiplications(run) -> float:
    with Multiplications() as counter, torch.no_grad(), torch.device("meta"):
        run()
    return counter.total / GIGA


def test_table_1_and_its_footnote():
    """Co = Ci = 64, k = 3, T = 8, 56 x 56, r = 4."""
    channels, length, size = 64, 8, 56
    with torch.device("meta"):
        frames = torch.empty(length, channels, size, size)
        spatial = FrameConv(channels, channels, 1)
        temporal = ClipConv(channels, channels, 1, kernel=1)
        factorised = FactorisedConv(spatial, channels, temporal).eval()
        adaptive = TAdaConv2d(channels, channels, 3, padding=1, global_context=False).eval()

    def kernel_a_frame():
        alpha = adaptive.route(frames, length)[0].t()
        kernels = adaptive.weight * alpha[:, None, :, None, None]
        flat = frames.reshape(1, -1, size, size)
        F.conv2d(flat, kernels.flatten(0, 1), padding=1, groups=length)

    as_printed = {
        "spatial": (0.9248, lambda: spatial.forward_frames(frames, length)),
        "(2+1)D": (1.2331, lambda: factorised.forward_frames(frames, length)),
        "TAdaConv": (0.9268, kernel_a_frame),
    }
    for operations, run in as_printed.values():
        assert round(multiplications(run), 4) == operations
    # One convolution for all frames: the product with the input takes the place of the kernels'.
    ours = multiplications(lambda: adaptive.forward_frames(frames, length))
    kernels, inputs = adaptive.weight.numel() * length, frames.numel()
    assert ours == pytest.approx(multiplications(kernel_a_frame) + (inputs - kernels) / GIGA)
    assert round(ours, 4) == 0.9281

    own = sum(p.numel() for p in adaptive.parameters())
    norm = sum(p.numel() for p in adaptive.route.bn.parameters()) + adaptive.route.a.bias.numel()
    assert own - norm == channels * channels * 9 + 2 * channels * (channels // 4) * 3
    temporal_and_spatial = sum(p.numel() for p in (*spatial.parameters(), *temporal.parameters()))
    assert temporal_and_spatial == channels * channels * (9 + 3)
    assert (
        nn.Conv3d(channels, channels, 3, bias=False, device="meta").weight.numel() == 64 * 64 * 27
    )


def test_the_stated_reading_of_eq_5_and_table_2():
    """With the map of the clip descriptor R(2+1)D and R3D would have 1.3 M more than Table 2 says."""
    for name, more in (("r2plus1d_tada_2d", 1), ("r2plus1d_tada_2d1d", 2), ("r3d_tada", 1)):
        without, _ = counts(name, 1, 32)
        mapped, _ = counts(name, 1, 32, global_context=True)
        assert abs((mapped - without) / MEGA - 1.26 * more) < 0.02
