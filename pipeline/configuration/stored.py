"""A configuration as it is stored beside trained weights: without what belongs to one machine or one data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pipeline.configuration.keys import known_keys
from pipeline.configuration.problems import first_problem
from pipeline.configuration.renaming import rename_keys
from pipeline.configuration.sections.backbone import LATER
from pipeline.configuration.settings import BackboneSettings, Config, DetectionConfig
from pipeline.errors import UserError

# What is kept of a section about one data set; all its other keys are removed.
_KEPT = {
    "dataset": ("name", "format", "frame_fps", "frames", "train_subset", "eval_subset", "hold_out")
}
_OF_ANY = (
    "name",
    "train_subset",
    "eval_subset",
    "hold_out",
)  # of these, what holds of another data set
# What every stored configuration has, besides the sections of its head.
_OF_EACH = ("dataset", "backbone", "finetune", "views", "extract", "eval")
_NAMES = (
    ("dataset", "name"),
    ("dataset", "frames"),
    ("backbone", "pretrained"),
)  # may have been a path
_DROPPED = {
    "finetune": ("proxies",),
    "classify": ("scores",),
    "eval": ("published", "paper", "paper_iou", "paper_dataset"),
}
# What a configuration must have, and a stored one has not: names of nothing.
_PLACEHOLDERS = {"annotations": "annotations.csv", "videos": "videos"}


def to_store(config: Config) -> dict[str, Any]:
    """The sections of a configuration as JSON values, without a path, and without what the machine decides.

    Of the initial weights the name of the file stays, of the data set its name, of the heads the one that is used.
    """
    kept = {*_OF_EACH, *config.head_sections}
    if config.detector.name != "bmn":  # which was there before there was a choice
        kept.add("detector")
    every: dict[str, Any] = config.model_dump(mode="json")
    sections = {name: section for name, section in every.items() if name in kept}
    for name, keys in _KEPT.items():
        sections[name] = {key: sections[name][key] for key in keys if key in sections[name]}
    for name, dropped in _DROPPED.items():
        section = sections.get(name) or {}
        sections[name] = {key: value for key, value in section.items() if key not in dropped}
    for name, key in _NAMES:
        if sections[name][key] is not None:
            sections[name][key] = _last(sections[name][key])
    sections["backbone"] = _without_place(sections["backbone"] | {"name": config.backbone.title})
    return {name: section for name, section in sections.items() if section}


def _without_place(backbone: dict[str, Any]) -> dict[str, Any]:
    """The network without which revision was asked for, and without keys that came later and say nothing."""
    backbone["revision"] = None
    if backbone["published"] is not None:
        backbone["published"]["asked"] = None
    fields = BackboneSettings.model_fields
    silent = {key for key in LATER if backbone[key] == fields[key].default}
    return {key: value for key, value in backbone.items() if key not in silent}


def from_store(sections: Mapping[str, dict[str, Any]]) -> DetectionConfig:
    """The configuration that was stored; its paths are names of nothing.

    Raises UserError naming the key, its value and what is wrong with it.
    """
    values = {name: dict(section) for name, section in sections.items()}
    rename_keys(values)
    for key in _strangers(values):
        raise UserError(
            f"{key}: not allowed in a model file: the key is about one machine or data set"
        )
    values.setdefault("dataset", {}).update(_PLACEHOLDERS)
    try:
        config = Config.model_validate(values).detection()
    except ValidationError as error:
        raise UserError(first_problem(error)[1]) from error
    for name, key in _NAMES:
        value = getattr(config.section(name), key)
        if value is not None and _last(value) != value:
            raise UserError(f"{name}.{key} = {value!r}: is a path, and a model file holds no paths")
    _require_known(config.backbone)
    return config


def _require_known(backbone: BackboneSettings) -> None:
    """Refuse a network of others that the file does not describe: nothing is looked up for an untrusted file."""
    if backbone.title != backbone.name:
        raise UserError(
            f"backbone.name = {backbone.name!r}: is a path, and a model file holds no paths"
        )
    if not backbone.name.startswith("hf:"):
        return
    takes = backbone.description
    if takes is None or (takes.name, takes.asked, backbone.revision) != (backbone.name, None, None):
        raise UserError(f"backbone.published: does not describe {backbone.name}")


def as_start(sections: Mapping[str, dict[str, Any]], initial: str) -> dict[str, Any]:
    """What is stored as the beginning of a new run's configuration: the model as initial weights, another data set.

    Where the annotations and the videos are is left to be said.
    """
    from_store(sections)  # refuses what is not a configuration
    values = {name: dict(section) for name, section in sections.items()}
    rename_keys(values)
    kept = {key: values["dataset"][key] for key in _OF_ANY if key in values["dataset"]}
    values["dataset"] = {**kept, "format": "auto"}
    values["backbone"]["pretrained"] = initial
    return values


def _strangers(sections: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """The dotted keys that no stored configuration has."""
    for name, section in sections.items():
        for key in section:
            known = key in _KEPT[name] if name in _KEPT else key not in _DROPPED.get(name, ())
            if name == "runtime" or (not known and f"{name}.{key}" in known_keys()):
                yield f"{name}.{key}"


def _last(path: str) -> str:
    """The last part of a path of any system."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
