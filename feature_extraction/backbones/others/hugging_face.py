"""Models of Hugging Face's transformers: of clips (VideoMAE, TimeSformer, ViViT, V-JEPA 2) or of frames."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from feature_extraction.backbones.others.adapted import AdaptedNetwork
from feature_extraction.backbones.resnet import Classes
from feature_extraction.published.description import Description
from feature_extraction.published.files import not_fetched, weight_files
from feature_extraction.published.hugging_face import is_video_model
from feature_extraction.published.names import PublishedError, needs_extra, parse_name
from feature_extraction.tadaconv.layout import to_clips, to_frames

# Parts that no feature is made of, and weights that none passes through.
_UNUSED_PARTS = ("pooler", "predictor")
_UNUSED = "mask_token"
# Kinds of which all else makes features.
_ALL_USED = (
    "videomae", "timesformer", "vivit", "vjepa2", "vit", "dinov2", "dinov2_with_registers", "dinov3_vit", "resnet",
)  # fmt: skip
# Settings that change how a model answers, and not what it is: ours are asked in one way.
_HOW_IT_ANSWERS = {"model_type", "return_dict", "output_hidden_states", "output_attentions"}


class HuggingFaceNetwork(AdaptedNetwork):
    """A model of transformers: its tokens [B, tokens, C] averaged, or the first of them (`tokens` "first").

    A model of frames is asked for each frame, and the frames' features are averaged. Maps [B, C, h, w] are
    averaged over space. Raises PublishedError if a model has no first token of the whole clip.
    """

    def __init__(
        self,
        network: nn.Module,
        takes: Description,
        *,
        num_classes: Classes,
        dropout: float,
        tokens: str = "mean",
    ) -> None:
        channels = _channels(takes)
        super().__init__(
            network, takes, feature_dim=channels, num_classes=num_classes, dropout=dropout
        )
        self.tokens, self.of_clips = tokens, is_video_model(takes.architecture)
        names = [name for name, _ in network.named_parameters()]
        has_first = any("cls_token" in name or "class_embedding" in name for name in names)
        if tokens == "first" and not has_first:
            raise PublishedError(
                f"{takes.name} has no class token; average its tokens instead (mean)"
            )
        for part in _UNUSED_PARTS:
            module = getattr(network, part, None)
            if isinstance(module, nn.Module) and any(True for _ in module.parameters()):
                setattr(network, part, nn.Identity() if part == "predictor" else None)
        for name, parameter in network.named_parameters():
            if name.endswith(_UNUSED):
                parameter.requires_grad_(False)
        self.options = _options(network, takes)
        self._may_leave = takes.architecture.get("model_type") not in _ALL_USED

    @property
    def leaves_weights_unused(self) -> bool:  # type: ignore[override]  # of these it depends
        """Whether weights that are trained may get no gradient: of kinds that are not known here."""
        return self._may_leave and any(p.requires_grad for p in self.network.parameters())

    def _features(self, video: Tensor) -> Tensor:
        if self.of_clips:
            return self._of(video.transpose(1, 2))
        return to_clips(self._of(to_frames(video)), video.shape[2]).mean(1)

    def _of(self, pixels: Tensor) -> Tensor:
        """Clips [B, T, 3, H, W], or frames [B, 3, H, W], -> features [B, C]."""
        name = str(self.network.main_input_name)
        output = self.network(**{name: pixels}, **self.options)
        found: Tensor = output.last_hidden_state
        if found.dim() == 3:
            return found[:, 0] if self.tokens == "first" else found.mean(1)
        return found.flatten(2).mean(2) if found.dim() > 3 else found

    def checkpoint_activations(self) -> bool:
        """Have its layers keep their inputs alone; whether it can."""
        known: Any = self.network
        can = bool(getattr(known, "supports_gradient_checkpointing", False))
        if can:  # the second is its name in older versions
            enable = getattr(known, "activation_checkpointing_enable", None)
            (enable or known.gradient_checkpointing_enable)({"use_reentrant": False})
        return can


def untrained(takes: Description) -> nn.Module:
    """The model of a description, with random weights. Raises PublishedError if it makes none."""
    config = _settings(takes)
    from transformers import AutoModel

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: nn.Module = AutoModel.from_config(
                config, trust_remote_code=False, dtype=torch.float32
            )
    except Exception as error:  # models check their settings each in its own way
        raise PublishedError(f"{takes.name}: no model ({_line(error)})") from error
    return _usable(model, takes)


def pretrained(name: str, takes: Description) -> nn.Module:
    """The model with the weights that are published under `name` (hf:...).

    From safetensors files alone, without code of others. Raises PublishedError if they cannot be had,
    or do not fill the model.
    """
    config = _settings(takes)
    from transformers import AutoModel

    published = parse_name(name)
    assert published is not None
    folder = published.folder
    if folder is not None:
        weight_files(folder)  # refuses what is none of ours to read
    where = str(folder or published.name)
    try:
        with _quiet():
            model, report = AutoModel.from_pretrained(
                where,
                config=config,
                revision=takes.revision or "main",
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=folder is not None,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:  # its own, the Hub's, safetensors' and the system's share no class
        if folder is None:
            raise not_fetched(published, "model.safetensors", error) from error
        raise PublishedError(
            f"{published}: its weights cannot be loaded ({_line(error)})"
        ) from error
    _require_filled(str(published), report)
    return _usable(model, takes)


def _require_filled(name: str, report: Mapping[str, Any]) -> None:
    """Refuse weights that leave some of a model's at random. Raises PublishedError."""
    missing = [
        k for k in report["missing_keys"] if not k.startswith(_UNUSED_PARTS) and _UNUSED not in k
    ]
    wrong = [str(entry[0]) for entry in report.get("mismatched_keys") or ()]
    if missing or wrong:
        what = (
            f"lack {sorted(missing)[0]}" if missing else f"have another size of {sorted(wrong)[0]}"
        )
        count = len(missing) + len(wrong)
        more = f" and {count - 1} more" if count > 1 else ""
        raise PublishedError(f"{name}: its weights do not fit the model: they {what}{more}")


