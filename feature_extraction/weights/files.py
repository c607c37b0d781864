"""Checkpoint files and ImageNet weights, read as tensors only: nothing is unpickled."""

from __future__ import annotations

import contextlib
import pickle
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from feature_extraction.tensor_file import TensorFileError, is_tensor_file
from feature_extraction.weights.claims import ClaimError, load_tensors
from feature_extraction.weights.tensors import read_network

WRAPPERS = ("model_state", "state_dict", "model")  # under which savers put the state dict
SAFE = (".safetensors", ".tada")  # endings of what is never taken for a file of PyTorch's

SERVER_SECONDS = 60.0  # a server that sends nothing for so long is given up


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or does not fit the network."""


def read_checkpoint(path: str | Path) -> Mapping[str, object]:
    """Read a checkpoint file, tensors only, onto the CPU.

    It is one of PyTorch's, a safetensors file, or a model file of ours, of which the classifier's tensors are given;
    what a file is is found from its content.
    Raises CheckpointError on a missing, truncated or foreign file, and on one that holds Python
    objects other than tensors and plain values: their code is never run.
    """
    path = Path(path)
    try:
        if is_tensor_file(path) or path.suffix in SAFE:
            return read_network(path)
        checkpoint = load_tensors(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointError(f"{path}: no such checkpoint file") from error
    except ClaimError as error:
        raise CheckpointError(f"{path}: not a checkpoint file: it {error}") from error
    except TensorFileError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: not a file of tensors alone (damaged, or with Python objects, which are "
            "never run): save only its state dict with torch.save"
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # torch.load raises many kinds for damaged files
        raise CheckpointError(f"{path}: damaged or truncated, not a PyTorch checkpoint") from error
    if not isinstance(checkpoint, Mapping):
        raise CheckpointError(f"{path}: holds a {type(checkpoint).__name__}, not named tensors")
    return checkpoint


def imagenet_state(path: str | Path | None = None, *, depth: int = 50) -> Mapping[str, object]:
    """ImageNet weights of a torchvision ResNet: from a file, or torchvision's cache or download.

    Raises CheckpointError when the file cannot be read or the download fails.
    """
    if path is not None:
        return read_checkpoint(path)
    from torchvision import models

    weights = {
        50: models.ResNet50_Weights,
        101: models.ResNet101_Weights,
        152: models.ResNet152_Weights,
    }
    if depth not in weights:
        raise CheckpointError(f"torchvision has no ImageNet weights of depth {depth}: give a file")
    return published_state(weights[depth].IMAGENET1K_V1)


def published_state(chosen: Any) -> Mapping[str, object]:
    """Weights that torchvision publishes (one of its `Weights`): from its cache, or downloaded.

    Raises CheckpointError if they cannot be had.
    """
    try:
        with _waiting_at_most(SERVER_SECONDS):
            state: Mapping[str, object] = chosen.get_state_dict(
                progress=False, check_hash=True, map_location="cpu", weights_only=True
            )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"torchvision's {_name_of(chosen)} weights could not be downloaded ({error}): "
            f"download {chosen.url} and give its path"
        ) from error
    return state


def _name_of(chosen: Any) -> str:
    name = str(chosen.name)
    return "ImageNet" if name.startswith("IMAGENET") else name


@contextlib.contextmanager
def _waiting_at_most(seconds: float) -> Iterator[None]:
    """Whoever asks a server meanwhile, and names no time, waits no longer for it to send something."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def tensors_of(checkpoint: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of a state dict, taken out of its wrapper and of a `module.` prefix."""
    for wrapper in WRAPPERS:
        inner = checkpoint.get(wrapper) if isinstance(checkpoint, Mapping) else None
        if isinstance(inner, Mapping):
            checkpoint = inner
            break
    if not isinstance(checkpoint, Mapping):
        kind = type(checkpoint).__name__
        raise CheckpointError(f"a checkpoint must map names to tensors, not be a {kind}")
    tensors = {
        str(key).removeprefix("module."): value
        for key, value in checkpoint.items()
        if isinstance(value, Tensor)
    }
    if not tensors:
        raise CheckpointError(f"the checkpoint holds no tensors, only {some(map(str, checkpoint))}")
    return tensors


def some(keys: Iterable[str], count: int = 3) -> str:
    """The first few keys and how many more there are, for one line of an error."""
    listed = list(keys)
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return (", ".join(listed[:count]) or "nothing") + more
