"""A store of imported features of three videos: one short, one long, one without segments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from feature_extraction import FeatureMeta, feature_path, write_features
from pipeline.configuration.reading import find_config, load_config
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.data.annotations import Dataset
from pipeline.data.features.made import extracted_by
from pipeline.data.features.store import FeatureStore

CLIPS = {"short": 20, "long": 75}
CHANNELS = 6


@pytest.fixture
def store(tmp_path):
    """A cell per second: clips of 8 frames, 8 apart, at 60 per second, every 60."""
    config = load_config(find_config("ek100"), {"extract.stride": 60})
    for video, clips in CLIPS.items():
        features = np.random.default_rng(clips).normal(size=(clips, CHANNELS)).astype(np.float32)
        meta = FeatureMeta(video, 60.0, 8, 8, 60, 224, clips - 0.5, "tada2d", "x", "float32")
        write_features(feature_path(tmp_path / "extract/features", video), features, meta)
    return FeatureStore(tmp_path / "extract", extracted_by(config.extract, "tada2d"))


@pytest.fixture
def settings():
    def made(**keys):
        return ActionFormerSettings(**{"levels": 3, "max_length": 32, "batch_size": 1, **keys})

    return made


@pytest.fixture
def dataset():
    none = pd.DataFrame(columns=["video", "subset", "start", "end", "label"])
    return Dataset(none, none, (("run", "jump", "swim"),))


@pytest.fixture
def rows():
    def made(*segments):
        return pd.DataFrame(segments, columns=["video", "start", "end", "label"])

    return made
