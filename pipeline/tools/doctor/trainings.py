"""How long both trainings will be, and whether that is enough."""

from __future__ import annotations

from collections.abc import Mapping

from feature_extraction.video.reader import VideoInfo
from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import Dataset
from pipeline.data.length import Length, length_line, length_warning
from pipeline.tools.doctor.findings import NOTE, OK, WRONG, Finding
from pipeline.tools.outlook import finetune_outlook, head_outlook


def training_findings(
    config: DetectionConfig,
    dataset: Dataset,
    infos: Mapping[str, VideoInfo],
    seconds: Mapping[str, float],
    *,
    finetunes: bool = True,
) -> list[Finding]:
    """Samples, batch, epochs and steps of a run's trainings; `seconds` are the videos' durations.

    A training with nothing to train on is reported elsewhere, but for BMN where segments fit no window. `finetunes`:
    whether the run has a classifier of its own.
    """
    finetune = finetune_outlook(config, dataset, infos)
    if not finetune.samples:
        return []
    own = [_finding(finetune)] if finetunes else []
    return [*own, _finding(head_outlook(config, dataset, seconds))]


def _finding(length: Length[OptimisationSettings]) -> Finding:
    check, settings, steps = f"training, {length.section}", length.settings, length.steps
    if not length.samples and length.section != "bmn":
        return Finding(check, WRONG, "the length of no training video with segments is known")
    if not length.samples:
        text = "no window holds a whole training segment; raise bmn.temporal_scale or feature_step"
        return Finding(check, WRONG, text)
    text = length_line(settings, length.samples, length.unit, steps)
    warning = length_warning(length.section, settings, steps)
    numbers = {
        length.unit: length.samples,
        "batch_size": settings.batch_size,
        "epochs": settings.epochs,
        "steps": settings.epochs * steps,
    }
    if warning is None:
        return Finding(check, OK, text, numbers=numbers)
    return Finding(check, NOTE, f"{text}; {warning}", numbers=numbers)