def _settings(takes: Description) -> Any:
    """The settings of transformers that a description holds: those its kind knows, and no others."""
    try:
        from transformers import CONFIG_MAPPING
    except ImportError as error:
        raise needs_extra(takes.name, "hf", "transformers") from error
    kind = takes.architecture.get("model_type")
    if kind not in CONFIG_MAPPING:
        raise PublishedError(
            f"{takes.name}: this version of transformers has no {kind!r}, and remote code is never run"
        )
    kinds = CONFIG_MAPPING[kind]
    try:
        known = kinds().to_dict().keys()
        known -= _HOW_IT_ANSWERS
        return kinds(**{k: v for k, v in takes.architecture.items() if k in known})
    except Exception as error:  # kinds check their values each in its own way
        raise PublishedError(
            f"{takes.name}: not the settings of a {kind} ({_line(error)})"
        ) from error


def _usable(model: nn.Module, takes: Description) -> nn.Module:
    names = inspect.signature(model.forward).parameters
    if getattr(model, "main_input_name", None) not in ("pixel_values", "pixel_values_videos"):
        raise PublishedError(
            f"{takes.name}: a {type(model).__name__} does not take pixels of frames alone"
        )
    needed = [
        n for n, p in names.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    if "input_ids" in names or set(needed) - {"pixel_values", "pixel_values_videos"}:
        raise PublishedError(
            f"{takes.name}: a {type(model).__name__} needs more than pixels of frames"
        )
    return model


def _options(network: nn.Module, takes: Description) -> Mapping[str, Any]:
    """What a model is called with besides its pixels."""
    known = inspect.signature(network.forward).parameters
    options: dict[str, Any] = {}
    if "skip_predictor" in known:
        options["skip_predictor"] = True
    if "interpolate_pos_encoding" in known and takes.crop != takes.architecture.get("image_size"):
        options["interpolate_pos_encoding"] = True
    return options


def _channels(takes: Description) -> int:
    hidden = takes.architecture.get("hidden_size")
    sizes = takes.architecture.get("hidden_sizes")
    if hidden is None and isinstance(sizes, list) and sizes:
        hidden = sizes[-1]
    hidden = getattr(_settings(takes), "hidden_size", None) if hidden is None else hidden
    if not isinstance(hidden, int) or isinstance(hidden, bool):
        raise PublishedError(
            f"{takes.name}: its settings have no hidden_size, the channels of features"
        )
    return hidden


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class _quiet:
    """Within the block transformers says nothing: what matters is in its report."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.before = logging.get_verbosity()
        logging.set_verbosity_error()
        self.bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()

    def __exit__(self, *error: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self.before)
        if self.bars:
            logging.enable_progress_bar()
