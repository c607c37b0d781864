"""The sections of ActionFormer: its network, its training, its detections (Zhang, Wu, Li 2022).

Knows nothing of the other head.
"""

from pipeline.configuration.sections.actionformer.detections import DetectionsSettings
from pipeline.configuration.sections.actionformer.training import NO_LIMIT, ActionFormerSettings

__all__ = ["NO_LIMIT", "ActionFormerSettings", "DetectionsSettings"]
