"""Which initial weights a training keeps: batch norms as they were loaded, or all but the head."""

from __future__ import annotations

from torch import nn

from feature_extraction.backbones import VideoNetwork
from pipeline.errors import UserError
from pipeline.progress import say


def train_head_alone(network: VideoNetwork) -> None:
    """Keep all weights but the head's as they are."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith("head."))
    count = sum(p.numel() for p in network.parameters() if p.requires_grad)
    say(f"finetune: the head alone is trained (backbone.train), {count:,} weights")


def freeze_norms(network: nn.Module) -> list[str]:
    """Keep batch norms as they were loaded; their names.

    Frozen are those whose running mean and variance came with the initial weights: they normalise
    by these, which stay as they are, and their weight and bias are not trained. A norm whose
    statistics are still 0 and 1 was not loaded (after ImageNet's weights: in TAdaConv's routes and
    in the temporal aggregation). It has nothing to keep and is trained as ever. Raises
    UserError if no norm was loaded.
    """
    kinds = nn.modules.batchnorm._BatchNorm
    norms = {name: m for name, m in network.named_modules() if isinstance(m, kinds)}
    names = [name for name, norm in norms.items() if _was_loaded(norm)]
    for name in names:
        norms[name].eval().requires_grad_(False)
    if not names:
        raise UserError(
            "finetune.freeze_norm: the initial weights have no batch norm to keep; "
            "set backbone.pretrained, or freeze_norm=false"
        )
    new = len(norms) - len(names)
    say(f"finetune: {len(names)} batch norms stay as loaded, {new} new ones are trained")
    return names


def _was_loaded(norm: nn.modules.batchnorm._BatchNorm) -> bool:
    """Whether a batch norm's statistics differ from those it was created with."""
    mean, variance = norm.running_mean, norm.running_var
    return mean is not None and variance is not None and bool(mean.any() or (variance != 1).any())
