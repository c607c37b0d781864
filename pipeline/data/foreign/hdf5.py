"""Features in HDF5: one file of all videos, or one per video; MATLAB's .mat of version 7.3 is HDF5, too."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.array_files import ANY_PACKED, LARGEST_ARRAYS, MOST_PACKED
from pipeline.data.foreign.arrays import UnfitError, one_of
from pipeline.data.foreign.names import Names
from pipeline.plain_files import bytes_text, require_plain

_DEEPEST = 3  # groups around the videos: subset, kind of features


def keys_of_videos(path: Path, names: Names) -> tuple[dict[str, list[str]], int]:
    """The keys of each video in a file of many, and how many keys are of no known video.

    A key is a dataset, or a group with the datasets of one video; around them may be groups of others.
    Raises OSError if it is not HDF5.
    """
    found: dict[str, list[str]] = {}
    others = 0
    require_plain(path)
    with h5py.File(path, "r", locking=False) as file:
        for key, video in _named(file, "", names, _DEEPEST):
            if video is None:
                others += 1
            else:
                found.setdefault(video, []).append(key)
    return found, others


def _named(
    group: h5py.Group, prefix: str, names: Names, depth: int
) -> Iterator[tuple[str, str | None]]:
    for key in group:
        video = names.video(key)
        item = None if video is not None else _own(group, key)
        if isinstance(item, h5py.Group) and depth:
            inside = list(_named(item, f"{prefix}{key}/", names, depth - 1))
            if any(found is not None for _, found in inside):
                yield from inside
                continue
        yield f"{prefix}{key}", video


def read_hdf5(path: Path, key: str | None = None) -> np.ndarray:
    """The array of a video: of a `key`, or of the whole file. Raises UnfitError and OSError."""
    with h5py.File(path, "r", locking=False) as file:
        item = file if key is None else file[key]
        while isinstance(item, h5py.Group):
            inside = [name for name in item if not name.startswith("#")]  # MATLAB's own
            item = _own(item, one_of(inside))
        if not isinstance(item, h5py.Dataset):
            raise UnfitError("with a link where its array should be")
        _check(item)
        array: np.ndarray = item[()]
        # MATLAB writes its columns first.
        return array.T if "MATLAB_class" in item.attrs else array


def _own(group: h5py.Group, key: str) -> Any:
    """What is in the file itself; None for links, which could lead to any file of this machine."""
    return group[key] if isinstance(group.get(key, getlink=True), h5py.HardLink) else None


def _check(dataset: h5py.Dataset) -> None:
    if dataset.dtype.kind not in "fiu" or dataset.shape is None:
        raise UnfitError("not a float array [features, channels]")
    if dataset.external or dataset.is_virtual:
        raise UnfitError("with its numbers in another file")
    claimed = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if claimed > min(LARGEST_ARRAYS, max(ANY_PACKED, MOST_PACKED * stored)) or (
        claimed and not stored
    ):
        raise UnfitError(f"not readable (it claims {bytes_text(claimed)} in {bytes_text(stored)})")
