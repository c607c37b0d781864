"""Feature files: one HDF5 file per video, self-describing, written whole or not at all.

A file holds one dataset, `features` float16 [clips, channels], contiguous and uncompressed
(measured fastest to write and read), and the fields of FeatureMeta as attributes. Any HDF5 reader reads
it; one of other hands is refused here, as is one that was changed. The fields and the shape appear once more after
the HDF5 part, where they are found without it; older files lack that, and are read all the same (see seal.py).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import h5py
import numpy as np

from feature_extraction.feature_meta import (
    UNNAMED,
    WHOLE,
    FeatureFileError,
    FeatureMeta,
    Outline,
    UnreadableFileError,
    check_expected,
    check_meta,
    description_of,
    meta_of,
    outline_of,
)
from feature_extraction.half import LARGEST, to_half
from feature_extraction.plain_files import what_else
from feature_extraction.seal import check_seal, described, seal
from feature_extraction.whole_file import sync_folder, temporary_path

_CONTROL = re.compile(r"[\x00-\x1f]")
DATASET = "features"
SUFFIX = ".h5"
MAX_NAME_BYTES = 255  # what common file systems allow for one name

__all__ = [
    "WHOLE",
    "FeatureFileError",
    "FeatureMeta",
    "Outline",
    "UnreadableFileError",
    "feature_path",
    "read_features",
    "read_meta",
    "read_outline",
    "read_shape",
    "write_features",
]


def feature_path(folder: str | os.PathLike[str], video: str) -> Path:
    """Give the feature file of a video id: `folder/ID.h5`, or `folder/CLASS/ID.h5` for CLASS/ID.

    Raises FeatureFileError for ids that would leave the folder or are no plain file names: empty,
    absolute, with `.`, `..` or an empty part, a backslash, a control character, over 255 bytes.
    """
    parts = video.split("/")
    plain = all(part not in ("", ".", "..") for part in parts)
    if not plain or "\\" in video or _CONTROL.search(video):
        raise FeatureFileError(f"video id {video!r} is not a plain file name; rename it")
    try:
        longest = max(len(part.encode("utf-8")) for part in (*parts[:-1], parts[-1] + SUFFIX))
    except UnicodeEncodeError as error:
        raise FeatureFileError(f"video id {video!r} is not valid text; rename it") from error
    if longest > MAX_NAME_BYTES:
        raise FeatureFileError(
            f"video id {video[:40]!r}... gives a file name of {longest} bytes, "
            f"more than {MAX_NAME_BYTES}; shorten it"
        )
    return Path(folder).joinpath(PurePosixPath(*parts[:-1]), parts[-1] + SUFFIX)


def write_features(path: str | os.PathLike[str], features: np.ndarray, meta: FeatureMeta) -> None:
    """Write features [clips, channels] and how they were made; a killed write leaves no `path`.

    The file is filled under a temporary name in the same folder, flushed to disk and renamed.
    Raises FeatureFileError for another shape, no clips, or values float16 cannot hold; OSError where
    the disk is full or read-only.
    """
    path = Path(path)
    stored = to_half(path, np.asarray(features))
    check_meta(path, asdict(meta))
    image = _image(stored, meta)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        with temporary.open("xb") as file:
            file.write(image)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # a file system that became read-only refuses even this
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_features(
    path: str | os.PathLike[str],
    expect: Mapping[str, object] | None = None,
    *,
    span: slice = slice(None),
) -> tuple[np.ndarray, FeatureMeta]:
    """Read features float32 [clips, channels] and their FeatureMeta.

    expect: FeatureMeta fields and the values that the caller needs
    span: a slice of clips; only these are read from the disk

    Raises FeatureFileError for a file that is missing, damaged or foreign,
    and, naming each, for fields that disagree; UnreadableFileError where the system gives no bytes.
    """
    with _opened(path, features=span == slice(None)) as (file, outline):
        meta = meta_of(path, file.attrs) if outline is None else outline.meta
        dataset = _dataset_of(path, file)
        check_expected(path, meta, expect or {})
        features = dataset[span].astype(np.float32)
    if not np.isfinite(features).all():
        raise FeatureFileError(f"{path}: features hold NaN or infinite values; extract it again")
    return features, meta


def read_shape(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Read how many clips and channels a file holds, without them. Raises FeatureFileError."""
    return read_outline(path)[:2]


