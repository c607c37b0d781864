"""The calibration weights of TAdaConv as a network makes them for clips, by layer and by stage."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from feature_extraction.tadaconv.modules import CalibratedConv

_STAGE = re.compile(r"(?:(slow|fast)\.)?stages\.(\d+)\.")
_FIRST = 2  # the stages are res2, res3, ...


class StageCalibration(NamedTuple):
    """Mean and standard deviation [B, T] over all factors of a stage's layers at each frame; how many layers."""

    mean: Tensor
    std: Tensor
    layers: int


def calibration_weights(network: nn.Module, video: Tensor) -> dict[str, Tensor]:
    """The calibration weights alpha [B, C, T] of every TAdaConv of a network, by its name, on clips [B, 3, T, H, W].

    They are those that are generated, without the ones of channels left alone (`proportion`). Empty where the
    network has no TAdaConv.
    """
    with torch.no_grad(), recorded_calibration(network) as found:
        network(video)
    return found


@contextlib.contextmanager
def recorded_calibration(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Whenever the network is called within the block, the mapping has its calibration weights of that call.

    with recorded_calibration(network) as weights:
        network(video)
    """
    found: dict[str, Tensor] = {}
    with contextlib.ExitStack() as stack:
        for name, module in network.named_modules():
            if isinstance(module, CalibratedConv):

                def hook(route: nn.Module, inputs: Any, alpha: Tensor, name: str = name) -> None:
                    found[name] = alpha.detach().float()

                handle = module.route.register_forward_hook(hook)
                stack.callback(handle.remove)
        yield found


def by_stage(weights: Mapping[str, Tensor]) -> dict[str, StageCalibration]:
    """Calibration weights [B, C, T] by layer -> their mean and spread at each frame by stage, in the network's order.

    Stages are called res2, res3, ..., of SlowFast "slow res2" and so on; a layer of another network is its own stage.
    """
    groups: dict[str, list[Tensor]] = {}
    for name, alpha in weights.items():
        groups.setdefault(_stage_of(name), []).append(alpha)
    found = {}
    for stage, layers in groups.items():
        factors = torch.cat(layers, 1)
        mean, std = factors.mean(1), factors.std(1, correction=0)
        found[stage] = StageCalibration(mean, std, len(layers))
    return dict(sorted(found.items(), key=_order))


def _stage_of(name: str) -> str:
    match = _STAGE.match(name)
    if match is None:
        return name
    pathway, number = match.groups()
    stage = f"res{int(number) + _FIRST}"
    return f"{pathway} {stage}" if pathway else stage


def _order(item: tuple[str, StageCalibration]) -> bool:
    """Of a SlowFast the slow pathway's stages go before the fast one's; others keep their order."""
    return item[0].startswith("fast ")
