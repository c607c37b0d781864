"""What a model is, for people and for programs: classes, clips, network, sizes, origin, accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.configuration.settings import DetectionConfig
from pipeline.model_files.content import program
from pipeline.model_files.reading import read_file
from pipeline.plain_files import bytes_text
from pipeline.prediction.model import Model
from pipeline.printing import printable
from pipeline.results.scoring import map_table
from pipeline.run_folder.manifests import readable_manifest
from pipeline.runs.graph import row
from pipeline.runs.run import run_of

_SHOWN, _WIDTH = 12, 100  # classes that are named, and characters of a line of them
_TITLES = {"bmn": "BMN", "actionformer": "ActionFormer"}


def describe(path: Path) -> dict[str, Any]:
    """What a model file, or the model of a run's folder, is; as JSON values.

    All of a file is read and checked. Raises UserError, in one line, where it is not a model.
    """
    if path.is_dir():
        from pipeline.prediction.from_run import model_of_run

        return _of_model(model_of_run(path)) | {"program": program(), "trained": trained_on(path)}
    read = read_file(path)
    content = read.content
    return _of_model(read.model) | {
        "format": content.version,
        "bytes": read.size,
        "program": content.program,
        "trained": content.trained,
    }


def trained_on(folder: Path) -> str:
    """The day (UTC) the trainings of a run ended, as in 2026-11-26; empty where that is not known."""
    trainings = ("finetune", run_of(folder).ways.training)
    manifests = [readable_manifest(folder / row(name).folder) for name in trainings]
    days = [manifest.updated[:10] for manifest in manifests if manifest is not None]
    return max(days, default="")


def info_table(info: Mapping[str, Any]) -> str:
    """What `describe` gives, as a user sees it; every line is printable."""
    rows = [
        ("model", info["name"]),
        ("digest", info["digest"]),
        *_class_rows(info["classes"]),
        ("network", _network_text(info["network"])),
        ("clips", _clips_text(info["clips"])),
        ("detector", _detector_text(info["detector"], info["proposals"])),
        ("size", _size_text(info)),
        ("made from", _origin_text(info)),
    ]
    width = max(len(title) for title, _ in rows) + 2
    lines = [title.ljust(width) + printable(text) for title, text in rows]
    lines += ["", _results_text(info["results"])]
    if info["note"]:
        lines += ["", "note", *(f"  {printable(line)}" for line in info["note"].splitlines())]
    return "\n".join(lines)


def _of_model(model: Model) -> dict[str, Any]:
    config = model.config
    heads = model.heads
    names = ("labels",) if len(heads) == 1 else ("verbs", "nouns")
    head = config.detector.name
    return {
        "name": model.name,
        "digest": model.digest,
        "classes": {name: list(head) for name, head in zip(names, heads, strict=True)},
        "network": {
            "name": config.backbone.name,
            "depth": None if ":" in config.backbone.name else config.backbone.depth,
            "width": None if ":" in config.backbone.name else config.backbone.width,
        },
        "clips": _clips(config),
        "detector": head,
        "proposals": _proposals(config) if head == "bmn" else _segments(config),
        "parameters": {
            "classifier": sum(tensor.numel() for tensor in model.classifier.values()),
            head: sum(tensor.numel() for tensor in model.detector.values()),
        },
        "data": config.dataset.name,
        "initial_weights": config.backbone.begins_with,
        "epochs": {name: config.section(name).epochs for name in ("finetune", head)},  # type: ignore[attr-defined]
        "results": dict(model.results),
        "note": model.note,
    }


def _clips(config: DetectionConfig) -> dict[str, Any]:
    extract = config.extract
    return {
        "fps": extract.fps,
        "frames": extract.frames,
        "interval": extract.interval,
        "stride": extract.stride,
        "short_side": extract.short_side,
        "crop": extract.crop,
        "clip_seconds": extract.frames * extract.interval / extract.fps,
        "every_seconds": extract.stride / extract.fps,
    }


def _proposals(config: DetectionConfig) -> dict[str, Any]:
    bmn = config.bmn
    step = config.extract.stride * bmn.feature_step / config.extract.fps
    whole = bmn.mode == "rescale"  # the length of a position is then the video's
    return {
        "mode": bmn.mode,
        "positions": bmn.temporal_scale,
        "longest": bmn.duration_scale,
        "position_seconds": None if whole else step,
        "window_seconds": None if whole else step * bmn.temporal_scale,
        "longest_seconds": None if whole else step * bmn.duration_scale,
        "classified": config.classify.mode,
    }


def _segments(config: DetectionConfig) -> dict[str, Any]:
    former = config.actionformer
    step = config.extract.stride * former.feature_step / config.extract.fps
    whole = former.mode == "rescale"
    return {
        "mode": former.mode,
        "positions": former.max_length,
        "levels": former.levels,
        "position_seconds": None if whole else step,
        "window_seconds": None if whole else step * former.max_length,
        "classified": "own" if config.names_own_classes else config.classify.mode,
    }


def _class_rows(classes: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    rows = []
    for title, names in classes.items():
        shown: list[str] = []
        for name in names[:_SHOWN]:
            cut = name if len(name) <= 40 else f"{name[:37]}..."
            if shown and len(", ".join([*shown, cut])) > _WIDTH:
                break
            shown.append(cut)
        rest = f", and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        rows.append(
            ("classes" if title == "labels" else title, f"{len(names)}: {', '.join(shown)}{rest}")
        )
    return rows


def _network_text(network: Mapping[str, Any]) -> str:
    depth = network["depth"]
    if depth is None:  # of others
        return str(network["name"])
    layers = f"{depth} layers" if isinstance(depth, int) else f"blocks {', '.join(map(str, depth))}"
    return f"{network['name']}, {layers}, width {network['width']}"


def _clips_text(clips: Mapping[str, Any]) -> str:
    seen = {"whole": "the whole frame", "center": "its central square"}.get(
        clips["crop"], f"its central square of {clips['crop']} pixels"
    )
    return (
        f"{clips['frames']} frames of {clips['clip_seconds']:.3g} s ({clips['interval']} apart at {clips['fps']:g} per second), "
        f"one clip every {clips['every_seconds']:.3g} s; shorter side {clips['short_side']} pixels, {seen}"
    )


_CLASSIFIED = {
    "proposal": "classes are those of each proposal",
    "video": "classes are those of the whole video",
    "own": "it predicts the classes itself",
}


def _detector_text(name: str, proposals: Mapping[str, Any]) -> str:
    said = _proposals_text(proposals) if name == "bmn" else _segments_text(proposals)
    return f"{_TITLES[name]}, {said}; {_CLASSIFIED[proposals['classified']]}"


def _segments_text(segments: Mapping[str, Any]) -> str:
    levels = f"{segments['levels']} levels"
    if segments["position_seconds"] is None:
        return f"the whole video in {segments['positions']} positions, {levels}"
    return (
        f"positions of {segments['position_seconds']:.3g} s, {levels}; trained on up to {segments['positions']} "
        f"positions ({segments['window_seconds']:.4g} s) of a video"
    )


def _proposals_text(proposals: Mapping[str, Any]) -> str:
    if proposals["position_seconds"] is None:
        return f"the whole video in {proposals['positions']} positions, proposals of up to {proposals['longest']}"
    return (
        f"windows of {proposals['window_seconds']:.4g} s in {proposals['positions']} positions of "
        f"{proposals['position_seconds']:.3g} s, proposals of up to {proposals['longest_seconds']:.4g} s"
    )


def _size_text(info: Mapping[str, Any]) -> str:
    counts, head = info["parameters"], info["detector"]
    said = (
        f"{_count_text(counts['classifier'])} numbers in the classifier, {_count_text(counts[head])} in "
        f"{_TITLES[head]}"
    )
    return f"{bytes_text(info['bytes'])}: {said}" if "bytes" in info else said


def _count_text(count: int) -> str:
    return f"{count / 1e6:.1f} million" if count >= 1e6 else f"{count:,}"


def _origin_text(info: Mapping[str, Any]) -> str:
    weights = info["initial_weights"]
    start = f"initial weights {weights}" if weights else "random initial weights"
    epochs, head = info["epochs"], info["detector"]
    said = f"{info['data']}; {start}; {epochs['finetune']} epochs of the classifier, {epochs[head]} of {_TITLES[head]}"
    day = f", trained until {info['trained']}" if info["trained"] else ""
    return f"{said}{day}; tada-loc {info['program']}"


def _results_text(results: Mapping[str, Any]) -> str:
    if not results:
        return "no results: the model was not evaluated (tada-loc eval)"
    return map_table(dict(results), None)
