"""A trained network made ready to extract features: folded, in one precision, compiled if asked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from feature_extraction.backbones.folding import fold_for_inference

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@runtime_checkable
class GivesFeatures(Protocol):
    """A network that is asked for features."""

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C]."""


class InferenceNetwork(nn.Module):
    """What `for_inference` gives: features in eval mode and without gradients, float32 in and out."""

    def __init__(self, network: nn.Module, precision: str, compiled: bool) -> None:
        super().__init__()
        if not isinstance(network, GivesFeatures):
            raise TypeError(f"a {type(network).__name__} has no features(video) to extract")
        self.network = network
        self.network.to(PRECISIONS[precision])
        self.precision = precision
        self.compiled = compiled
        self._run = _compile(network.features) if compiled else network.features

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features float32 [B, C].

        Compiled, every size of video is built once, which takes from ten seconds to a minute; where
        that fails (no C++ compiler), a warning says so and the network runs as it is.
        """
        video = video.to(PRECISIONS[self.precision])
        with torch.no_grad():
            if not self.compiled:
                return self._run(video).float()
            try:
                return self._run(video).float()
            except Exception as error:  # the compiler's failures share no class
                reason = " ".join(str(error).split())[:200]
                warnings.warn(f"torch.compile failed, running without: {reason}", stacklevel=2)
                self.compiled, self._run = False, self.network.features
                return self._run(video).float()


def for_inference(
    model: nn.Module, *, precision: str = "float32", compiled: bool = False
) -> InferenceNetwork:
    """A network with the features `model` has in eval mode, made faster; `model` is left as it is.

    Batch norms and temporal aggregations are folded (exact up to rounding). `precision` "bfloat16"
    holds the weights and computes in bfloat16 (of a trained network the features move by about half
    a percent); `compiled` fuses what is left with torch.compile. Raises ValueError on an unknown
    precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, must be {' or '.join(PRECISIONS)}")
    return InferenceNetwork(fold_for_inference(model), precision, compiled).eval()


def _compile(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    # Frozen: the weights become constants, laid out once as the convolutions want them. One thread
    # compiles: extraction has as many processes as it has cores already.
    options: dict[str, str | int | bool | Callable[..., Any]]
    options = {"freezing": True, "compile_threads": 1}
    return torch.compile(function, dynamic=False, options=options)
