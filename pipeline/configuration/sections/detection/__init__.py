"""The sections of what comes between the trainings and the figures: features, proposals, class scores, evaluation.

ActionFormer's are in pipeline/configuration/sections/actionformer.
"""

from pipeline.configuration.sections.detection.classify import ClassifySettings
from pipeline.configuration.sections.detection.evaluation import EvalSettings
from pipeline.configuration.sections.detection.extract import ExtractSettings
from pipeline.configuration.sections.detection.proposals import ProposalSettings

__all__ = ["ClassifySettings", "EvalSettings", "ExtractSettings", "ProposalSettings"]
