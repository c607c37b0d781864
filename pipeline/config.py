"""YAML to frozen, strictly validated settings; every key of a run stands here once.

A configuration file holds the sections below. Unknown keys, wrong types and values out of range are
refused with the dotted path of the key and, for a misspelt one, the nearest name.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import UsageError
from pipeline.thresholds import parse_iou

SHIPPED = Path(__file__).resolve().parent.parent / "configs"

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[int, Field(ge=0, le=5)]
Precision = Literal["float32", "bfloat16", "float16"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dataset(Section):
    """Which annotations and videos; paths are relative to the folder the command runs in."""

    name: str
    format: Literal["table", "activitynet", "epic_kitchens"]
    annotations: tuple[Path, ...] | Path
    videos: Path
    video_info: Path | None = None
    classes: tuple[Path, ...] | Path | None = None
    train_subset: str = "training"
    eval_subset: str = "validation"


class Backbone(Section):
    """The classifier's network (Sections 3 and 4, Appendix B)."""

    name: str = "tada2d"
    depth: Positive | tuple[Positive, ...] = 50
    width: Positive = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    reduction: Positive = 4
    kernels: tuple[Positive, Positive] = (3, 3)
    pool_kernel: Positive = 3
    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.225, 0.225, 0.225)
    pretrained: str | None = None


class Optimisation(Section):
    """What fine-tuning and BMN share: optimiser, schedule and length of a training."""

    optimizer: Literal["sgd", "adamw", "adam"]
    base_lr: PositiveFloat
    base_batch: Positive | None = None
    batch_size: Positive
    epochs: Positive
    warmup_epochs: NonNegative = 0
    warmup_lr: NonNegative = 0
    weight_decay: NonNegative = 1e-4
    momentum: Fraction = 0.9
    grad_clip: PositiveFloat | None = None
    precision: Precision = "float32"
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: PositiveFloat = 45

    @property
    def batch_ratio(self) -> float:
        """The batch that runs over the batch the learning rates are stated for; they scale with it."""
        return self.batch_size / (self.base_batch or self.batch_size)


class Finetune(Optimisation):
    """Trimmed segments to a classifier (Appendix A)."""

    fps: PositiveFloat
    frames: Positive = 8
    interval: Positive = 8
    short_side: tuple[Positive, Positive] = (256, 320)
    crop: Positive = 224
    eval_short_side: Positive = 256
    flip: Fraction = 0.5
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clips_per_segment: Positive = 1

    @model_validator(mode="after")
    def _crop_fits(self) -> Finetune:
        smallest = min(*self.short_side, self.eval_short_side)
        if self.crop > smallest:
            raise ValueError(f"crop {self.crop} is larger than the smallest short side {smallest}")
        return self


class Extract(Section):
    """Sliding-window clip features (Appendix A.2)."""

    fps: PositiveFloat
    frames: Positive = 8
    interval: Positive = 8
    stride: Positive
    short_side: Positive
    batch_size: Positive = 4
    precision: Literal["float32", "bfloat16"] = "float32"
    decoder: Literal["auto", "pyav", "decord"] = "auto"


class BMN(Optimisation):
    """The boundary-matching network and its training (Lin et al. 2019; Appendix A.2)."""

    mode: Literal["windows", "rescale"]
    temporal_scale: Annotated[int, Field(gt=1)]
    duration_scale: Positive
    feature_step: Positive = 1
    window_step: Positive | None = None
    min_inside: Fraction = 0.999
    normalize: bool = False
    hidden_1d: Positive = 256
    hidden_2d: Positive = 128
    hidden_3d: Positive = 512
    num_samples: Annotated[int, Field(gt=1)] = 32
    samples_per_bin: Positive = 3
    boundary_ratio: NonNegative = 0.5
    groups: Positive = 4


class Proposals(Section):
    """Maps to proposals: score powers and soft-NMS (Appendix A.2; Lin et al. 2019)."""

    cls_power: NonNegative = 1.0
    reg_power: NonNegative = 1.0
    boundary_power: NonNegative = 1.0
    alpha: PositiveFloat = 0.4
    low: Fraction = 0.0
    high: Fraction = 0.0
    power: PositiveFloat = 2.0
    count: Positive | None = 100
    per_second: NonNegative = 0.0


