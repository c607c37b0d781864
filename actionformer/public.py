"""Configurations and checkpoints of the public code (actionformer_release)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from actionformer.errors import ActionFormerError
from actionformer.network import RANGES, ActionFormer
from actionformer.points import as_tensor

# Our keyword of each public key, and what the public code takes where a file leaves the key out.
KEYS: dict[str, tuple[str, Any]] = {
    "max_seq_len": ("max_length", 2304),
    "n_head": ("heads", 4),
    "n_mha_win_size": ("window", -1),
    "regression_range": ("ranges", RANGES),
    "embd_dim": ("width", 512),
    "embd_kernel_size": ("kernel", 3),
    "head_dim": ("head_width", 512),
    "head_kernel_size": ("head_kernel", 3),
    "head_num_layers": ("head_layers", 3),
    "use_abs_pe": ("position_code", False),
    "use_rel_pe": ("relative_position", False),
}
TRAINING_KEYS: dict[str, tuple[str, Any]] = {
    "dropout": ("dropout", 0.0),
    "droppath": ("drop_path", 0.1),
    "cls_prior_prob": ("prior", 0.01),
    "head_empty_cls": ("empty_classes", ()),
}
# The one value that is built, of keys that have others in the public code.
BUILT = {
    "backbone_type": "convTransformer",
    "fpn_type": "identity",
    "scale_factor": 2,
    "fpn_start_level": 0,
    "embd_with_ln": True,
    "fpn_with_ln": True,
    "head_with_ln": True,
}
# Saved there, and made again here: tables of positions and points, masks of windows.
UNUSED = re.compile(r"point_generator\.|backbone\.pos_embd$|.*\battn\.\w*mask$")


def from_public_config(config: Mapping[str, Any]) -> ActionFormer:
    """A network from a mapping with the public YAML's names, nested as there or flat.

    Nested, `dataset` holds input_dim, num_classes and max_seq_len, `model` and `train_cfg` the rest.
    Keys left out are as in the public code. Raises ActionFormerError naming a key that is missing,
    or whose value is not built here.
    """
    for key in ("dataset", "model", "train_cfg"):
        if not isinstance(config.get(key) or {}, Mapping):
            raise ActionFormerError(f"{key} must be a mapping, not {config[key]!r}")
    model = dict(config) | dict(config.get("dataset") or {}) | dict(config.get("model") or {})
    for key in ("input_dim", "num_classes"):
        if not isinstance(model.get(key), int):
            raise ActionFormerError(f"{key} must be a whole number, not {model.get(key)!r}")
    for key, built in (BUILT | {"fpn_dim": model.get("embd_dim", 512)}).items():
        if model.get(key, built) != built:
            raise ActionFormerError(f"{key} {model[key]!r} is not supported: only {built!r}")
    layers = model.get("backbone_arch", (2, 2, 5))
    if len(layers) != 3:
        raise ActionFormerError(f"backbone_arch {layers!r} must be three whole numbers")
    options = {own: model.get(key, usual) for key, (own, usual) in KEYS.items()}
    train = model.get("train_cfg") or {}
    options |= {own: train.get(key, usual) for key, (own, usual) in TRAINING_KEYS.items()}
    return ActionFormer(
        model["input_dim"],
        model["num_classes"],
        embedding_layers=layers[0],
        stem_layers=layers[1],
        levels=layers[2] + 1,
        **options,
    )


def load_public_checkpoint(model: ActionFormer, state: Mapping[str, Any]) -> None:
    """Copy a public checkpoint's weights into `model`, strictly, in place.

    state: the weights by name, tensors or arrays, or a whole checkpoint, of which `state_dict_ema` (what the public code
        evaluates) is taken before `state_dict`. A prefix `module.` is dropped; tables that follow
        from the sizes are left unused.

    Raises ActionFormerError naming the keys that are missing or unknown, or the first whose shape
    differs; the model is unchanged then.
    """
    if not isinstance(state, Mapping):
        raise ActionFormerError(
            f"a checkpoint must be a mapping of names to weights, not {type(state).__name__}"
        )
    for key in ("state_dict_ema", "state_dict"):
        if isinstance(state.get(key), Mapping):
            state = state[key]
            break
    names = {str(name).removeprefix("module."): value for name, value in state.items()}
    given = {
        name: as_tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in names.items()
        if not UNUSED.match(name)
    }
    own = model.state_dict()
    if given.keys() != own.keys():
        missing, unknown = sorted(own.keys() - given), sorted(given.keys() - own)
        raise ActionFormerError(
            f"not a checkpoint of this network: missing keys {missing}, unknown {unknown}"
        )
    for name, value in given.items():
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        if shape != tuple(own[name].shape):
            raise ActionFormerError(
                f"the checkpoint's {name} has shape {shape}, this model's "
                f"{tuple(own[name].shape)}: build the model with the checkpoint's sizes"
            )
    model.load_state_dict(given)
