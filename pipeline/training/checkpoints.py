"""What trainings write: weights, and checkpoints with all it takes to resume as if never stopped."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from feature_extraction.weights.claims import ClaimError, load_tensors
from pipeline.errors import UserError, cannot_read, was_refused
from pipeline.progress import say
from pipeline.run_folder.files import atomic_path
from pipeline.run_folder.identity import fingerprint

CHECKPOINT_FILE = "checkpoint.pt"
MODEL_FILE = "model.pt"


class Stateful(Protocol):
    """A part of a training with a state of its own: the network, its optimizer, ..."""

    def state_dict(self) -> dict[str, Any]:
        """The state as plain values and tensors."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object:
        """Resume from a state."""


@dataclass
class Position:
    """Where a training stands: epoch and step, both from 0, and the figures so far.

    `history` has a row per epoch that ended, `sums` the loss terms summed over this epoch's steps.
    """

    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """The file of a training's position and of the states of its parts.

    `identity` names the settings and the samples of the training it belongs to. A part that is None
    has no state.
    """

    path: Path
    identity: str
    parts: Mapping[str, Stateful | None]

    def save(self, position: Position) -> None:
        """Write all of it, atomically."""
        states = {name: p.state_dict() for name, p in self.parts.items() if p is not None}
        save_state(self.path, {**vars(position), "fingerprint": self.identity, **states})

    def restore(self, device: torch.device, steps: int) -> Position:
        """Put the states back into the parts and give the position; the start where there is no file.

        `steps` are those of an epoch. Raises UserError if the file is damaged, or of another
        training.
        """
        if not self.path.exists():
            return Position()
        content = load_state(self.path)
        try:
            if content.get("fingerprint") != self.identity or content["step"] > steps:
                raise UserError(
                    f"{self.path}: belongs to a training with other settings or samples (were "
                    "videos added or removed?); delete it to start this training again"
                )
            for name, part in self.parts.items():
                if part is not None:
                    part.load_state_dict(content[name])
                    if isinstance(part, nn.Module):
                        part.to(device)
            position = Position(**{name: content[name] for name in vars(Position())})
            say(f"resuming from epoch {position.epoch + 1}, step {position.step}")
            return position
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{self.path}: not a checkpoint of this training ({type(error).__name__}: {reason}); "
                "delete it to start this training again"
            ) from error


def training_identity(stage: str, samples: Mapping[str, str]) -> str:
    """What a checkpoint belongs to: the fingerprint of its stage, and the digests of its samples."""
    return fingerprint({"stage": stage} | dict(samples))


def save_weights(model: nn.Module, path: Path) -> None:
    """Write a network's weights. Raises UserError if they cannot be written."""
    save_state(path, {"model": model.state_dict()})


def load_weights(model: nn.Module, path: Path) -> None:
    """Put saved weights into a network.

    Raises UserError if the file is damaged or of another architecture.
    """
    weights = saved_weights(path)
    try:
        model.load_state_dict(weights)
    except (KeyError, RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise _not_its_weights(path, str(error)) from error


def saved_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of saved weights, by name. Raises UserError if the file is damaged or another's."""
    weights = load_state(path).get("model")
    if not isinstance(weights, dict):
        raise _not_its_weights(path, "'model'")
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in weights.items()):
        raise _not_its_weights(path, "not a mapping of names to tensors")
    return weights


def _not_its_weights(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path}: not the weights of this configuration ({' '.join(reason.split())[:200]})"
    )


def save_state(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values atomically. Raises UserError if they cannot be written."""
    # In memory first: on a full disk torch's writer ends with an assertion that hides the reason.
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_state(path: Path) -> dict[str, Any]:
    """What `save_state` wrote, tensors and plain values only.

    Raises UserError if it is missing, cannot be read, is damaged or holds code.
    """
    try:
        content = load_tensors(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except ClaimError as error:
        raise UserError(f"{path}: it {error}; delete it to start again") from error
    except Exception as error:  # torch.load raises many kinds for damaged files
        if isinstance(error, OSError) and was_refused(error):
            raise cannot_read(path, error) from error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{path}: not a usable checkpoint ({reason}); delete it to start again"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a checkpoint of tada-loc")
    return content
