"""CSV files read with clear errors, for every reader whose format is CSV."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.errors import UserError
from pipeline.plain_files import read_bytes


def read_csv(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A CSV file (gzipped or not) as text columns; `columns` must be there, others may be.

    Raises UserError naming the file, and the columns it lacks.
    """
    try:
        content = io.BytesIO(read_bytes(file, packed=True))
        frame = pd.read_csv(content, dtype=str, keep_default_na=False, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{file}: cannot be read ({reason}); see the dataset section") from error
    except (ValueError, EOFError) as error:
        raise UserError(f"{file}: not a CSV file ({' '.join(str(error).split())})") from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise UserError(
            f"{file}, line 2: more fields than the heading has; quote values with commas"
        )
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        # A file that is no table can have columns without end.
        shown = [name if len(name) <= 40 else name[:37] + "..." for name in map(str, frame.columns)]
        more = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
        raise UserError(
            f"{file}: no column {', '.join(missing)}; it has {', '.join(shown[:10])}{more}"
        )
    return frame


def float_column(frame: pd.DataFrame, column: str, file: Path) -> pd.Series:
    """A text column as floats.

    Raises UserError naming file, line and value of the first that is no number.
    """
    values = pd.to_numeric(frame[column], errors="coerce")
    bad = values.isna()
    if bad.any():
        line = int(bad.to_numpy().argmax())
        value = frame[column].iloc[line]
        raise UserError(f"{file}, line {line + 2}: {column} {value!r} is no number")
    return values.astype(float)
