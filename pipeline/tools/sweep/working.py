"""One setting of what is found, and all settings of classes that are tried with it: what a process does at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.configuration.sections.detection import ClassifySettings
from pipeline.processes.workers import Handler, Heartbeat
from pipeline.results.classification.fusing import fused
from pipeline.runs.run import Run
from pipeline.tools.sweep.figures import Halves, Measured, measured
from pipeline.tools.sweep.material import Material
from pipeline.tools.sweep.settings import Finding

Scores = dict[str, list[np.ndarray]]  # by video


class Job(NamedTuple):
    """Settings that share what is made of the head's outputs."""

    finding: Finding
    classify: tuple[ClassifySettings, ...]


def measuring(run: Run, halves: Halves | None) -> Handler:
    """What a process does with a job: the figures of each of its settings, in their order."""
    material = Material(run)

    def handle(job: Job, heartbeat: Heartbeat) -> list[Measured]:
        return measure(material, job, halves, heartbeat)

    return handle


def measure(
    material: Material, job: Job, halves: Halves | None, heartbeat: Heartbeat
) -> list[Measured]:
    """The figures of each setting of a job, as `eval` would give them."""
    found = []
    for detections in detections_of(material, job, heartbeat):
        found.append(measured(material.run, detections, halves))
        heartbeat()
    return found


def detections_of(material: Material, job: Job, heartbeat: Heartbeat) -> Iterator[pd.DataFrame]:
    """The detections of each setting of a job, as `classify`, or `detect`, would leave them."""
    tables = _found(material, job.finding, heartbeat)
    if material.run.ways.own_classes:
        detections = pd.concat(list(tables.values()), ignore_index=True)
        yield from (detections for _ in job.classify)
        return
    proposals = pd.concat(list(tables.values()), ignore_index=True)
    scores: dict[ClassifySettings, Scores] = {}
    for settings in job.classify:
        alike = _scored_alike(settings)
        if alike not in scores:
            scores[alike] = _scores(material, tables, alike, heartbeat)
        yield fused(settings, material.run.dataset.heads, proposals, scores[alike])


def _found(material: Material, settings: Finding, heartbeat: Heartbeat) -> dict[str, pd.DataFrame]:
    """What is found in every video that has class scores, by video. Raises UserError if there is none."""
    tables = {}
    for video in material.videos:
        if video not in material.without_scores:
            tables[video] = material.found(video, settings)
            heartbeat()
    return tables


def _scores(
    material: Material,
    tables: dict[str, pd.DataFrame],
    settings: ClassifySettings,
    heartbeat: Heartbeat,
) -> Scores:
    found = {}
    for video, table in tables.items():
        if len(table):
            found[video] = material.scores(video, table, settings)
            heartbeat()
    return found


def _scored_alike(settings: ClassifySettings) -> ClassifySettings:
    """One of all settings that give the same class scores: they differ in how many of them are taken."""
    taken = {"top": 1, "top_verbs": 1, "top_nouns": 1, "pairs": 1}
    return settings.model_copy(update=taken)


def jobs_of(settings: Sequence[tuple[Finding, ClassifySettings]]) -> list[Job]:
    """The settings in jobs, those that make the same of the head's outputs in one."""
    groups: dict[Finding, list[ClassifySettings]] = {}
    for finding, classify in settings:
        groups.setdefault(finding, []).append(classify)
    return [Job(finding, tuple(classify)) for finding, classify in groups.items()]
