"""Which epoch of a training validated best, and its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from pipeline.errors import UserError


def require_finite(figures: Mapping[str, float], epoch: int) -> None:
    """Refuse a validation that gives no number: no epoch can be chosen by it. Raises UserError."""
    for name, value in figures.items():
        if not math.isfinite(value):
            raise UserError(
                f"{name} of the validation is {value} after epoch {epoch}; lower base_lr or "
                "check the validation videos"
            )


class BestEpoch:
    """The best score so far, the epoch it came with (from 1; 0: none yet) and, where kept, its weights.

    Part of a checkpoint: a resumed training remembers it.
    """

    def __init__(self, *, keeps_weights: bool) -> None:
        self.score, self.epoch = -math.inf, 0
        self._keeps_weights = keeps_weights
        self._weights: dict[str, torch.Tensor] = {}

    def offer(self, score: float, epoch: int, model: nn.Module) -> None:
        """Take an epoch's score; the earlier of two equal ones stays."""
        if not score > self.score:
            return
        self.score, self.epoch = score, epoch
        if self._keeps_weights:
            self._weights = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}

    def put_back(self, model: nn.Module) -> None:
        """Put the best epoch's weights into a model."""
        model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """As plain values and tensors."""
        return {"score": self.score, "epoch": self.epoch, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a `state_dict`."""
        self.score, self.epoch = float(state["score"]), int(state["epoch"])
        self._weights = dict(state["weights"])
