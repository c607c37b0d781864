"""Do tensors fit the networks of a configuration? Checked by names and shapes, before anything is allocated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from feature_extraction.backbones import BACKBONES
from feature_extraction.weights.tensors import CLASSIFIER
from pipeline.configuration.settings import DetectionConfig
from pipeline.errors import UserError
from pipeline.model_files.limits import require_bounded


class Form(NamedTuple):
    """What is known of a tensor without its values: its kind as safetensors names it, and its shape."""

    kind: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kind} {list(self.shape)}"


def require_fits(
    found: Mapping[str, Form], config: DetectionConfig, heads: Sequence[Sequence[str]]
) -> None:
    """Refuse tensors that are not those of the two networks. Raises UserError naming the first that is not.

    The configuration's sizes are bounded first, its blocks by the tensors that are there.
    """
    require_bounded(config)
    depth = config.backbone.depth
    if isinstance(depth, tuple) and sum(depth) > len(found):
        raise UserError(
            f"backbone.depth has {sum(depth)} blocks, and the file {len(found)} tensors"
        )
    wanted = wanted_tensors(config, heads)
    for what, names in (
        ("is missing tensors of its networks", wanted.keys() - found.keys()),
        ("has tensors that its networks do not have", found.keys() - wanted.keys()),
    ):
        if names:
            first, *more = sorted(names)
            rest = f" and {len(more)} more" if more else ""
            raise UserError(f"it {what}: {first[:200]}{rest}")
    for name, form in wanted.items():
        if found[name] != form:
            raise UserError(f"the tensor {name} is {found[name]}, the network's {form}")


def wanted_tensors(config: DetectionConfig, heads: Sequence[Sequence[str]]) -> dict[str, Form]:
    """The tensors of both networks by the names they have in a file; none is allocated.

    Raises UserError for an unknown network and for sizes that make none.
    """
    import torch

    from pipeline.training.networks.classifier import untrained_classifier
    from pipeline.training.networks.heads import build_head
    from pipeline.training.networks.unfilled import forms_alone

    if config.backbone.name not in BACKBONES and ":" not in config.backbone.name:
        raise UserError(
            f"backbone.name = {config.backbone.name!r}: unknown to this tada-loc ({', '.join(sorted(BACKBONES))})"
        )
    sizes = tuple(len(names) for names in heads)
    # The tables of samples grow with the map's size, the weights do not.
    small = config.bmn.model_copy(update={"temporal_scale": 2, "duration_scale": 1})
    config = config.model_copy(update={"bmn": small})
    try:
        with forms_alone():
            classifier = untrained_classifier(
                config.backbone, (sizes[0], sizes[1]) if len(sizes) == 2 else sizes[0]
            )
            head = build_head(config, classifier.feature_dim, sizes)
    except UserError as error:
        raise UserError(error.message) from error
    except (ValueError, RuntimeError, OverflowError, MemoryError) as error:
        raise UserError(
            f"its sizes do not make a network ({' '.join(str(error).split())[:200]})"
        ) from error
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    return {
        f"{prefix}{name}": Form(kinds.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape))
        for prefix, network in ((CLASSIFIER, classifier), (f"{config.detector.name}.", head))
        for name, tensor in network.state_dict().items()
    }
