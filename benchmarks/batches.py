"""Whether a clip's features depend on how many clips go through the network at once (extract.batch_size).

python -m benchmarks.batches [--depth N] [--width N] [--clips N] [--side N]
"""

from __future__ import annotations

from collections.abc import Sequence

import click
import torch
from torch import Tensor, nn

from benchmarks.machine import describe, this_machine
from feature_extraction.backbones import BACKBONES, InferenceNetwork, build_backbone, for_inference

SIZES = (1, 2, 3, 4, 8)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def features_of(network: InferenceNetwork, clips: Tensor, batch_size: int) -> Tensor:
    """Features [n, C] of clips [n, 3, T, H, W], as extraction batches them: the last batch may be smaller."""
    return torch.cat([network.features(part) for part in clips.split(batch_size)])


def differing(found: Sequence[Tensor]) -> list[int]:
    """How many rows of each, as feature files hold them (float16), differ from the first's."""
    first = found[0].half()
    return [int((rows.half() != first).any(1).sum()) for rows in found]


def network_of(name: str, depth: int | tuple[int, ...], width: int) -> nn.Module:
    """A network with statistics of its own, as training leaves it; in eval mode."""
    torch.manual_seed(0)
    model = build_backbone(name, depth=depth, width=width, num_classes=5)
    for module in model.modules():
        if isinstance(module, NORMS):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(2, 3, 8, 64, 64))
    return model.eval()


@click.command()
@click.option("--depth", default=50, show_default=True)
@click.option("--width", default=64, show_default=True)
@click.option("--clips", default=9, show_default=True)
@click.option("--side", default=64, show_default=True, help="Shorter side, pixels.")
def main(depth: int, width: int, clips: int, side: int) -> None:
    """Print how many of the clips have other features (float16) than in batches of one."""
    torch.set_num_threads(1)  # as extraction on a CPU
    click.echo(describe(this_machine()))
    click.echo("batch of".ljust(32) + "".join(f"{size:5d}" for size in SIZES))
    for name in BACKBONES:
        model = network_of(name, depth, width)
        shown = torch.randn(clips, 3, 8, side, side * 5 // 4)
        for precision in ("float32", "bfloat16"):
            network = for_inference(model, precision=precision)
            rows = differing([features_of(network, shown, size) for size in SIZES])
            click.echo(f"{name:22s}{precision:10s}" + "".join(f"{count:5d}" for count in rows))


if __name__ == "__main__":
    main()
