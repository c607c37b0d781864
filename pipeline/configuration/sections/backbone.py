"""The settings of the classifier's network, ours or one that others publish."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from feature_extraction.published.description import Description, from_json
from feature_extraction.published.names import Published, parse_name, without_path
from pipeline.configuration.sections.base import (
    ByContent,
    Flag,
    NonNegative,
    NoResult,
    Positive,
    PositiveFloat,
    Real,
    Section,
    Share,
)

# Keys that former model files have not: at their defaults they are left out of one.
LATER = ("train", "tokens", "insert", "revision", "published")


def _described(value: Any) -> Any:
    """What `tada-loc` has read of a published network, checked; nobody writes it by hand."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("input should be what tada-loc has written there")
    return from_json(value).to_json()


class BackboneSettings(Section):
    """The classifier's network (Sections 3 and 4, Appendix B; feature_extraction.build_backbone)."""

    name: Annotated[str, ByContent()] = Field(
        default="tada2d",
        description="Name of the network (docs/how-to/tadaconv.md), or of one that others publish: `hf:ORG/MODEL`, "
        "`hf:FOLDER`, `torchvision:NAME`, `timm:NAME` (docs/how-to/backbones.md).",
    )
    depth: Positive | tuple[Positive, ...] = Field(
        default=50, description="Depth of the ResNet in layers, or the blocks of each stage."
    )
    width: Positive = Field(default=64, description="Channels of the stem.")
    dropout: Share = Field(
        default=0.5, description="Probability that a feature is dropped before the head."
    )
    reduction: Positive = Field(
        default=4,
        description="Ratio r by which the calibration of TAdaConv has fewer channels (Eq. 4).",
    )
    kernels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=2)] = Field(
        default=(3, 3),
        description="Lengths of the calibration's convolutions, in frames; one length is the linear "
        "form (Table 3a).",
    )
    global_context: Flag | None = Field(
        default=None,
        description="Whether the clip's descriptor is added (Eq. 5). null: as in the paper's network.",
    )
    calibrate: Literal["in", "out", "in_out", "kernel"] = Field(
        default="in",
        description="What gets a factor a frame: input channels, output channels, both, or the taps of "
        "the kernel (Table 4).",
    )
    proportion: Annotated[Real, Field(gt=0, le=1)] = Field(
        default=1.0, description="Share of the channels that are calibrated (Fig. 3)."
    )
    tada_stages: tuple[Positive, ...] | None = Field(
        default=None,
        description="Which stages, of 2 to 5, have TAdaConv (Fig. 3). null: all.",
    )
    aggregation: Literal["none", "average", "maximum", "mixed"] | None = Field(
        default=None,
        description="Pooling over time after TAdaConv (Table 3b). null: as in the paper's network.",
    )
    pool_kernel: Positive = Field(
        default=3, description="Length of that pooling, in frames; an odd number."
    )
    shortcut: Flag = Field(
        default=True, description="Whether the pooling is added to what it pools (Table 3b)."
    )
    separate_norms: Flag = Field(
        default=True, description="Whether both have a batch norm of their own (Table 3b)."
    )
    mean: tuple[NonNegative, NonNegative, NonNegative] = Field(
        default=(0.45, 0.45, 0.45),
        description="Mean of red, green and blue, in shares of the brightest.",
    )
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        default=(0.225, 0.225, 0.225),
        description="Standard deviation of red, green and blue, in shares of the brightest.",
    )
    pretrained: Annotated[str | None, NoResult()] = Field(
        default=None,
        description="Initial weights: a checkpoint file or `imagenet`. null: random ones. Of networks that others "
        "publish: a file, or `published` (torchvision's: `kinetics400`); hf: ones have their own where it is null.",
    )
    train: Literal["all", "head"] = Field(
        default="all",
        description="What fine-tuning trains: `all` of the network, or the classifier on its features (`head`).",
    )
    tokens: Literal["mean", "first"] = Field(
        default="mean",
        description="What of an hf: network's tokens is the feature: their `mean`, or the `first`, where it is a "
        "class token.",
    )
    insert: str | None = Field(
        default=None,
        max_length=500,
        description="Pattern of names: convolutions of a torchvision: or timm: network that become TAdaConv. "
        "null: none.",
    )
    revision: Annotated[str | None, NoResult()] = Field(
        default=None,
        description="Branch, tag or commit of an hf:ORG/MODEL. null: main, or what the cache has of it.",
    )
    published: Annotated[dict[str, Any] | None, BeforeValidator(_described), ByContent()] = Field(
        default=None,
        description="What was read of a network that others publish. tada-loc writes it; leave it out.",
    )

    @property
    def title(self) -> str:
        """The name without where a folder lies."""
        return without_path(self.name)

    @property
    def begins_with(self) -> str | None:
        """What the initial weights are called, without a path; None for random ones."""
        own = self.title if self.title.startswith("hf:") else None
        given = self.pretrained
        if given is None:
            return own
        return self.title if given == "published" else PurePath(given).name

    @property
    def of_others(self) -> Published | None:
        """The name in its parts where others publish the network, else None. Raises PublishedError."""
        return parse_name(self.name)

    @property
    def description(self) -> Description | None:
        """What is known of a network that others publish."""
        return None if self.published is None else from_json(self.published)
