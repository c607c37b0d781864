"""The networks the benchmarks run: seeded weights that behave like trained ones."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.machine import this_machine
from bmn import BMN
from feature_extraction.backbones import (
    InferenceNetwork,
    VideoResNet,
    build_backbone,
    for_inference,
)


@dataclass(frozen=True)
class Sizes:
    """Sizes of a benchmark's networks: blocks per stage, stem width, frame side; T = D and C of BMN."""

    blocks: tuple[int, ...]
    width: int
    side: int
    positions: int
    channels: int
    hidden: tuple[int, int, int]
    samples: int


FULL = Sizes((3, 4, 6, 3), 64, 224, 100, 2048, (256, 128, 512), 32)
SMALL = Sizes((1, 1), 8, 32, 12, 16, (16, 8, 24), 4)


def draw_tada2d(sizes: Sizes) -> VideoResNet:
    """A TAda2D in eval mode with ten classes.

    Fresh weights would make calibration the identity and switch the pooled branch off; here both
    act, and the batch norms' statistics are those of a video, so that features stay in range.
    """
    torch.manual_seed(0)
    model = build_backbone("tada2d", depth=sizes.blocks, width=sizes.width, num_classes=10)
    for name, parameter in model.named_parameters():
        if name.endswith("pooled_norm.weight"):
            nn.init.uniform_(parameter, 0.1, 0.5)
        elif name.endswith("expand.norm.weight"):
            nn.init.constant_(parameter, 0.3)
        elif name.endswith("route.b.weight"):
            nn.init.normal_(parameter, std=0.15 / parameter[0].numel() ** 0.5)
    norms = [m for m in model.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for norm in norms:
        norm.momentum = None  # the plain mean of what it sees
    with torch.no_grad():
        model.train()(draw_clips(8, min(sizes.side, 64), seed=1))
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def draw_clips(batch: int, side: int, *, seed: int = 0) -> Tensor:
    """Normalised clips [B, 3, 8, side, side]: drifting patches of colour, brightness, some noise.

    White noise alone has the same mean in every frame, and calibration would have nothing to see.
    """
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randn(batch, 3, 8, 7, 7, generator=generator)
    clips = F.interpolate(patches, (8, side, side), mode="trilinear")
    clips += torch.randn(batch, 3, 8, 1, 1, generator=generator)
    return clips + 0.3 * torch.randn(batch, 3, 8, side, side, generator=generator)


def draw_bmn(sizes: Sizes) -> BMN:
    """A BMN over T = D positions, in eval mode."""
    torch.manual_seed(0)
    one, two, three = sizes.hidden
    return BMN(
        sizes.channels,
        sizes.positions,
        sizes.positions,
        hidden_1d=one,
        hidden_2d=two,
        hidden_3d=three,
        num_samples=sizes.samples,
    ).eval()


def inference_network(
    model: VideoResNet, precision: str, compiled: bool = False
) -> InferenceNetwork:
    """Ours for inference: `features(video float32 [B, 3, T, H, W])` gives float32 [B, C]."""
    return for_inference(model, precision=precision, compiled=compiled)


def training_network(model: VideoResNet) -> VideoResNet:
    """Ours for training: laid out as fine-tuning does it, in training mode."""
    return model.to(memory_format=torch.channels_last).train()


def why_no_bfloat16() -> str:
    """Why bfloat16 is not worth running on this CPU; empty where it is."""
    if {"amx_bf16", "avx512_bf16"} & set(this_machine().flags):
        return ""
    return "the CPU has neither AMX nor AVX-512 BF16"


def why_not_compiled() -> str:
    """Why torch.compile is not run here; empty where it is."""
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        return "no C++ compiler"
    return why_no_bfloat16()
