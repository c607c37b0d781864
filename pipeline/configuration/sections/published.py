"""A configuration whose network others publish: completed with what is said of it, and compared with that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from feature_extraction.published.description import Description
from feature_extraction.published.names import (
    Published,
    PublishedError,
    with_whole_path,
    without_path,
)
from pipeline.configuration.sections.backbone import BackboneSettings
from pipeline.configuration.settings import Config
from pipeline.errors import UsageError
from pipeline.progress import say

_SPREAD = 1.25  # training's largest shorter side over its smallest, as in the paper's 256 to 320


def completed(config: Config, *, quiet: bool = False) -> Config:
    """The configuration with what its network's publisher says of mean, standard deviation and sizes.

    They take the place of other values, which is said in one line unless `quiet`. Another configuration comes
    back as it is. Raises UsageError where the network cannot be had, and for clips that it does not take.
    """
    backbone = config.backbone
    try:
        published = backbone.of_others
        if published is None:
            return config
        if config.finetune.source == "features":
            return config  # the network is not used
        takes = _known(backbone, published)
    except PublishedError as error:
        raise UsageError(f"backbone.name: {error}") from error
    _require_clips(config, takes)
    wanted = _wanted(config, takes)
    changed = {key: value for key, value in wanted.items() if value != _value(config, key)}
    if changed and not quiet:
        said = ", ".join(
            f"{k} = {_text(v)}, not {_text(_value(config, k))}" for k, v in changed.items()
        )
        say(f"{takes.name}: as its publisher says: {said}")
    if takes != backbone.description:  # read now
        changed |= {
            "backbone.published": takes.to_json(),
            "backbone.name": with_whole_path(published),
        }
    return _with(config, changed)


def _known(backbone: BackboneSettings, published: Published) -> Description:
    """What is said of the network: what was read once, or, of a folder that is there, what it says now."""
    known = backbone.description
    is_there = published.folder is not None and Path(published.name).is_absolute()
    is_there = is_there and Path(published.name).is_dir()
    same = known is not None and (known.name, known.asked) == (
        without_path(str(published)),
        backbone.revision,
    )
    if known is not None and same and not is_there:
        return known
    if published.source == "hf":  # without torch
        from feature_extraction.published.hugging_face import describe as describe_model

        return describe_model(published, backbone.revision)
    from feature_extraction.backbones.others import describe

    return describe(str(published), backbone.revision)


def _require_clips(config: Config, takes: Description) -> None:
    """Refuse clips of other lengths than the network takes. Raises UsageError."""
    for section in ("finetune", "extract"):
        settings = getattr(config, section)
        if settings is None:
            continue
        count = settings.frames
        if takes.frames is not None and count != takes.frames:
            raise UsageError(
                f"{section}.frames = {count}: {takes.name} takes clips of {takes.frames} frames: set "
                f"finetune.frames={takes.frames} and extract.frames={takes.frames} (and a smaller interval for "
                "clips as long as before)"
            )
        if count < takes.least:
            raise UsageError(
                f"{section}.frames = {count}: {takes.name} takes clips of {takes.least} frames or more"
            )
        if count % takes.every:
            raise UsageError(
                f"{section}.frames = {count}: {takes.name} takes clips of a multiple of {takes.every} frames"
            )


def _wanted(config: Config, takes: Description) -> dict[str, Any]:
    """The values of keys that the publisher decides."""
    wanted: dict[str, Any] = {}
    for key, value in (("backbone.mean", takes.mean), ("backbone.std", takes.std)):
        if value is not None:
            wanted[key] = tuple(value)
    side, crop = takes.short_side, takes.crop
    if crop is None or side is None:
        return wanted
    wanted |= {"finetune.crop": crop, "finetune.eval_short_side": side, "views.short_side": crop}
    if not crop <= config.finetune.short_side[0] <= 1.5 * crop:
        wanted["finetune.short_side"] = (side, round(side * _SPREAD))
    if config.extract is not None:
        wanted["extract.short_side"] = side
        wanted["extract.crop"] = "center" if side == crop else crop
    return wanted


def _value(config: Config, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


def _with(config: Config, values: dict[str, Any]) -> Config:
    """The configuration with other values of some keys."""
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    return config.model_copy(
        update={
            section: getattr(config, section).model_copy(update=update)
            for section, update in sections.items()
        }
    )


def _text(value: Any) -> str:
    return (
        f"[{', '.join(f'{number:g}' for number in value)}]"
        if isinstance(value, tuple)
        else str(value)
    )
