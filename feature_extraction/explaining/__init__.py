"""Why a network says what it says: Grad-CAM of a class, and the calibration weights of TAdaConv.

Knows nothing of detections, of class names and of pictures.
"""

from feature_extraction.explaining.calibration import (
    StageCalibration,
    by_stage,
    calibration_weights,
    recorded_calibration,
)
from feature_extraction.explaining.gradcam import ClassMaps, class_maps, grad_cam
from feature_extraction.explaining.last_maps import LastMaps, NoFeatureMapsError, last_maps

__all__ = [
    "ClassMaps",
    "LastMaps",
    "NoFeatureMapsError",
    "StageCalibration",
    "by_stage",
    "calibration_weights",
    "class_maps",
    "grad_cam",
    "last_maps",
    "recorded_calibration",
]
