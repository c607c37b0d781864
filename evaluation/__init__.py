"""Tables of segments to numbers: mAP, AR@AN, boundary errors, accuracy, fusion, official result files; what costs mAP.

Everything takes pandas frames and numpy arrays; times are seconds. The tables:
annotations(video, start, end, label), proposals(video, start, end, score) and
detections(video, start, end, label, score); EPIC-KITCHENS adds verb and noun, and there the label
is the string "verb,noun".
"""

from __future__ import annotations

from evaluation import fusion, submission
from evaluation.bootstrap import BootstrapMap, MapDifference, bootstrap_map, map_difference
from evaluation.boundaries import SignedErrors, signed_errors
from evaluation.classification import (
    action_accuracy,
    action_probabilities,
    per_class_accuracy,
    topk_accuracy,
)
from evaluation.confusion import Confusion, confusion
from evaluation.detection import DetectionMap, detection_map
from evaluation.error_kinds import DETAD_NAMES, KINDS
from evaluation.error_types import Breakdown, ErrorTypes, error_types
from evaluation.errors import SubmissionError, TableError
from evaluation.operating import OperatingPoint, OperatingPoints, operating_points
from evaluation.recall import Recall, average_recall
from evaluation.stages import (
    StageLoss,
    nearest_proposals,
    stage_losses,
    true_segments,
    with_segments,
    with_true_classes,
)

__all__ = [
    "BootstrapMap",
    "Breakdown",
    "Confusion",
    "DETAD_NAMES",
    "DetectionMap",
    "ErrorTypes",
    "KINDS",
    "MapDifference",
    "OperatingPoint",
    "OperatingPoints",
    "Recall",
    "SignedErrors",
    "StageLoss",
    "SubmissionError",
    "TableError",
    "action_accuracy",
    "action_probabilities",
    "average_recall",
    "bootstrap_map",
    "confusion",
    "detection_map",
    "error_types",
    "fusion",
    "map_difference",
    "nearest_proposals",
    "operating_points",
    "per_class_accuracy",
    "signed_errors",
    "stage_losses",
    "submission",
    "topk_accuracy",
    "true_segments",
    "with_segments",
    "with_true_classes",
]
