"""The two narrow networks of the ActionFormer reference vectors."""

from __future__ import annotations

import json

import numpy as np
import torch

from actionformer import ActionFormer, from_public_config, load_public_checkpoint


def public_config(vectors: dict[str, np.ndarray], name: str) -> dict:
    """The public configuration of the network `local` or `full`."""
    return json.loads(str(vectors[f"{name}/config"]))


def public_model(vectors: dict[str, np.ndarray], name: str) -> ActionFormer:
    """The network `local` or `full` with its weights, in eval mode."""
    model = from_public_config(public_config(vectors, name))
    start = f"{name}/state/"
    state = {key: torch.from_numpy(vectors[key]) for key in vectors if key.startswith(start)}
    load_public_checkpoint(model, {key.removeprefix(start): state[key] for key in state})
    return model.eval()
