"""A training's checkpoint: everything it needs to take the very steps it would have taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.errors import UserError
from pipeline.processes.device import load_state, save_state
from pipeline.progress import say

POSITION = ("epoch", "step", "history", "sums")


def save(
    path: Path, fingerprint: str, position: Mapping[str, Any], parts: Mapping[str, Any]
) -> None:
    """Write the position and the state of the parts (model, optimizer, scaler, average), atomically."""
    states = {name: part.state_dict() for name, part in parts.items() if part is not None}
    save_state(path, {**position, "fingerprint": fingerprint, **states})


def restore(
    path: Path, fingerprint: str, parts: Mapping[str, Any], device: torch.device, steps: int
) -> dict[str, Any]:
    """Put the states back into the parts and give the position; the start where there is no file.

    `steps` are those of an epoch. Raises UserError where the file is damaged, or of another training.
    """
    if not path.exists():
        return {"epoch": 0, "step": 0, "history": [], "sums": {}}
    content = load_state(path)
    try:
        if content.get("fingerprint") != fingerprint or content["step"] > steps:
            raise UserError(
                f"{path}: belongs to a training with other settings or samples (have videos been "
                "added or taken away?); delete it to start this training again"
            )
        for name, part in parts.items():
            if part is not None:
                part.load_state_dict(content[name])
                if isinstance(part, nn.Module):
                    part.to(device)
        say(f"going on from epoch {content['epoch'] + 1}, step {content['step']}")
        return {key: content[key] for key in POSITION}
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path}: not a checkpoint of this training ({type(error).__name__}: {reason}); delete it to "
            "start this training again"
        ) from error
