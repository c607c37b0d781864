"""Features as they are stored: float16, which not every number fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from feature_extraction.feature_meta import FeatureFileError

# Bytes of a file: 10 hours with 15 clips per second of 2,304 channels have 2.5 GB.
LARGEST = 4 << 30
FRAMING = 1 << 20  # of them around the features, more than it ever is


def to_half(path: Path, features: np.ndarray) -> np.ndarray:
    """Features [clips, channels] as float16. Raises FeatureFileError for another shape, no clips, or values it cannot hold."""
    if features.ndim != 2 or min(features.shape) == 0 or features.dtype.kind != "f":
        raise FeatureFileError(
            f"{path}: features are {features.dtype} {features.shape}, "
            "must be float [clips, channels]"
        )
    if 2 * features.size > LARGEST - FRAMING:
        raise FeatureFileError(
            f"{path}: {features.shape[0]} clips of {features.shape[1]} channels would "
            f"take {2 * features.size / 1e9:.2f} GB, more than the {LARGEST / 1e9:.2f} GB of a feature file; "
            "take a larger stride"
        )
    if not np.isfinite(features).all():
        raise FeatureFileError(f"{path}: features hold NaN or infinite values")
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(features, dtype=np.float16)
    if not np.isfinite(stored).all():
        largest = float(np.abs(features).max())
        raise FeatureFileError(f"{path}: a feature of {largest:.3g} does not fit in float16")
    return stored
