"""A model to one file: the same model gives the same bytes, and nothing in them is about this machine."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extraction.tensor_file import OURS, TensorFileError, read_header
from pipeline.configuration.model_content import written
from pipeline.configuration.stored import from_store, to_store
from pipeline.errors import UserError
from pipeline.model_files.content import checked, sealed
from pipeline.model_files.fitting import Form, require_fits
from pipeline.prediction.model import Model
from pipeline.run_folder.files import atomic_path

if TYPE_CHECKING:
    import numpy as np


def write_model(model: Model, path: Path, *, trained: str = "") -> None:
    """Write a model, whole or not at all; `trained` is the day its training ended (2026-11-26), where it is known.

    What no reader would take is refused here: UserError names what it is. So it is where the file cannot be written.
    """
    from safetensors.numpy import save

    tensors = _arrays(model)
    values = {
        "trained": trained,
        "digest": model.digest,
        "configuration": to_store(model.config),
        "classes": [list(names) for names in model.heads],
        "sha256": {
            name: hashlib.sha256(array.data).hexdigest() for name, array in sorted(tensors.items())
        },
        "results": dict(model.results),
        "note": model.note,
    }
    _require_readable(values, tensors, path)
    # One entry: of several, the order in the file would be another each time.
    image = save(tensors, {OURS: written(sealed(values))})
    try:
        read_header(io.BytesIO(image), len(image))
    except TensorFileError as error:
        raise UserError(
            f"{path}: readers would refuse the model: {error}; nothing was written"
        ) from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(image)


def _arrays(model: Model) -> dict[str, np.ndarray]:
    """The weights of both networks by their names in the file. Raises UserError for weights of neither network."""
    import torch

    from feature_extraction.weights.tensors import CLASSIFIER

    named = {f"{CLASSIFIER}{name}": tensor for name, tensor in model.classifier.items()}
    head = model.config.detector.name
    named |= {f"{head}.{name}": tensor for name, tensor in model.detector.items()}
    found = {}
    for name, tensor in named.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise UserError(
                f"{model.name}: the weights {name} have a value that is not finite: the training diverged; train again with a lower base_lr"
            )
        try:
            array: np.ndarray = tensor.detach().cpu().contiguous().numpy()
        except TypeError as error:  # kinds that numpy has not
            raise UserError(f"{model.name}: the weights {name} are {tensor.dtype}") from error
        found[name] = array
    return found


def _require_readable(values: dict[str, Any], tensors: dict[str, np.ndarray], path: Path) -> None:
    kinds = {"float32": "F32", "int64": "I64"}
    forms = {
        name: Form(kinds.get(array.dtype.name, array.dtype.name), array.shape)
        for name, array in tensors.items()
    }
    try:
        checked(sealed(values), path)
        require_fits(forms, from_store(values["configuration"]), values["classes"])
    except UserError as error:
        said = error.message if error.message.startswith(f"{path}:") else f"{path}: {error.message}"
        raise UserError(f"{said}; nothing was written") from error
