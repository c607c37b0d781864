"""Tables of segments to numbers: mAP, AR@AN, boundary errors, accuracy, fusion, official result files.

Everything takes pandas frames and numpy arrays; times are seconds. The tables:
annotations(video, start, end, label), proposals(video, start, end, score) and
detections(video, start, end, label, score); EPIC-KITCHENS adds verb and noun, and there the label
is the string "verb,noun".
"""

from __future__ import annotations

from evaluation import fusion, submission
from evaluation.boundaries import SignedErrors, signed_errors
from evaluation.classification import (
    action_accuracy,
    action_probabilities,
    per_class_accuracy,
    topk_accuracy,
)
from evaluation.detection import DetectionMap, detection_map
from evaluation.errors import SubmissionError, TableError
from evaluation.recall import Recall, average_recall

__all__ = [
    "DetectionMap",
    "Recall",
    "SignedErrors",
    "SubmissionError",
    "TableError",
    "action_accuracy",
    "action_probabilities",
    "average_recall",
    "detection_map",
    "fusion",
    "per_class_accuracy",
    "signed_errors",
    "submission",
    "topk_accuracy",
]