def read_meta(path: str | os.PathLike[str]) -> FeatureMeta:
    """Read how a file's features were made, without the features. Raises FeatureFileError."""
    return read_outline(path).meta


def read_outline(path: str | os.PathLike[str]) -> Outline:
    """Read what a file is without its features, in one short read. Raises FeatureFileError."""
    with _refusing(path):
        outline = outline_of(path, check_seal(path, features=False))
    if outline is not None:
        return outline
    with _opened(path) as (file, _):  # of an older program
        clips, channels = _dataset_of(path, file).shape
        return Outline(int(clips), int(channels), meta_of(path, file.attrs))


@contextmanager
def _opened(
    path: str | os.PathLike[str], *, features: bool = False
) -> Iterator[tuple[h5py.File, Outline | None]]:
    """Open for reading, the seal being whole, with what the file says of itself. Raises FeatureFileError."""
    with _refusing(path):
        outline = outline_of(path, check_seal(path, features=features))
        with h5py.File(path, "r", locking=False) as file:
            yield file, outline


@contextmanager
def _refusing(path: str | os.PathLike[str]) -> Iterator[None]:
    """What goes wrong in reading a file becomes one FeatureFileError."""
    _check_size(path)
    try:
        yield
    except FeatureFileError:
        raise
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise FeatureFileError(f"{path}: no such feature file; extract this video first") from error
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, OSError) and _refused(error):
            raise UnreadableFileError(
                f"{path}: cannot be read ({error.strerror or reason}); it may be whole, so keep it"
            ) from error
        raise FeatureFileError(
            f"{path}: not a readable feature file ({reason}); delete it and extract again"
        ) from error


def _check_size(path: str | os.PathLike[str]) -> None:
    """Refuse what is not a plain file, and what is larger than any feature file, before it is read."""
    try:
        other = what_else(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FeatureFileError(f"{path}: no such feature file; extract this video first") from error
    if other is not None:
        raise FeatureFileError(
            f"{path}: is {other}, not a feature file; delete it and extract again"
        )
    size = os.path.getsize(path)
    if size > LARGEST:
        raise FeatureFileError(
            f"{path}: has {size / 1e9:.2f} GB, more than {LARGEST / 1e9:.2f} GB, too large for a "
            "feature file; delete it and extract again"
        )


def _refused(error: OSError) -> bool:
    """Whether the system gave no bytes; else the HDF5 library did not like those it got."""
    return error.errno is not None or "errno = " in str(error)


def _dataset_of(path: str | os.PathLike[str], file: h5py.File) -> h5py.Dataset:
    """Give the feature dataset; links, outside or missing storage and other layouts are refused."""
    link = file.get(DATASET, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise FeatureFileError(f"{path}: not a feature file (no dataset '{DATASET}' of its own)")
    dataset = file[DATASET]
    sound = (
        isinstance(dataset, h5py.Dataset)
        and dataset.ndim == 2
        and dataset.dtype == np.float16
        and min(dataset.shape) > 0
        and dataset.chunks is None
        and not dataset.external
        and not dataset.is_virtual
        # a dataset that claims more than the file holds would be filled with zeros
        and dataset.id.get_storage_size() == dataset.size * dataset.dtype.itemsize
    )
    if not sound:
        raise FeatureFileError(
            f"{path}: not a feature file ('{DATASET}' is not a contiguous float16 "
            f"[clips, channels] array)"
        )
    return dataset


def _image(stored: np.ndarray, meta: FeatureMeta) -> bytes:
    """The bytes of a feature file.

    Made in memory: on a full disk the HDF5 library leaves a file that it cannot close.
    """
    with h5py.File("features", "w", driver="core", backing_store=False) as file:
        dataset = file.create_dataset(DATASET, data=stored)
        for name, value in asdict(meta).items():
            if UNNAMED.get(name) == value:
                continue  # such files stay as they were before there was a choice
            file.attrs[name] = value
        file.flush()
        image: bytes = file.id.get_file_image()
        clips, channels = stored.shape
        whole = described(image, description_of(Outline(clips, channels, meta)))
        return whole + seal(whole, dataset.id.get_offset(), stored.nbytes)
