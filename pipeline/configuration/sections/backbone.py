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
    setting,
)

# Keys that former model files do not have: at their defaults they are left out of one.
LATER = ("train", "tokens", "insert", "revision", "published")


def _described(value: Any) -> Any:
    """What `tada-loc` has read of a published network, checked; nobody writes it by hand."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("input should be what tada-loc has written there")
    return from_json(value).to_json()


class BackboneSettings(Section):
    """The network that looks at clips, and its initial weights (TAdaConv: Sections 3 and 4, Appendix B)."""

    name: Annotated[str, ByContent()] = setting(
        "Name of a network (docs/how-to/tadaconv.md), or of one that others publish: `hf:ORG/MODEL`, "
        "`hf:FOLDER`, `torchvision:NAME`, `timm:NAME` (docs/how-to/backbones.md).",
        default="tada2d",
        paper="TAdaConv 4, TAdaConv 5.1",
        why="`tsn` is the baseline without TAdaConv. Larger networks cost time and memory in fine-tuning and extraction.",
    )
    depth: Positive | tuple[Positive, ...] = setting(
        "Depth of the ResNet in layers, or the number of blocks of each stage.",
        default=50,
        unit="layers, or blocks",
        paper="TAdaConv B",
        why="Lower it for small data sets or without a GPU: faster, and less accurate. ImageNet weights fit 50 layers.",
    )
    width: Positive = setting(
        "Channels of the first convolution.",
        default=64,
        unit="channels",
        paper="TAdaConv B",
        why="Lower it for a smaller, faster network, which then has no public weights to begin with.",
    )
    dropout: Share = setting(
        "Probability that a feature is dropped before the classifier.",
        default=0.5,
        paper="TAdaConv A.1",
        why="Raise it if training accuracy is far above validation accuracy. Lower it if the network learns too slowly.",
    )
    reduction: Positive = setting(
        "Ratio r by which the calibration of TAdaConv has fewer channels.",
        default=4,
        paper="TAdaConv 3.2",
        why="Raise it for fewer parameters in the calibration, lower it for more. The cost in time is small either way.",
    )
    kernels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=2)] = setting(
        "Lengths of the calibration's convolutions over time; one length is the linear form.",
        default=(3, 3),
        unit="frames",
        paper="TAdaConv Table 3a",
        why="Change it to repeat the ablation: [3, 3] is the best of it. Lengths of 1 see no neighbouring frames.",
    )
    global_context: Flag | None = setting(
        "Whether the calibration also sees a descriptor of the whole clip. null: as in the paper's network.",
        default=None,
        paper="TAdaConv Table 3a",
        why="Set it to repeat the ablation: the paper's best network has it.",
    )
    calibrate: Literal["in", "out", "in_out", "kernel"] = setting(
        "What gets a factor per frame: input channels, output channels, both, or the taps of the kernel.",
        default="in",
        paper="TAdaConv Table 4",
        why="Change it to repeat the ablation: `in` is the best of it. `kernel` is slower on a CPU.",
    )
    proportion: Annotated[Real, Field(gt=0, le=1)] = setting(
        "Share of the channels that are calibrated.",
        default=1.0,
        paper="TAdaConv Fig. 3",
        why="Lower it to repeat the ablation: accuracy rises with the share.",
    )
    tada_stages: tuple[Positive, ...] | None = setting(
        "Stages that have TAdaConv, of 2 to 5. null: all.",
        default=None,
        unit="stages",
        paper="TAdaConv Fig. 3",
        why="Set it to repeat the ablation: later stages contribute more, and all of them give the highest accuracy.",
    )
    aggregation: Literal["none", "average", "maximum", "mixed"] | None = setting(
        "Pooling over time after TAdaConv. null: as in the paper's network.",
        default=None,
        paper="TAdaConv 4, TAdaConv Table 3b",
        why="Change it to repeat the ablation: `average` is the best of it, and `none` is clearly worse.",
    )
    pool_kernel: Positive = setting(
        "Length of that pooling, an odd number.",
        default=3,
        unit="frames",
        paper="TAdaConv 4",
        why="Raise it to aggregate over a longer time. Public weights were trained with 3.",
    )
    shortcut: Flag = setting(
        "Whether the pooling is added to what it pools.",
        default=True,
        paper="TAdaConv Table 3b",
        why="`false` repeats the ablation: a little less accurate.",
    )
    separate_norms: Flag = setting(
        "Whether what is pooled and the pooling each have their own batch norm.",
        default=True,
        paper="TAdaConv Table 3b",
        why="`false` repeats the ablation: less accurate.",
    )
    mean: tuple[NonNegative, NonNegative, NonNegative] = setting(
        "Mean of red, green and blue, where white is 1.",
        default=(0.45, 0.45, 0.45),
        why="Set it to what initial weights were trained with. For networks that others publish it is set by their publisher.",
    )
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = setting(
        "Standard deviation of red, green and blue, where white is 1.",
        default=(0.225, 0.225, 0.225),
        why="Set it, like `mean`, to what initial weights were trained with.",
    )
    pretrained: Annotated[str | None, NoResult("initial weights")] = setting(
        "Initial weights: a checkpoint file or `imagenet`. null: random. For networks that others "
        "publish: a file, or `published` (torchvision: `kinetics400`); for hf: networks null means their own weights.",
        default=None,
        paper="TAdaConv A.1, TAdaConv A.2",
        why="Give weights trained on videos if you can: they matter more than most other keys, above all for small data sets.",
    )
    train: Literal["all", "head"] = setting(
        "What fine-tuning trains: `all` of the network, or only the classifier on its features (`head`).",
        default="all",
        why="`head` is faster, needs less memory and suits few videos and strong weights. `all` adapts the features too.",
    )
    tokens: Literal["mean", "first"] = setting(
        "Which tokens of an hf: network are the feature: their `mean`, or the `first`, if it is a class token.",
        default="mean",
        why="`first` suits networks whose published classifier is on that token, such as TimeSformer and ViViT.",
    )
    insert: str | None = setting(
        "Pattern of names: convolutions of a torchvision: or timm: network that become TAdaConv. null: none.",
        default=None,
        max_length=500,
        paper="TAdaConv 5.1",
        why="Set it to give another network TAdaConv. Outputs stay the same until the calibration is trained.",
    )
    revision: Annotated[str | None, NoResult("initial weights")] = setting(
        "Branch, tag or commit of an hf:ORG/MODEL. null: main, or the one in the cache.",
        default=None,
        why="Set a commit so that a new version on the Hub cannot change the weights of a new run.",
    )
    published: Annotated[dict[str, Any] | None, BeforeValidator(_described), ByContent()] = setting(
        "What was read of a network that others publish. tada-loc writes it; leave it out.",
        default=None,
        why="There is no reason to: it is written into a run's config.yaml, so that the run no longer needs the publisher.",
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
