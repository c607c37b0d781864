"""What all settings of a sweep work on: decoded maps, features, class scores; read or made once per process."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from feature_extraction.backbones import VideoNetwork
from pipeline.configuration.sections.detection import ClassifySettings, ProposalSettings
from pipeline.data.features.timed import Features
from pipeline.data.scores.given import GivenScores, scores_of
from pipeline.data.windows.positions import time_grid, video_input
from pipeline.errors import UserError
from pipeline.results.classification.class_scores import Parts
from pipeline.results.classification.classifying import scores_on_features
from pipeline.results.classification.feature_classifier import load_feature_classifier
from pipeline.results.kept_maps import KeptMaps
from pipeline.results.proposing import DecodedVideo, decoded_video, suppressed, video_maps
from pipeline.runs.inputs.fields import VIDEOS
from pipeline.runs.run import Run
from pipeline.stages.heads.proposals import kept_maps
from pipeline.tools.sweep.levels import Outputs
from pipeline.tools.sweep.settings import Finding
from pipeline.training.networks.bmn import load_network
from pipeline.training.networks.classifier import load_classifier

if TYPE_CHECKING:
    from bmn.model import BMN

HELD = 1 << 30  # bytes that a process holds of what it has read


class Material:
    """The evaluation videos of a run, in the order of the annotations, and what is known of each.

    Raises UserError if a stage that is read has not been done.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.fields = run.facts().stage(run.ways.proposing).fields
        made = self.fields[VIDEOS]
        self.videos = [video for video in run.dataset.video_ids(run.subsets[1]) if video in made]
        if not self.videos:
            raise UserError(f"dataset.eval_subset {run.subsets[1]!r}: no video has features")
        self._outputs = Outputs(run, self.videos)
        self._decoded: dict[str, DecodedVideo] = {}
        self._features: dict[str, Features] = {}
        self._held = 0

    @cached_property
    def maps(self) -> KeptMaps:
        """The maps of BMN that are kept."""
        return kept_maps(self.run, self.fields)

    def found(self, video: str, settings: Finding) -> pd.DataFrame:
        """What the stage of the head finds in a video with these settings."""
        if isinstance(settings, ProposalSettings):
            return suppressed(self.decoded(video), video, settings)
        return self._outputs.found(video, self.features(video), settings)

    def keep_maps(self, video: str) -> None:
        """Make the maps of a video and keep them, where there is room."""
        features = self.features(video)
        source = video_input(features, self.run.detection.bmn)
        self.maps.write(
            video, video_maps(self._network, source, self.run.detection.bmn, self.run.device)
        )

    def decoded(self, video: str) -> DecodedVideo:
        """All proposals of a video's maps, which are kept, or made by the network."""
        found = self._decoded.get(video)
        if found is None:
            found = self._decode(video)
            if self._has_room(found.table):
                self._decoded[video] = found
        return found

    def features(self, video: str) -> Features:
        """A video's features."""
        found = self._features.get(video)
        if found is None:
            found = self.run.features(video)
            if self._has_room(found.array):
                self._features[video] = found
        return found

    def scores(
        self, video: str, proposals: pd.DataFrame, settings: ClassifySettings
    ) -> list[np.ndarray]:
        """A video's class scores, one array per head: [1, classes], or a row per proposal; as `classify` makes them."""
        if settings.scores is not None:
            return [self.given.rows[video][None]]
        if settings.decodes:  # those of the run's own proposals, which alone are asked for
            return Parts(self.run.path("classify"), "", {}).read(video)
        return scores_on_features(
            self._classifier,
            self.features(video),
            proposals,
            settings,
            self.run.device,
            on_means=self._on_features,
        )

    @cached_property
    def given(self) -> GivenScores:
        """The scores of `classify.scores`."""
        return scores_of(self.run.detection, self.run.dataset)

    @cached_property
    def without_scores(self) -> frozenset[str]:
        """The videos that `classify.scores` has nothing of. Raises UserError if these are too many."""
        if not self.run.ways.given_scores:
            return frozenset()
        allowed = self.run.config.runtime.allow_failures
        missing = frozenset(self.given.require_few(self.videos, allowed))
        if len(missing) == len(self.videos):
            raise UserError(f"{self.given.file}: no class scores for any video that has features")
        return missing

    def _has_room(self, array: np.ndarray) -> bool:
        if self._held + array.nbytes > HELD:
            return False
        self._held += array.nbytes
        return True

    def _decode(self, video: str) -> DecodedVideo:
        settings, features = self.run.detection.bmn, self.features(video)
        maps = self.maps.read(video)
        if maps is None:
            source = video_input(features, settings)
            maps = video_maps(self._network, source, settings, self.run.device)
        return decoded_video(maps, time_grid(features, settings), settings)

    @cached_property
    def _network(self) -> BMN:
        run = self.run
        channels = run.features.common_channels(self.videos)
        return load_network(run.detection.bmn, channels, run.folder, run.device)

    @property
    def _on_features(self) -> bool:
        return self.run.config.finetune.source == "features"

    @cached_property
    def _classifier(self) -> VideoNetwork:
        run, classes = self.run, self.run.dataset.num_classes
        if self._on_features:
            return load_feature_classifier(classes, run.folder, run.device)
        return load_classifier(run.config.backbone, classes, run.folder, run.device)
