"""Videos in, features out: decode by time, sample clips, run a backbone, store what it says."""

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
