"""The fine-tuned classifier as an extractor: the network, and everything that decides its input."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from feature_extraction.backbones import VideoNetwork, for_inference
from feature_extraction.extractor import Extractor
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.clips.geometry import clip_grid, extraction_view
from pipeline.processes.compiling import use_compiler_cache
from pipeline.training.networks.classifier import load_classifier

SILENCE_SECONDS = 300.0  # a process that makes no batch of clips for this long is hanging


class OpenClassifier(NamedTuple):
    """A run's classifier, whose head classifies features, and the extractor that makes them."""

    model: VideoNetwork
    extractor: Extractor


def open_classifier(
    config: DetectionConfig, num_classes: int | tuple[int, int], folder: Path, device: torch.device
) -> OpenClassifier:
    """The classifier of the run in `folder`, ready to extract as `config.extract` says.

    Raises UserError if its weights are damaged or of another network.
    """
    model = load_classifier(config.backbone, num_classes, folder, device)
    return OpenClassifier(model, extractor_of(config, model, device))


def extractor_of(
    config: DetectionConfig, model: VideoNetwork, device: torch.device, *, lanes: int = 1
) -> Extractor:
    """A trained network as what extracts features as `config.extract` says; `lanes`: batches at once.

    If a model made with a GPU decoder is used on a CPU, PyAV decodes there: the same frames.
    """
    settings, view = config.extract, extraction_view(config.extract)
    if settings.compile:
        use_compiler_cache()
    on_gpu = settings.decoder == "nvdec"
    return Extractor(
        network=for_inference(model, precision=settings.precision, compiled=settings.compile),
        grid=clip_grid(settings),
        short_side=view.short_side,
        crop=view.crop,
        batch_size=settings.batch_size,
        device=device,
        mean=config.backbone.mean,
        std=config.backbone.std,
        decoder="pyav" if on_gpu and device.type != "cuda" else settings.decoder,
        allow_partial=settings.allow_partial,
        lanes=lanes,
    )
