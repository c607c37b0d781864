"""Videos in, features out: decode by time, sample clips, run a backbone, store what it says.

The names are looked up when they are asked for: torch takes seconds to load, and reading a feature file or
a video needs none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feature_extraction.backbones import build_backbone
    from feature_extraction.extractor import (
        ExtractionError,
        Extractor,
        VideoFeatures,
        extract_features,
        features_at,
    )
    from feature_extraction.sampling import ClipGrid
    from feature_extraction.store import (
        FeatureFileError,
        FeatureMeta,
        feature_path,
        read_features,
        read_meta,
        read_shape,
        write_features,
    )
    from feature_extraction.tadaconv import TAdaConv1d, TAdaConv2d, TAdaConv3d, insert_tadaconv
    from feature_extraction.video.frame_folder import FrameFolder
    from feature_extraction.video.opening import open_video, probe
    from feature_extraction.video.reader import VideoError, VideoInfo
    from feature_extraction.weights import load_public_checkpoint

__all__ = [
    "ClipGrid",
    "ExtractionError",
    "Extractor",
    "FeatureFileError",
    "FeatureMeta",
    "FrameFolder",
    "TAdaConv1d",
    "TAdaConv2d",
    "TAdaConv3d",
    "VideoError",
    "VideoFeatures",
    "VideoInfo",
    "build_backbone",
    "extract_features",
    "feature_path",
    "features_at",
    "insert_tadaconv",
    "load_public_checkpoint",
    "open_video",
    "probe",
    "read_features",
    "read_meta",
    "read_shape",
    "write_features",
]

# What is where.
_NAMES = {
    "backbones": ("build_backbone",),
    "extractor": (
        "ExtractionError",
        "Extractor",
        "VideoFeatures",
        "extract_features",
        "features_at",
    ),
    "sampling": ("ClipGrid",),
    "store": (
        "FeatureFileError",
        "FeatureMeta",
        "feature_path",
        "read_features",
        "read_meta",
        "read_shape",
        "write_features",
    ),
    "tadaconv": (
        "TAdaConv1d",
        "TAdaConv2d",
        "TAdaConv3d",
        "insert_tadaconv",
    ),
    "video.frame_folder": ("FrameFolder",),
    "video.opening": (
        "open_video",
        "probe",
    ),
    "video.reader": (
        "VideoError",
        "VideoInfo",
    ),
    "weights": ("load_public_checkpoint",),
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name, from the file that defines it."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
