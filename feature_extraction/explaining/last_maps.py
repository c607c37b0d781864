"""The last feature maps of a network, before they are averaged, and what it makes of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from feature_extraction.backbones import SlowFast, VideoNetwork, VideoResNet


class NoFeatureMapsError(ValueError):
    """A network that has no feature maps over space, or is not in eval mode."""


class LastMaps(NamedTuple):
    """What the last stages of a network give for clips of T frames, and the logits it makes of that.

    `maps`: one [B*T', C, h, w] a pathway, T' = T / `every`: of SlowFast the slow pathway's and the fast one's, of
    other networks one. They are leaves: gradients of the logits end there. `logits`: [B, classes] a head.
    """

    maps: tuple[Tensor, ...]
    every: tuple[int, ...]
    logits: tuple[Tensor, ...]


def last_maps(network: VideoNetwork, video: Tensor) -> LastMaps:
    """The last feature maps of clips [B, 3, T, H, W], whose logits can be differentiated with respect to them.

    Nothing before them is kept for a gradient, so that it takes no more memory than inference. Raises
    NoFeatureMapsError for a network on features, and for one that is not in eval mode.
    """
    if network.training:
        raise NoFeatureMapsError("the network is in training mode: call eval() first")
    stages, every = _last_stages(network)
    found: dict[int, Tensor] = {}
    # A hook that turns gradients on ends with this block, too.
    with torch.no_grad(), _leaves(stages, found):
        logits = network(video)
    heads = logits if isinstance(logits, tuple) else (logits,)
    return LastMaps(tuple(found[place] for place in range(len(stages))), every, heads)


def _last_stages(network: VideoNetwork) -> tuple[tuple[nn.Module, ...], tuple[int, ...]]:
    """The modules that give the last maps, and for how many of the clip's frames one of theirs stands."""
    if isinstance(network, SlowFast):
        return (network.slow.stages[-1], network.fast.stages[-1]), (network.alpha, 1)
    if isinstance(network, VideoResNet):
        return (network.stages[-1],), (1,)
    raise NoFeatureMapsError(
        f"a {type(network).__name__} has no feature maps over space: there is nothing to show in a frame"
    )


@contextlib.contextmanager
def _leaves(stages: tuple[nn.Module, ...], found: dict[int, Tensor]) -> Iterator[None]:
    """Within the block what the stages give begins a graph of its own and is put into `found`."""
    with contextlib.ExitStack() as stack:
        for place, stage in enumerate(stages):

            def hook(module: nn.Module, inputs: Any, output: Tensor, place: int = place) -> Tensor:
                torch.set_grad_enabled(True)
                found[place] = output.detach().requires_grad_()
                return found[place]

            handle = stage.register_forward_hook(hook)
            stack.callback(handle.remove)
        yield
