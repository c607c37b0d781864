"""What ran: settings that differ from the shipped ones, data, versions, hours per stage."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic_core import to_jsonable_python

from pipeline.configuration.keys import known_keys
from pipeline.configuration.reading import SHIPPED, load_config
from pipeline.configuration.settings import Config
from pipeline.pages.report_values import Facts
from pipeline.run_folder.manifests import Manifest, hours_text, readable_manifest
from pipeline.runs.run import Run
from pipeline.runs.ways import in_order

# Where things are and how much is done at once: not what ran.
_PLACES = (
    "dataset.annotations",
    "dataset.videos",
    "dataset.classes",
    "dataset.video_info",
    "runtime.",
)
# Sections that say nothing where the head does without them.
_OF_HEADS = ("bmn", "proposals", "actionformer", "detections", "classify")
_PACKAGES = ("tada-loc", "torch", "numpy", "av")


def facts_of(run: Run) -> list[Facts]:
    """The details of a run, for the end of its report."""
    name, rows = _differing(run.config)
    settings = Facts(
        f"Settings that differ from the shipped {name}.yaml" if rows else f"Settings: as in the shipped {name}.yaml",
        rows or [("all", "as shipped", "")],
        ("key", "here", "shipped") if rows else ("", "", ""),
    )  # fmt: skip
    return [settings, _data(run), _stages(run), versions()]


def hours_of(run: Run) -> float:
    """Hours of all stages together."""
    return sum(manifest.hours for _, manifest in _manifests(run))


def versions() -> Facts:
    """Of the programs that made the report."""
    rows = [("Python", platform.python_version(), "")]
    for package in _PACKAGES:
        try:
            rows.append((package, version(package), ""))
        except PackageNotFoundError:  # run from a folder, not installed
            rows.append((package, "not installed", ""))
    return Facts("Versions, when the report was made", rows)


def program() -> str:
    """The version of this program."""
    try:
        return version("tada-loc")
    except PackageNotFoundError:  # run from a folder, not installed
        return "unknown"


def network_name(run: Run) -> str:
    """The backbone, or where the features are from."""
    return "imported features" if run.has_imported_features else run.config.backbone.title


def _differing(config: Config) -> tuple[str, list[tuple[str, str, str]]]:
    """The shipped configuration that is nearest to this one, and the keys that differ from it."""
    own = _flat(config)
    unused = tuple(f"{name}." for name in _OF_HEADS if name not in config.head_sections)
    best: tuple[str, list[tuple[str, str, str]]] | None = None
    for path in sorted(SHIPPED.glob("*.yaml")):
        shipped = _flat(load_config(path))
        rows = [
            (key, _text(own.get(key)), _text(shipped.get(key)))
            for key in known_keys()
            if key in own.keys() | shipped.keys()
            and own.get(key) != shipped.get(key)
            and not key.startswith((*_PLACES, *unused))
        ]
        if best is None or len(rows) < len(best[1]):
            best = (path.stem, rows)
    assert best is not None  # some are shipped
    return best


def _flat(config: Config) -> dict[str, Any]:
    """Every key that has a value, by its dotted name."""
    found: dict[str, Any] = {}

    def walk(value: Any, prefix: str) -> None:
        for name, inner in value.items():
            key = f"{prefix}{name}"
            if isinstance(inner, dict) and key not in keys:
                walk(inner, f"{key}.")
            else:
                found[key] = inner

    keys = set(known_keys())
    walk(to_jsonable_python(config.model_dump()), "")
    return found


def _text(value: Any) -> str:
    if value is None:
        return "null"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _data(run: Run) -> Facts:
    rows = [
        ("data set", run.config.dataset.name, ""),
        ("annotations", _text(to_jsonable_python(run.config.dataset.annotations)), ""),
        ("videos", str(run.config.dataset.videos), ""),
    ]
    for purpose, subset in zip(("trained on", "evaluated on"), run.subsets, strict=True):
        segments = len(run.dataset.rows(subset))
        rows.append(
            (
                purpose,
                f"{len(run.dataset.video_ids(subset)):,} videos",
                f"{segments:,} segments, {subset!r}",
            )
        )
    classes = " and ".join(f"{len(head):,}" for head in run.dataset.heads)
    rows.append(("classes", classes, "verbs and nouns" if len(run.dataset.heads) == 2 else ""))
    return Facts("Data", rows)


def _stages(run: Run) -> Facts:
    rows = []
    for name, manifest in _manifests(run):
        left_out = f"without {len(manifest.left_out)} videos" if manifest.left_out else ""
        rows.append(
            (
                name,
                hours_text(manifest.hours),
                f"{manifest.updated[:16].replace('T', ' ')} {left_out}".strip(),
            )
        )
    return Facts("Time of each stage", rows, ("stage", "took", "ended (UTC)"))


def _manifests(run: Run) -> Iterator[tuple[str, Manifest]]:
    for stage in in_order(run.ways):
        manifest = readable_manifest(run.path(stage.name))
        if manifest is not None:
            yield stage.name, manifest
