"""Arrays in the files of NumPy and torch: .npy, .npz and .pt. Nothing is unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch

from feature_extraction.weights.claims import ClaimError, load_tensors
from pipeline.array_files import LARGEST_ARRAYS, load_npy, load_npz_member, open_npz
from pipeline.plain_files import require_plain

# Looked for where a file holds several arrays.
_KEYS = ("features", "feats", "feature", "feat", "c3d_features")
_TRUSTED = (
    "a pickle, which can run code as it is read; if you trust it, make an .npz of it in Python"
)
PICKLE = (
    f"{_TRUSTED}: import numpy, pickle; "
    "numpy.savez('VIDEO.npz', features=pickle.load(open('VIDEO.pkl', 'rb')))"
)
_OBJECTS = (
    f"{_TRUSTED}: import numpy; numpy.savez('VIDEO.npz', features=numpy.array("
    "numpy.load('VIDEO.npy', allow_pickle=True).tolist(), 'float32'))"
)
_TORCH_OBJECTS = (
    f"{_TRUSTED}: import numpy, torch; "
    "numpy.savez('VIDEO.npz', features=torch.load('VIDEO.pt', weights_only=False))"
)
_NO_TENSORS = "not readable as a file of tensors alone"


class UnfitError(ValueError):
    """A file whose features cannot be used; the text is counted, so it names no file."""


def require_readable(path: Path) -> None:
    """Raise UnfitError for what is not a plain file, or has too many bytes: reading it would not end."""
    try:
        require_plain(path, LARGEST_ARRAYS)
    except OSError as error:
        raise UnfitError(f"not readable ({error.strerror or error})") from error


def read_npy(path: Path) -> np.ndarray:
    """The array of a .npy file. Raises UnfitError, and what `load_npy` raises."""
    try:
        return load_npy(path)
    except ValueError as error:
        raise _objects(error) from error


def read_npz(path: Path, key: str | None = None) -> np.ndarray:
    """The array `key` of an archive, the only one, or that named features.

    Of a `key` no other is looked at. Raises UnfitError, and what `open_npz` raises.
    """
    try:
        if key is not None:
            return load_npz_member(path, key)
        with open_npz(path) as archive:
            array: np.ndarray = archive[one_of(archive.files)]
            return array
    except UnfitError:
        raise
    except ValueError as error:
        raise _objects(error) from error


def _objects(error: ValueError) -> ValueError:
    return UnfitError(_OBJECTS) if "Object arrays" in str(error) else error


def read_pt(path: Path) -> np.ndarray:
    """The tensor of a file of torch. Raises UnfitError, OSError."""
    try:
        value = load_tensors(path)
    except ClaimError as error:
        raise UnfitError(f"not readable (it {error})") from error
    except pickle.UnpicklingError as error:
        raise UnfitError(f"{_NO_TENSORS}: damaged, or {_TORCH_OBJECTS}") from error
    except Exception as error:  # torch.load raises many kinds for damaged files
        raise UnfitError(_NO_TENSORS) from error
    if isinstance(value, dict):
        value = value[one_of([key for key in value if isinstance(value[key], torch.Tensor)])]
    if not isinstance(value, torch.Tensor):
        raise UnfitError("not holding one tensor")
    value = value.detach()
    return (value.float() if value.is_floating_point() else value).numpy()


def one_of(keys: list[str]) -> str:
    """The only key, or that of features. Raises UnfitError."""
    named = [key for key in _KEYS if key in keys]
    if len(keys) != 1 and not named:
        raise UnfitError(
            f"with {'several arrays' if keys else 'no array'} and none named features or feats"
        )
    return keys[0] if len(keys) == 1 else named[0]
