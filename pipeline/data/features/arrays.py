"""Arrays of features in other programs' files: .npy, .npz and .pt, to float32 [clips, channels]."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from feature_extraction.weights.claims import ClaimError, load_tensors
from pipeline.array_files import LARGEST_ARRAYS, load_npy, open_npz
from pipeline.plain_files import require_plain

_KEYS = ("features", "feats")  # looked for where a file holds several arrays
# What damage makes of reading an archive or an array.
_DAMAGED = (ValueError, EOFError, MemoryError, RuntimeError, zlib.error, zipfile.BadZipFile)
_LARGEST = float(np.finfo(np.float16).max)


class UnfitError(ValueError):
    """A file whose features cannot be used; the text is counted, so it names no file."""


def read_array(path: Path, layout: str) -> np.ndarray:
    """A file's features, float32 [clips, channels]; `layout` "cn" turns [channels, clips].

    Raises UnfitError for what cannot be read, other shapes, NaN, and values float16 cannot hold.
    """
    try:
        array = ARRAY_READERS[path.suffix](path)
    except UnfitError:
        raise
    except OSError as error:
        raise UnfitError(f"not readable ({error.strerror or error})") from error
    except _DAMAGED as error:
        raise UnfitError("not readable as an array of numbers") from error
    if array.ndim != 2 or min(array.shape) == 0 or array.dtype.kind != "f":
        raise UnfitError("not a float array [clips, channels]")
    features = (array.T if layout == "cn" else array).astype(np.float32)
    if not np.isfinite(features).all():
        raise UnfitError("with NaN or infinite values")
    if np.abs(features).max() > _LARGEST:
        raise UnfitError(f"with values above {_LARGEST:g}, the most a feature file can hold")
    return np.ascontiguousarray(features)


def require_readable(path: Path) -> None:
    """Raise UnfitError for what is no plain file, or has too many bytes: reading it would not end."""
    try:
        require_plain(path, LARGEST_ARRAYS)
    except OSError as error:
        raise UnfitError(f"not readable ({error.strerror or error})") from error


def _read_npz(path: Path) -> np.ndarray:
    with open_npz(path) as archive:
        array: np.ndarray = archive[_only(archive.files)]
        return array


def _read_pt(path: Path) -> np.ndarray:
    try:
        value = load_tensors(path)
    except ClaimError as error:
        raise UnfitError(f"not readable (it {error})") from error
    except Exception as error:  # torch.load raises many kinds for damaged files
        raise UnfitError("not readable as a file of tensors alone") from error
    if isinstance(value, dict):
        value = value[_only(list(value))]
    if not isinstance(value, torch.Tensor):
        raise UnfitError("not holding one tensor")
    value = value.detach()
    return (value.float() if value.is_floating_point() else value).numpy()


ARRAY_READERS: Mapping[str, Callable[[Path], np.ndarray]] = {
    ".npy": load_npy, ".npz": _read_npz, ".pt": _read_pt,
}  # fmt: skip


def _only(keys: list[str]) -> str:
    named = [key for key in _KEYS if key in keys]
    if len(keys) != 1 and not named:
        raise UnfitError(f"with several arrays and none named {' or '.join(_KEYS)}")
    return keys[0] if len(keys) == 1 else named[0]
