"""A trained model at work: a video to features, proposals and detections, as the stages make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from feature_extraction.extractor import ExtractionError, Heartbeat
from feature_extraction.video.reader import DamagedVideoError, VideoError
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.features.timed import Features
from pipeline.data.remote.videos import path_of
from pipeline.data.videos.damage import extraction_takes_parts, told
from pipeline.data.videos.finding import Source
from pipeline.prediction.found import Prediction, names_of
from pipeline.prediction.heads import look
from pipeline.prediction.model import Model
from pipeline.prediction.networks import classifier_of, head_of
from pipeline.processes.device import lanes_on, one_thread, pick_device
from pipeline.results.classification.classifying import (
    scores_on_clips,
    scores_on_features,
    times_of,
)
from pipeline.results.classification.fusing import fused
from pipeline.results.classifier_extractor import extractor_of

Progress = Callable[[float], object]  # seconds of the video that are done


class Extracted(NamedTuple):
    """A video's features, as they are read back once they are stored, and its damaged spans in seconds."""

    features: Features
    damaged: tuple[tuple[float, float], ...]


class Detector:
    """Both networks of a model on a device, ready for videos.

    `precision` ("float32", "bfloat16") takes the place of the model's own for the classifier, as
    `extract.precision` does. `lanes`: batches of clips that are in the network at the same time (8 at most), each on one
    thread of the CPU; it changes no result. `allow_partial` takes damaged videos for what they hold, also where the
    model's own settings do not. Raises UserError if the device is not there.
    """

    def __init__(
        self,
        model: Model,
        *,
        device: str = "auto",
        precision: str | None = None,
        lanes: int = 1,
        allow_partial: bool = False,
    ) -> None:
        self.model = model
        self.config = with_changes(model.config, precision, allow_partial)
        self.device = pick_device(device)
        self._classifier = classifier_of(model, self.device)
        self._head = head_of(model, self._classifier.feature_dim, self.device)
        self._lanes = lanes_on(self.device, lanes)
        self._extractor = extractor_of(
            self.config, self._classifier, self.device, lanes=self._lanes
        )

    def features(self, source: Source, *, progress: Progress | None = None) -> Extracted:
        """A video's features float32 [clips, C], rounded as they are stored (float16).

        Raises VideoError, ExtractionError.
        """
        done = _Counted(progress, self.config)
        try:
            with one_thread():
                found = self._extractor.video(source, heartbeat=done)
        except DamagedVideoError as error:
            takes = extraction_takes_parts(self.config)
            raise VideoError(told(error, takes, "tada-loc predict --allow-partial")) from error
        array = as_stored(found.features)
        return Extracted(
            Features(array, clip_grid(self.config.extract), found.duration), found.damaged
        )

    def predict(
        self, source: Source, video: str, *, progress: Progress | None = None
    ) -> Prediction:
        """What the model finds in a video, called `video` from here on.

        The detections are those that the stages make of it exactly. Raises VideoError, ExtractionError.
        """
        return self.detect(
            source, video, self.features(source, progress=progress), progress=progress
        )

    def detect(
        self,
        source: Source,
        video: str,
        extracted: Extracted,
        *,
        progress: Progress | None = None,
    ) -> Prediction:
        """As `predict`, of features that are there. Where clips are decoded at proposals, the video is read."""
        features, heads = extracted.features, self.model.heads
        seen = look(self._head, features, video, self.config, heads, self.device, lanes=self._lanes)

        def report() -> None:
            if progress is not None:
                progress(features.duration)

        report()
        detections = seen.detections
        if detections is None:
            scores = {}
            if len(seen.proposals):
                scores[video] = self._scores(source, features, seen.proposals, report)
            detections = fused(self.config.classify, heads, seen.proposals, scores)
        return Prediction(
            video=video,
            source=path_of(source),
            duration=features.duration,
            detections=best_first(detections),
            proposals=seen.proposals,
            curves=seen.curves,
            model=self.model.name,
            digest=self.model.digest,
            names=names_of(heads, detections),
            classes=heads[0] if len(heads) == 1 else (),
            damaged=extracted.damaged,
        )

    def _scores(
        self,
        source: Source,
        features: Features,
        proposals: pd.DataFrame,
        heartbeat: Heartbeat,
    ) -> list[np.ndarray]:
        """Class scores of the proposals, one array per head."""
        settings = self.config.classify
        if not settings.decodes:
            return scores_on_features(self._classifier, features, proposals, settings, self.device)
        times = times_of(settings, proposals, features.grid)
        with one_thread():
            return scores_on_clips(
                self._classifier, self._extractor, source, times, heartbeat=heartbeat
            )


def with_changes(
    config: DetectionConfig, precision: str | None, allow_partial: bool
) -> DetectionConfig:
    """The configuration with another `extract.precision` and with `extract.allow_partial`, where these are given."""
    changes: dict[str, object] = {"allow_partial": True} if allow_partial else {}
    if precision is not None:
        changes["precision"] = precision
    extract = config.extract.model_copy(update=changes)
    return config.model_copy(update={"extract": extract})


def as_stored(features: np.ndarray) -> np.ndarray:
    """Features as a feature file gives them back. Raises ExtractionError if float16 does not hold one."""
    with np.errstate(over="ignore"):
        stored = features.astype(np.float16)
    if not np.isfinite(stored).all():
        largest = float(np.abs(features).max())
        raise ExtractionError(f"a feature of {largest:.3g} does not fit in float16")
    return stored.astype(np.float32)


def best_first(detections: pd.DataFrame) -> pd.DataFrame:
    """Detections by falling score; equal scores stay in their order."""
    return detections.sort_values("score", ascending=False, kind="stable", ignore_index=True)


class _Counted:
    """A heartbeat that reports how many seconds of the video are done."""

    def __init__(self, progress: Progress | None, config: DetectionConfig) -> None:
        self._progress = progress
        self._seconds = config.extract.batch_size * config.extract.stride / config.extract.fps
        self._batches = 0

    def __call__(self) -> None:
        self._batches += 1
        if self._progress is not None:
            self._progress(self._batches * self._seconds)