class Classify(Section):
    """Class scores of a video or of each proposal (Appendix A.2)."""

    mode: Literal["video", "proposal"]
    top: Positive = 2
    positions: Positive = 6
    top_verbs: Positive = 10
    top_nouns: Positive = 30
    pairs: Positive = 5


class Eval(Section):
    """Which numbers are reported (Section 6), and what the result file declares."""

    iou: Annotated[tuple[float, ...], BeforeValidator(parse_iou)]
    proposals_at: tuple[Positive, ...] = (1, 5, 10, 50, 100)
    paper: dict[str, dict[str, float]] = Field(default_factory=dict)
    paper_iou: Annotated[tuple[float, ...], BeforeValidator(parse_iou)] | None = None
    # sls_pt, sls_tl, sls_td: pre-trained on public videos; start, end and class labels; the training set.
    sls: tuple[Level, Level, Level] = (2, 3, 3)


class Runtime(Section):
    """Where and how it runs; never part of a fingerprint."""

    device: str = "auto"
    workers: Annotated[int, Field(ge=0)] = 2
    allow_failures: Annotated[int, Field(ge=0)] = 0


class Config(Section):
    """One run, whole."""

    dataset: Dataset
    backbone: Backbone
    finetune: Finetune
    extract: Extract
    bmn: BMN
    proposals: Proposals
    classify: Classify
    eval: Eval
    runtime: Runtime = Runtime()

    @model_validator(mode="after")
    def _sections_agree(self) -> Config:
        if self.bmn.mode == "rescale" and self.bmn.duration_scale > self.bmn.temporal_scale:
            raise ValueError("bmn.duration_scale is larger than bmn.temporal_scale")
        return self


def find_config(name: str) -> Path:
    """The path of a configuration: a file, or the name of a shipped one.

    Raises UsageError when there is neither.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        if path.is_file():
            return path
        raise UsageError(f"configuration {name}: no such file")
    shipped = SHIPPED / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    if path.is_file():
        return path
    names = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yaml")))
    raise UsageError(f"configuration {name!r}: neither a file nor one of the shipped ({names})")


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and validate a configuration; `overrides` maps dotted keys to values.

    Raises UsageError naming the file, the key, its value and the nearest known key.
    """
    try:
        if path.stat().st_size > 1_000_000:
            raise UsageError(f"{path}: larger than 1 MB, not a configuration")
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: holds no sections; see a shipped configuration for the form")
    for key, value in (overrides or {}).items():
        _set_key(data, key, value)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"{path}: {_first_problem(error)}") from error


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases: a configuration needs none, and nested ones can fill the memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed in a configuration")
        return super().compose_node(parent, index)


def parse_overrides(assignments: Sequence[str]) -> dict[str, Any]:
    """`section.key=value` strings to a mapping; values are read as YAML.

    Raises UsageError for a string without `=` or with a value that is no YAML.
    """
    result: dict[str, Any] = {}
    for text in assignments:
        key, found, value = text.partition("=")
        if not found or not key.strip():
            raise UsageError(f"--set {text!r}: write it as section.key=value")
        try:
            result[key.strip()] = yaml.load(value, Loader=_PlainLoader)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise UsageError(f"--set {text!r}: the value is not valid YAML") from error
    return result


def dump_config(config: Config) -> str:
    """The configuration as YAML that `load_config` reads back to the same values."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def known_keys(model: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Every dotted key a configuration may hold."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += known_keys(inner, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def _set_key(data: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise UsageError(f"{key}: {section} holds no keys")
    data[last] = value


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    # A misspelt key also makes the right one missing: name the misspelling first.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    key = _dotted(problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, known_keys(), n=1, cutoff=0.5)
        return f"unknown key {key}" + (f" (did you mean {near[0]}?)" if near else "")
    if problem["type"] == "missing":
        return f"{key} is missing"
    text = problem["msg"].removeprefix("Value error, ")
    text = text[:1].lower() + text[1:]
    if not key:
        return text
    return f"{key} = {problem['input']!r}: {text}"


def _dotted(location: tuple[int | str, ...]) -> str:
    # Below a key pydantic goes on with the names of types and positions, which are no key of the user's.
    parts = [str(part) for part in location]
    known = known_keys()
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in known:
            return ".".join(parts[:length])
    return ".".join(parts)
