"""The sections of two trainings: fine-tuning the classifier, and the boundary-matching network.

What they share with ActionFormer's is in pipeline/configuration/sections/optimisation.py.
"""

from pipeline.configuration.sections.training.augmentation import AugmentSettings
from pipeline.configuration.sections.training.bmn import BMNSettings
from pipeline.configuration.sections.training.finetune import FinetuneSettings

__all__ = ["AugmentSettings", "BMNSettings", "FinetuneSettings"]
