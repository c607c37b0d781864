"""Plain convolutions over frames equal those over videos."""

from __future__ import annotations

import pytest
import torch

from feature_extraction.backbones.blocks import ClipConv
from feature_extraction.tadaconv.layout import to_frames


@pytest.mark.parametrize(
    ("kernel", "taps", "stride", "time_stride"),
    [(3, 3, 2, 1), (1, 5, 1, 4), (7, 5, 2, 1), (1, 3, 1, 1)],
)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_plain_convolutions_over_time_equal_conv3d(kernel, taps, stride, time_stride, length):
    torch.manual_seed(0)
    conv = ClipConv(4, 6, stride, kernel=kernel, taps=taps, time_stride=time_stride)
    video = torch.randn(2, 4, length, 9, 8)
    output = conv.forward_frames(to_frames(video), length)
    torch.testing.assert_close(output, to_frames(conv(video)), rtol=1e-4, atol=1e-5)


def test_gradients_of_two_frames_in_bfloat16():
    """torch's own 3-D convolution gives garbage here on some processors."""
    torch.manual_seed(0)
    frames, exact = torch.randn(4, 16, 5, 5), ClipConv(16, 16, 1)
    exact.forward_frames(frames, 2).square().sum().backward()
    conv = ClipConv(16, 16, 1).bfloat16()
    conv.load_state_dict(exact.state_dict())
    conv.forward_frames(frames.bfloat16(), 2).square().sum().backward()
    error = (conv.weight.grad.float() - exact.weight.grad).abs().max()
    assert error < 0.05 * exact.weight.grad.abs().max()
