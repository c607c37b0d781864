"""Features as text (.csv, .tsv, .txt), with or without a heading, and as MATLAB's variables (.mat)."""

from __future__ import annotations

import math
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy.io import loadmat, whosmat

from pipeline.array_files import ANY_PACKED, LARGEST_ARRAYS, MOST_PACKED
from pipeline.data.foreign.arrays import UnfitError, one_of
from pipeline.data.foreign.hdf5 import read_hdf5
from pipeline.plain_files import LARGEST_TEXT, bytes_text, require_plain

_LONGEST_LINE = 4 << 20  # bytes; 4,096 channels have 0.1 MB


def read_table(path: Path) -> np.ndarray:
    """The numbers of a table, a row a feature; a heading and a column of row numbers are left out.

    Fields are separated by tabs, commas, semicolons or blanks. Raises UnfitError and OSError.
    """
    require_plain(path, LARGEST_TEXT)
    with path.open("rb") as stream:
        first = stream.readline(_LONGEST_LINE).decode("utf-8-sig", "replace").strip("\r\n")
    mark = next((mark for mark in "\t,;" if mark in first), r"\s+")
    fields = re.split(mark, first.strip() if mark == r"\s+" else first)
    heading = _is_heading(fields)
    try:
        table = pd.read_csv(
            path,
            sep=mark,
            header=None,
            skiprows=int(heading),
            dtype=np.float64,
            encoding="utf-8-sig",
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise UnfitError("not a table of numbers") from error
    array: np.ndarray = table.to_numpy()
    numbered = heading and fields[0].strip(' "') == "" and array.shape[1] > 1
    if numbered and np.array_equal(array[:, 0], np.arange(len(array))):
        return array[:, 1:]
    return array


def _is_heading(fields: list[str]) -> bool:
    """Whether a first row names columns: by words, or by their numbers 0, 1, 2, ... (or from 1 on)."""
    values = [field.strip(' "') for field in fields]
    if not all(map(_is_number, values)):
        return True
    return len(values) > 1 and any(
        values == [str(number) for number in range(first, first + len(values))] for first in (0, 1)
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_matlab(path: Path) -> np.ndarray:
    """The one variable of a .mat file, or that named features. Raises UnfitError, OSError, ValueError."""
    size = require_plain(path, LARGEST_ARRAYS)
    if h5py.is_hdf5(path):
        return read_hdf5(path)
    try:
        variables = {name: shape for name, shape, _ in whosmat(str(path))}
        name = one_of(list(variables))
        claimed = math.prod(variables[name]) * 8
        if claimed > min(LARGEST_ARRAYS, max(ANY_PACKED, MOST_PACKED * size)):
            raise UnfitError(f"not readable (it claims {bytes_text(claimed)})")
        array: np.ndarray = loadmat(str(path), variable_names=[name])[name]
    except (TypeError, KeyError, NotImplementedError) as error:
        raise UnfitError("not readable as a MATLAB file") from error
    return array
