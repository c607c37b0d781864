"""NumPy's files, looked at before they are read: a header or an archive can claim any size."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.plain_files import bytes_text, require_plain, too_large

# Bytes of arrays: 10 hours with 15 clips per second of 2,304 channels have 5 GB as float32.
LARGEST_ARRAYS = 16 << 30
# How many times its size an archive may unpack to, and what it may in any case: features pack to a half, zeros to nothing.
MOST_PACKED, ANY_PACKED = 50, 256 << 20


def load_npy(path: Path) -> np.ndarray:
    """The array of a .npy file. Raises OSError and ValueError; nothing is read of one that claims too much."""
    size = require_plain(path, LARGEST_ARRAYS)
    with path.open("rb") as stream:
        _check_header(path, stream, size)
    array: np.ndarray = np.load(path, allow_pickle=False)
    return array


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[Any]:
    """An .npz file, open to take arrays from by name (`files` are the names).

    Raises OSError, ValueError, EOFError and BadZipFile; nothing is unpacked of one that claims too much.
    """
    size = require_plain(path, LARGEST_ARRAYS)
    most = min(LARGEST_ARRAYS, max(ANY_PACKED, MOST_PACKED * size))
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        held = sum(record.file_size for record in records)
        if held > most:
            found = f"{bytes_text(size)} that unpack to {bytes_text(held)}"
            raise too_large(path, found, most)
        for record in records:
            with archive.open(record) as stream:
                _check_header(path, stream, record.file_size)
    with np.load(path, allow_pickle=False) as stored:
        yield stored


def npz_names(path: Path) -> list[str]:
    """The names of an archive's arrays. Raises OSError and BadZipFile; nothing is unpacked."""
    require_plain(path)
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def load_npz_member(path: Path, name: str) -> np.ndarray:
    """One array of an archive of any size, by name; raises as `open_npz`, and KeyError."""
    require_plain(path)
    with zipfile.ZipFile(path) as archive:
        record = archive.getinfo(f"{name}.npy")
        most = min(LARGEST_ARRAYS, max(ANY_PACKED, MOST_PACKED * record.compress_size))
        if record.file_size > most:
            found = (
                f"{bytes_text(record.compress_size)} that unpack to {bytes_text(record.file_size)}"
            )
            raise too_large(path, found, most)
        with archive.open(record) as stream:
            _check_header(path, stream, record.file_size)
        with archive.open(record) as stream:
            array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
            return array


def _check_header(path: Path, stream: IO[bytes], size: int) -> None:
    """Compare what an array's header claims with the `size` bytes there are."""
    form = np.lib.format
    readers = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    version = form.read_magic(stream)
    if version not in readers:
        raise ValueError(f"an array of version {version}")
    shape, _, kind = readers[version](stream)
    claimed = math.prod(shape) * kind.itemsize
    if claimed > size or claimed < 0:
        raise too_large(path, f"its header claims {bytes_text(claimed)}", size)
