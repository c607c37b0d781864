"""A video's features as they are used: read, brought to [features, channels], checked, joined on channels."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.data.foreign.arrays import UnfitError, require_readable
from pipeline.data.foreign.finding import Place
from pipeline.plain_files import require_plain
from pipeline.run_folder.identity import file_digest

# What damage makes of reading an archive or an array.
_DAMAGED = (ValueError, EOFError, MemoryError, RuntimeError, KeyError, zlib.error)
_LARGEST = float(np.finfo(np.float16).max)
_FORM = "not a float array [features, channels]"


class Read(NamedTuple):
    """A video's features float32 [features, channels], a digest of all they come from, and what was done.

    `squeezed`: the shape of an array that had axes of length 1; `clipped`: features that a part had more
    than another.
    """

    features: np.ndarray
    digest: str
    squeezed: str
    clipped: int


def read_video(places: Sequence[Place], layout: str) -> Read:
    """Read a video's parts, one a --from, and join them on their channels, in that order.

    `layout` "cn" turns [channels, features]. Parts may differ by one feature: the longer one is clipped.
    Raises UnfitError for what cannot be read, other shapes, NaN, and values float16 cannot hold.
    """
    parts, digests, squeezed = [], [], ""
    for place in places:
        array = _stored(place)
        digests.append(_digest(place, array))
        form = _two_axes(array)
        squeezed = squeezed or (_shape(array) if form.ndim != array.ndim else "")
        parts.append(_checked(form.T if layout == "cn" else form))
    lengths = [len(part) for part in parts]
    least, most = min(lengths), max(lengths)
    if most - least > 1:
        raise UnfitError("with parts that differ by more than one feature; were they made alike?")
    features = parts[0]
    if len(parts) > 1:
        features = np.concatenate([part[:least] for part in parts], axis=1)
    digest = digests[0]
    if len(digests) > 1:
        digest = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return Read(np.ascontiguousarray(features), digest, squeezed, most - least)


def _stored(place: Place) -> np.ndarray:
    try:
        if place.key is None:
            require_readable(place.path)
        else:
            require_plain(place.path)
        return place.read()
    except UnfitError:
        raise
    except zipfile.BadZipFile as error:
        raise UnfitError("not readable as an array of numbers") from error
    except OSError as error:
        reason = error.strerror or str(error).partition("(")[0].strip()
        raise UnfitError(f"not readable ({reason})") from error
    except _DAMAGED as error:
        raise UnfitError("not readable as an array of numbers") from error


def _digest(place: Place, array: np.ndarray) -> str:
    if place.key is None:
        return file_digest(Path(place.path))
    state = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    state.update(np.ascontiguousarray(array).view(np.uint8).data)
    return state.hexdigest()


def _two_axes(array: np.ndarray) -> np.ndarray:
    """An array without axes of length 1 around the two that count: [1, n, C], [n, C, 1, 1]."""
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    while array.ndim > 2 and 1 in array.shape:
        array = array.squeeze(array.shape.index(1))
    if array.ndim > 2:
        raise UnfitError(
            f"{_FORM} but of {array.ndim} axes; take the mean over space, crops or clips first"
        )
    return array


def _shape(array: np.ndarray) -> str:
    """An array's shape, its lengths as letters but for those of 1."""
    letters = iter("TCDEFGH")
    return "[" + ", ".join("1" if size == 1 else next(letters) for size in array.shape) + "]"


def _checked(array: np.ndarray) -> np.ndarray:
    if array.ndim != 2 or min(array.shape) == 0 or array.dtype.kind not in "fiu":
        raise UnfitError(_FORM)
    with np.errstate(over="ignore"):
        features = array.astype(np.float32, copy=False)
    if not np.isfinite(features).all():
        raise UnfitError("with NaN or infinite values")
    if max(float(features.max()), -float(features.min())) > _LARGEST:
        raise UnfitError(f"with values above {_LARGEST:g}, the most a feature file can hold")
    return features
