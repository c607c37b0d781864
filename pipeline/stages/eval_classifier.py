"""The classifier's own test: views of every validation segment, accuracies, ensembles (Section 5)."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from evaluation.classification import action_probabilities
from feature_extraction.backbones import InferenceNetwork, for_inference
from pipeline.configuration.reading import load_config
from pipeline.configuration.settings import Config
from pipeline.configuration.training_settings import FinetuneSettings
from pipeline.data import annotations
from pipeline.data.clips.segments import Segments, make_segments
from pipeline.data.clips.views import read_views
from pipeline.data.unreadable import Unreadable
from pipeline.data.videos import require_videos
from pipeline.errors import UserError
from pipeline.processes.device import pick_device, share_cores
from pipeline.progress import Progress, say
from pipeline.results.figures import read_results
from pipeline.run_folder import manifests as artifacts
from pipeline.stages.fields import stage_fields, viewed_otherwise
from pipeline.training.classifier import load_classifier, network_input

STAGE = "eval-classifier"
PART = 200  # segments a file: what a kill can cost
VIEWS_AT_ONCE = 3


@dataclass(frozen=True)
class Classifier:
    """One of the runs tested together."""

    settings: FinetuneSettings
    network: InferenceNetwork
    head: nn.Module
    config: Config


def run(config: Config, folder: Path, others: Sequence[Path] = (), *, force: bool = False) -> None:
    """Write `eval-classifier/results.json` and print it; `others` are runs to average with (TAda2D_En)."""
    fields = stage_fields(config, folder, STAGE)
    for number, other in enumerate(others):
        fields[f"input.ensemble[{number}]"] = artifacts.input_fields(other, STAGE)["input.finetune"]
        for key, value in viewed_otherwise(_config_of(other), other).items():
            fields[f"ensemble[{number}].{key}"] = value
    stage = artifacts.open_stage(folder, STAGE, fields, force=force)
    results = stage.folder / "results.json"
    if not stage.complete:
        dataset = annotations.load(config.dataset)
        ranked, left_out = _ranks(config, folder, others, dataset, stage)
        artifacts.write_json(results, _summary(dataset, ranked, left_out, len(others) + 1))
        stage.finish({"left_out": left_out})
        for part in stage.folder.glob("part-*.npz"):
            part.unlink()
    else:
        say(f"{STAGE}: complete")
    click.echo(table(read_results(results, STAGE)))


def table(results: dict[str, Any]) -> str:
    """What the command prints: accuracy in percent, a row a task."""
    rows = [f"{results['segments']} segments, {results['runs']} run(s) averaged"]
    for name, task in results["tasks"].items():
        rows.append(
            f"{name:8s} top-1 {task['top1']:6.2f}  top-5 {task['top5']:6.2f}  "
            f"mean over classes {task['mean_class']:6.2f}"
        )
    return "\n".join(rows)


def ranks_of(scores: Sequence[np.ndarray], target: np.ndarray) -> dict[str, int]:
    """The place, from 0, of the target by falling score: of one head, or of verb, noun and action.

    scores: probabilities [views, classes], one array a head; views are averaged, and for actions the
    joint probabilities of each view (Huang et al. 2021). Equal scores rank by class number.
    """
    if len(scores) == 1:
        return {"class": _place(scores[0].mean(0), int(target[0]))}
    verb, noun = scores
    joint = action_probabilities(verb[None], noun[None])[0]
    action = int(target[0]) * joint.shape[1] + int(target[1])
    return {
        "verb": _place(verb.mean(0), int(target[0])),
        "noun": _place(noun.mean(0), int(target[1])),
        "action": _place(joint.ravel(), action),
    }


def _place(scores: np.ndarray, target: int) -> int:
    own = scores[target]
    return int((scores > own).sum() + (scores[:target] == own).sum())


def _ranks(
    config: Config,
    folder: Path,
    others: Sequence[Path],
    dataset: annotations.Dataset,
    stage: artifacts.Stage,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Ranks of the targets, and the targets, of all segments that could be read."""
    subset = config.dataset.eval_subset
    rows = dataset.rows(subset)
    rows = rows[rows["end"] > rows["start"]].reset_index(drop=True)
    ids = rows["video"].unique()
    paths = require_videos(config.dataset, dataset, ids, config.runtime.allow_failures)
    segments = make_segments(rows, dataset.targets(rows), paths)
    say(
        f"{STAGE}: {len(segments)} segments x {config.views.clips} clips x {config.views.crops} crops"
    )
    missing = [video for video in ids if video not in paths]
    unreadable = Unreadable(config.runtime.allow_failures - len(missing), {})
    device = pick_device(config.runtime.device)
    share_cores(device, config.runtime.workers)
    classifiers = [_classifier(config, folder, dataset, device)]
    classifiers += [_classifier(_config_of(other), other, dataset, device) for other in others]
    parts = []
    with Progress(len(segments), STAGE, unit="segment") as bar:
        for first in range(0, len(segments), PART):
            indices = range(first, min(first + PART, len(segments)))
            path = stage.folder / f"part-{first:07d}.npz"
            table = _read_part(path)
            if table is None:
                table = _part(config, segments, classifiers, indices, unreadable, device, bar)
                with artifacts.atomic_path(path) as temporary, temporary.open("wb") as stream:
                    np.savez(stream, **table)
                stage.progress(indices.stop, len(segments))
            parts.append(table)
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return joined, sorted({*missing, *unreadable.reasons})


