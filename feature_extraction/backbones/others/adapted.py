"""The protocol of a backbone, for a network of others: features, their channels, its clip, a head of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from feature_extraction.backbones.resnet import Classes, VideoNetwork
from feature_extraction.published.description import Description
from feature_extraction.tadaconv.insertion import FrameTAdaConv2d, insert_tadaconv


class AdaptedNetwork(VideoNetwork):
    """A network of others with a head of ours on its features; its weights are `network.` and their own names.

    A source's class says in `_features` what it makes of a clip that it takes. `takes` describes its clips:
    `features` refuses others with one line (ValueError).
    """

    network: nn.Module
    leaves_weights_unused = False  # whether weights that are trained may get no gradient

    def __init__(
        self,
        network: nn.Module,
        takes: Description,
        *,
        feature_dim: int,
        num_classes: Classes,
        dropout: float,
    ) -> None:
        super().__init__(feature_dim, num_classes, dropout)  # before it: it gives new weights
        self.network = network
        self.takes = takes

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C]. Raises ValueError for a clip that it does not take."""
        frames, height, width = video.shape[2:]
        takes = self.takes
        if takes.frames not in (None, frames) or frames % takes.every or frames < takes.least:
            raise ValueError(
                f"{takes.name} takes clips of {clip_text(takes)} frames, not of {frames}"
            )
        if takes.crop is not None and (height, width) != (takes.crop, takes.crop):
            raise ValueError(
                f"{takes.name} takes frames of {takes.crop} x {takes.crop} pixels, not of {height} x {width}"
            )
        return self._features(video)

    def _features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] that the network takes -> features [B, C]."""
        raise NotImplementedError

    def insert_tadaconv(self, where: str, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Put TAdaConv in the place of convolutions (`insert_tadaconv`); their names.

        A 2-D convolution is given the number of frames of each clip. Raises ValueError.
        """
        return insert_tadaconv(self.network, where, frames=1, **options)

    def tell_frames(self, count: int) -> None:
        """Say to each 2-D TAdaConv how many frames per clip has."""
        for module in self.network.modules():
            if isinstance(module, FrameTAdaConv2d):
                module.frames = count


def clip_text(takes: Description) -> str:
    """How many frames a network takes, in words."""
    if takes.frames is not None:
        return str(takes.frames)
    if takes.least > 1:
        return f"{takes.least} or more"
    return f"a multiple of {takes.every}" if takes.every > 1 else "any number of"
