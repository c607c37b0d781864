"""The ranks of true classes in what classifiers say of views of segments: what eval-classifier counts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evaluation.classification import ranks_of
from feature_extraction.backbones import InferenceNetwork, for_inference
from pipeline.array_files import open_npz
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.configuration.settings import BackboneSettings, ViewsSettings
from pipeline.data.annotations import Dataset
from pipeline.data.clips.segments import Segments, make_segments
from pipeline.data.clips.views import read_views
from pipeline.data.videos.damage import takes_parts
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError, cannot_read, was_refused
from pipeline.processes.device import share_cores
from pipeline.progress import Progress, say
from pipeline.run_folder.files import atomic_path
from pipeline.run_folder.stage import Stage
from pipeline.runs.run import Run
from pipeline.training.networks.classifier import load_classifier, network_input

PART = 200  # segments a file: what a kill can cost
VIEWS_AT_ONCE = 3


@dataclass(frozen=True)
class Classifier:
    """One of the runs tested together: what it was trained on, its network and head, its input's colours."""

    settings: FinetuneSettings
    network: InferenceNetwork
    head: Callable[[Tensor], Tensor | tuple[Tensor, Tensor]]
    backbone: BackboneSettings


def all_ranks(
    run: Run, others: Sequence[Run], stage: Stage, left_out: LeftOut
) -> dict[str, np.ndarray]:
    """Ranks of the targets, and the targets, of all segments that could be read."""
    segments = _segments(run, left_out)
    views = run.config.views
    say(f"{stage.name}: {len(segments)} segments x {views.clips} clips x {views.crops} crops")
    share_cores(run.device, run.config.runtime.workers)
    classifiers = [_classifier(one, run.dataset, run.device) for one in (run, *others)]
    reader = _Reader(segments, classifiers, views, left_out, run.config.runtime.workers, run.device)
    parts = []
    with Progress(len(segments), stage.name, unit="segment") as bar:
        for first in range(0, len(segments), PART):
            indices = range(first, min(first + PART, len(segments)))
            path = stage.folder / f"part-{first:07d}.npz"
            found = _read_part(path)
            if found is None:
                found = reader.ranks(indices, bar)
                with atomic_path(path) as temporary, temporary.open("wb") as stream:
                    np.savez(stream, **found)  # type: ignore[arg-type]  # numpy takes any names
                stage.progress(indices.stop, len(segments))
            parts.append(found)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _segments(run: Run, left_out: LeftOut) -> Segments:
    """The segments to test on, of videos neither skipped nor missing."""
    rows = run.dataset.rows(run.subsets[1])
    rows = rows[rows["end"] > rows["start"]].reset_index(drop=True)
    ids = left_out.without_skipped(rows["video"].unique())
    paths = run.sources(ids, left_out)
    segments = make_segments(rows, run.dataset.targets(rows), paths, takes_parts(run.config))
    if not len(segments):
        raise UserError(f"dataset.eval_subset {run.subsets[1]!r}: no segment to test on")
    return segments


def _read_part(path: Path) -> dict[str, np.ndarray] | None:
    """Ranks that an earlier run has left; None if there are none, or they are damaged.

    Raises UserError if they cannot be read.
    """
    try:
        with open_npz(path) as stored:
            return {key: stored[key] for key in stored.files}
    except (FileNotFoundError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        return None
    except OSError as error:
        if was_refused(error):
            raise cannot_read(path, error) from error
        return None


@dataclass(frozen=True)
class _Reader:
    """Segments shown to several classifiers."""

    segments: Segments
    classifiers: Sequence[Classifier]
    views: ViewsSettings
    left_out: LeftOut
    workers: int
    device: torch.device

    def ranks(self, indices: range, bar: Progress) -> dict[str, np.ndarray]:
        """Ranks of the targets, and the targets, of some segments. Raises UserError if none can be read."""
        settings = [classifier.settings for classifier in self.classifiers]
        rows: list[dict[str, int]] = []
        targets: list[np.ndarray] = []
        for item in read_views(
            self.segments, settings, self.views, indices, self.left_out, self.workers
        ):
            bar.update(1)
            if "error" in item:
                self.left_out.failed(item["video"], item["error"])
                continue
            if "damaged" in item:
                self.left_out.damaged(item["video"], item["damaged"])
                continue
            target = self.segments.targets[item["index"]]
            rows.append(ranks_of(self._scores(item["views"]), target))
            targets.append(target)
        if not rows:
            raise UserError(f"eval-classifier: none of {len(indices)} segments could be read")
        table = {f"rank.{name}": np.array([row[name] for row in rows]) for name in rows[0]}
        return table | {"target": np.stack(targets)}

    def _scores(self, views: Sequence[Tensor]) -> list[np.ndarray]:
        """Probabilities [views, classes], one array per head: runs have as many views each, so that
        averaging views averages runs.
        """
        of_runs = [
            _probabilities(classifier, shown, self.device)
            for classifier, shown in zip(self.classifiers, views, strict=True)
        ]
        return [np.concatenate(heads) for heads in zip(*of_runs, strict=True)]


@torch.no_grad()
def _probabilities(classifier: Classifier, views: Tensor, device: torch.device) -> list[np.ndarray]:
    """Softmax of every head on every view: [views, classes] each."""
    parts = []
    for few in torch.split(views, VIEWS_AT_ONCE):
        video = network_input(few.to(device), classifier.backbone)
        logits = classifier.head(classifier.network.features(video))
        heads = logits if isinstance(logits, tuple) else (logits,)
        parts.append([head.float().softmax(1).cpu().numpy() for head in heads])
    return [np.concatenate(heads) for heads in zip(*parts, strict=True)]


def _classifier(run: Run, dataset: Dataset, device: torch.device) -> Classifier:
    backbone = run.config.backbone
    model = load_classifier(backbone, dataset.num_classes, run.folder, device)
    network = for_inference(model).to(device)
    return Classifier(run.config.finetune, network, model.classify, backbone)
