"""Checkpoint files into networks of others: their own state dicts, and networks that were trained here."""

from __future__ import annotations

import re
from collections.abc import Mapping

from feature_extraction.backbones.others.adapted import AdaptedNetwork
from feature_extraction.weights.files import CheckpointError, some, tensors_of
from feature_extraction.weights.loading import LoadReport, apply, place_weights

_PREFIX = "network."
# Classifiers of theirs, and what makes calibration weights: there without being needed, or left as it is.
_THEIR_HEAD = re.compile(r"^(fc|head|heads|classifier|fc_norm|linear)\.")
_NEW = re.compile(r"^head\.|\.route\.|num_batches_tracked$")


def load_into_published(model: AdaptedNetwork, state_dict: Mapping[str, object]) -> LoadReport:
    """Load a state dict of the network's own library, or of a network trained here, into `model`.

    Every weight of the network must be there and fit; TAdaConv's calibration and a head for other classes may
    be missing, and stay as they are. Its library's classifier is reported unused. The model is untouched when
    CheckpointError is raised.
    """
    state, own = tensors_of(state_dict), model.state_dict()
    places = {key: _place(key, own) for key in state}
    if not any(name.startswith(_PREFIX) for name in places.values() if name):
        raise CheckpointError(f"no key of the checkpoint belongs to the network: {some(state)}")
    unknown = [key for key, name in places.items() if name is None and not _THEIR_HEAD.match(key)]
    if unknown:
        raise CheckpointError(
            f"the checkpoint has weights that the network does not have: {some(unknown)}"
        )
    chosen = {key: name for key, name in places.items() if name}
    head = {key: name for key, name in chosen.items() if name.startswith("head.")}
    own_head = {name for name in own if name.startswith("head.")}
    swapped = set(head.values()) != own_head or any(
        state[key].shape != own[name].shape for key, name in head.items()
    )
    if swapped:
        chosen = {key: name for key, name in chosen.items() if key not in head}
    optional = {name for name in own if _NEW.search(name)}
    return apply(
        model, own, state, place_weights(own, state, chosen), optional=optional, swapped=swapped
    )


def _place(key: str, own: Mapping[str, object]) -> str | None:
    """The name of ours that a key stands for: its own, or with the network's prefix."""
    for name in (f"{_PREFIX}{key}", key):
        if name in own:
            return name
    return None