def _read_part(path: Path) -> dict[str, np.ndarray] | None:
    """Ranks that an earlier run has left; None where there are none, or they are damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _part(
    config: Config,
    segments: Segments,
    classifiers: Sequence[Classifier],
    indices: range,
    unreadable: Unreadable,
    device: torch.device,
    bar: Progress,
) -> dict[str, np.ndarray]:
    settings = [classifier.settings for classifier in classifiers]
    rows: list[dict[str, int]] = []
    targets: list[np.ndarray] = []
    workers = config.runtime.workers
    for item in read_views(segments, settings, config.views, indices, unreadable, workers):
        bar.update(1)
        if "error" in item:
            unreadable.note(item["video"], item["error"])
            continue
        probabilities = [
            _probabilities(classifier, views, device)
            for classifier, views in zip(classifiers, item["views"], strict=True)
        ]
        # Runs have as many views each, so that averaging views averages runs.
        scores = [np.concatenate(heads) for heads in zip(*probabilities, strict=True)]
        target = segments.targets[item["index"]]
        rows.append(ranks_of(scores, target))
        targets.append(target)
    if not rows:
        raise UserError(f"{STAGE}: none of {len(indices)} segments could be read")
    table = {f"rank.{name}": np.array([row[name] for row in rows]) for name in rows[0]}
    return table | {"target": np.stack(targets)}


@torch.no_grad()
def _probabilities(classifier: Classifier, views: Tensor, device: torch.device) -> list[np.ndarray]:
    """Softmax of every head on every view: [views, classes] each."""
    parts = []
    for few in views.split(VIEWS_AT_ONCE):
        video = network_input(few.to(device), classifier.config.backbone)
        logits = classifier.head(classifier.network.features(video))
        heads = logits if isinstance(logits, tuple) else (logits,)
        parts.append([head.float().softmax(1).cpu().numpy() for head in heads])
    return [np.concatenate(heads) for heads in zip(*parts, strict=True)]


def _config_of(run: Path) -> Config:
    path = run / "config.yaml"
    if not path.is_file():
        raise UserError(f"{run}: no config.yaml; give the folder of a run that has been fine-tuned")
    return load_config(path)


def _classifier(
    config: Config, run: Path, dataset: annotations.Dataset, device: torch.device
) -> Classifier:
    model = load_classifier(config.backbone, dataset.num_classes, run, device)
    network = for_inference(model).to(device)
    return Classifier(config.finetune, network, model.classify, config)


def _summary(
    dataset: annotations.Dataset, ranked: dict[str, np.ndarray], left_out: list[str], runs: int
) -> dict[str, Any]:
    tasks = {}
    for name in [key.partition(".")[2] for key in ranked if key.startswith("rank.")]:
        place, target = ranked[f"rank.{name}"], ranked["target"]
        heads = {"verb": [0], "noun": [1], "action": [0, 1]}.get(name, [0])
        names = [
            ",".join(dataset.heads[head][row[head]] for head in heads) for row in target.tolist()
        ]
        rates = {}
        for label in sorted(set(names)):
            own = place[np.array([other == label for other in names])]
            rates[label] = 100 * float((own == 0).mean())
        tasks[name] = {
            "top1": 100 * float((place == 0).mean()),
            "top5": 100 * float((place < 5).mean()),
            "mean_class": float(np.mean(list(rates.values()))),
            "per_class": rates,
        }
    return {
        "segments": len(ranked["target"]),
        "left_out": left_out,
        "runs": runs,
        "tasks": tasks,
    }
