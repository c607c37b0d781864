"""The convolution: torch's, and equal to it where it goes another way."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from helpers.paths import code_paths

from feature_extraction.backbones import build_backbone
from feature_extraction.tadaconv import convolution
from feature_extraction.tadaconv.convolution import conv2d


def way(frames, weight, *arguments):
    """Whether another way than torch's is taken."""
    return torch.is_grad_enabled() and convolution._is_unsafe(frames, weight, *arguments)


@pytest.mark.parametrize("channels", [1, 3, 8, 15, 16, 24])
@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("size", [(9, 12), (40, 35)])
def test_output_and_gradients_equal_torchs(channels, stride, size):
    """In float64, which oneDNN does not compute."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(2, channels, *size, generator=generator, dtype=torch.float64)
    frames = frames.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(5, channels, 1, 1, generator=generator, dtype=torch.float64)
    bias = torch.randn(5, generator=generator, dtype=torch.float64)
    found = []
    for function in (conv2d, F.conv2d):
        inputs = [value.clone().requires_grad_() for value in (frames, weight, bias)]
        output = function(*inputs, stride)
        output.square().sum().backward()
        found.append([output, *(value.grad for value in inputs)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "padding"),
    [
        ((2, 16, 99, 99), 1, (2, 2), (0, 0)),  # channels enough
        ((2, 8, 99, 99), 3, (2, 2), (1, 1)),
        ((2, 8, 99, 99), 1, (1, 1), (0, 0)),
        ((2, 8, 99, 99), 1, (2, 2), (1, 1)),
    ],
)
def test_elsewhere_it_is_torchs_own_call(shape, kernel, stride, padding):
    weight = torch.zeros(4, shape[1], kernel, kernel, requires_grad=True)
    frames = torch.zeros(shape)
    assert not way(frames, weight, stride, padding)


def test_without_gradients_it_is_torchs_own_call():
    frames, weight = torch.zeros(2, 8, 99, 99), torch.zeros(4, 8, 1, 1)
    assert not way(frames, weight, (2, 2), (0, 0))
    weight.requires_grad_()
    assert way(frames, weight, (2, 2), (0, 0))
    with torch.no_grad():
        assert not way(frames, weight, (2, 2), (0, 0))


NARROW = """
import sys, torch
from feature_extraction.backbones import build_backbone
width, precision = int(sys.argv[1]), sys.argv[2]
model = build_backbone("tada2d", depth=(1, 1, 1, 1), width=width, num_classes=3)
model.to(memory_format=torch.channels_last)
video = torch.rand(*map(int, sys.argv[3:]))
for _ in range(2):
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        loss = model(video).float().sum()
    loss.backward()
print("done")
"""


@pytest.mark.parametrize(
    ("width", "precision", "shape"),
    [
        (8, "float32", "1 3 2 224 224"),
        (4, "bfloat16", "1 3 2 224 224"),
        (4, "float32", "4 3 8 32 32"),  # on processors with AVX2 alone this is much already
    ],
)
def test_a_narrow_network_trains(width, precision, shape):
    """In a process of its own, which would be ended by a segmentation fault."""
    found = subprocess.run(
        [sys.executable, "-c", NARROW, str(width), precision, *shape.split()],
        capture_output=True, text=True, env=code_paths(), check=False,
    )  # fmt: skip
    assert found.stdout == "done\n", (found.returncode, found.stderr)


def test_the_networks_strided_shortcuts_use_it(monkeypatch):
    taken = []
    real = convolution._is_unsafe
    monkeypatch.setattr(
        convolution, "_is_unsafe", lambda *given: taken.append(real(*given)) or taken[-1]
    )
    model = build_backbone("tada2d", depth=(1, 1, 1, 1), width=8, num_classes=3)
    model(torch.zeros(1, 3, 2, 96, 96)).sum().backward()
    assert sum(taken) == 1, "of res2; the later ones have channels enough"
