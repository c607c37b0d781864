"""The settings of what ActionFormer learns, and whether its keys fit one another."""

from __future__ import annotations

from itertools import pairwise

from pydantic import model_validator

from pipeline.configuration.sections.actionformer.network import NetworkSettings
from pipeline.configuration.sections.base import (
    Fraction,
    NonNegative,
    One,
    PositiveFloat,
    Share,
    setting,
)

NO_LIMIT = 10_000.0  # positions; the published last range ends here


class ActionFormerSettings(NetworkSettings):
    """ActionFormer, the other head, and its training; the defaults are those published for THUMOS14."""

    ranges: tuple[tuple[NonNegative, NonNegative], ...] | None = setting(
        "For each level [least, most] distance from a position to the farther end of its segment. "
        "null: 0-4, 4-8, 8-16 and so on, the last without limit.",
        default=None,
        unit="positions",
        paper="ActionFormer 3.3",
        why="Set it if the lengths of your actions leave levels without segments (`tada-loc doctor` counts them).",
    )
    center_radius: PositiveFloat = setting(
        "Largest distance from a segment's middle at which positions learn it, in positions of their level.",
        default=1.5,
        unit="positions",
        paper="ActionFormer 3.3",
        why="Raise it for more positions that learn each segment, lower it if their ends are hard to see from afar.",
    )
    crop_ratio: tuple[Share | One, Share | One] | None = setting(
        "[least, most] share of a video of at most `max_length` positions that is trained on, drawn again in "
        "every epoch. null: all of it.",
        default=(0.9, 1),
        why="Lower the first for few videos, so that each epoch shows other parts.",
    )
    min_inside: Fraction = setting(
        "Least share of a segment inside the part of a video for the part to be trained on it.",
        default=0.5,
        why="Raise it so that segments that a part cuts off are not learned with wrong ends.",
    )
    regression_weight: NonNegative = setting(
        "Weight of the distances' loss beside that of the classes.",
        default=1.0,
        paper="ActionFormer Eq. 7",
        why="Raise it if classes are right and boundaries are off; lower it in the opposite case.",
    )
    label_smoothing: Share = setting(
        "Share of the label that is spread over all classes.",
        default=0.0,
        why="0.1 against overconfident scores and for labels with mistakes.",
    )
    loss_normalizer: PositiveFloat = setting(
        "What the losses are divided by at first; later by the moving average of the positions that "
        "learn a segment in a step.",
        default=100.0,
        unit="positions",
        why="Set it near the number of such positions in a step if the first steps are too large or too small.",
    )

    @property
    def regression_ranges(self) -> tuple[tuple[float, float], ...]:
        """`ranges`, or those of as many levels as there are: 0-4, 4-8, 8-16 and so on, the last to the end."""
        if self.ranges is not None:
            return self.ranges
        edges = [0.0, *(4.0 * 2**level for level in range(self.levels - 1)), NO_LIMIT]
        return tuple(pairwise(edges))

    @model_validator(mode="after")
    def _sizes_fit(self) -> ActionFormerSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        for name in ("window", "ranges"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.levels:
                raise ValueError(f"{name} has {len(value)} entries, and levels is {self.levels}")
        windows = self.window if isinstance(self.window, tuple) else (self.window,)
        if even := [window for window in windows if window and window % 2 == 0]:
            raise ValueError(
                f"window {even[0]} is even: give an odd number, or 0 for all positions"
            )
        if self.ranges is not None and any(least >= most for least, most in self.ranges):
            raise ValueError("ranges: each is [least, most], the least below the most")
        if self.crop_ratio is not None and not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ValueError("crop_ratio is [least, most], above 0, the least first")
        least = 1 << (self.levels - 1)
        if self.max_length % least:
            raise ValueError(
                f"max_length {self.max_length} is not a multiple of {least}, 2 ** (levels - 1)"
            )
        return self
