"""What a run's ActionFormer says of each evaluation video, made once, and what NMS leaves of it by any setting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import pandas as pd

from actionformer import Level
from pipeline.configuration.sections.actionformer import DetectionsSettings
from pipeline.data.features.timed import Features
from pipeline.data.sequences.grids import position_grid, position_rows
from pipeline.results.detecting import candidates_of, placed, suppressed, video_levels
from pipeline.runs.run import Run
from pipeline.training.networks.actionformer import Networks, load_network, sizes_of

HELD = 1 << 30  # bytes of outputs that a process holds


class Outputs:
    """The outputs of the network by video: held where there is room, else made each time they are asked for."""

    def __init__(self, run: Run, videos: Sequence[str]) -> None:
        self._run, self._videos = run, videos
        self._sizes = sizes_of(run.detection.actionformer, run.dataset.heads)
        self._levels: dict[str, list[list[Level]]] = {}
        self._held = 0

    def found(self, video: str, features: Features, settings: DetectionsSettings) -> pd.DataFrame:
        """What the stage finds in a video with these settings: detections, or segments without classes."""
        run, config = self._run, self._run.detection
        levels = self._of(video, features)
        candidates = candidates_of(levels, self._network.first.strides, self._sizes, settings)
        grid = position_grid(features.grid, features.duration, config.actionformer)
        heads = run.dataset.heads if self._sizes else ()
        return placed(suppressed(candidates, settings), grid, features.duration, video, heads).table

    def _of(self, video: str, features: Features) -> list[list[Level]]:
        found = self._levels.get(video)
        if found is None:
            config = self._run.detection
            rows = position_rows(features, config.actionformer)
            found = video_levels(self._network, rows, config, self._run.device)
            size = sum(part.nbytes for levels in found for level in levels for part in level)
            if self._held + size <= HELD:
                self._held += size
                self._levels[video] = found
        return found

    @cached_property
    def _network(self) -> Networks:
        run = self._run
        channels = run.features.common_channels(list(self._videos))
        return load_network(
            run.detection.actionformer, channels, self._sizes, run.folder, run.device
        )
