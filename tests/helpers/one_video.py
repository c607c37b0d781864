"""A run with the features of one video, and segments in it, for tests of BMN's windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from feature_extraction import FeatureMeta, feature_path, write_features
from pipeline.configuration.reading import find_config, load_config
from pipeline.runs.run import Run

SECONDS, CLIPS = 50.0, 375  # a clip every 8 / 60 s
MOVING = {"temporal_scale": 20, "duration_scale": 10, "window_step": 10, "random_windows": True}


def made(folder, clips, offset=None):
    """The features of a run whose one video has so many clips; none of them is zero.

    The first clip is centred on frame `offset`.
    """
    rng = np.random.default_rng(0)
    features = rng.normal(size=(clips, 6)).astype(np.float32)
    seconds = SECONDS * clips / CLIPS
    meta = FeatureMeta("a", 60.0, 8, 8, 8, 224, seconds, "tada2d", "x", "float32")
    meta = replace(meta, clip_shift=0.0 if offset is None else offset - 4)
    write_features(feature_path(folder / "extract/features", "a"), features, meta)
    more = {"extract.offset_frames": offset}
    return Run(folder, load_config(find_config("ek100"), more)).features


def config(**more):
    bmn = {"positions": "every", "windows_to_end": False} | more
    assignments = {f"bmn.{key}": value for key, value in bmn.items()}
    return load_config(find_config("ek100"), assignments).bmn


def rows(*segments):
    table = pd.DataFrame(segments, columns=["start", "end"], dtype=float)
    return table.assign(video="a", subset="training", label="x")
