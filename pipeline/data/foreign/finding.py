"""Where the features of each video are: in a folder with sub-folders, or in one file of all videos."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.array_files import npz_names
from pipeline.data.foreign.arrays import PICKLE, UnfitError, read_npy, read_npz, read_pt
from pipeline.data.foreign.hdf5 import keys_of_videos, read_hdf5
from pipeline.data.foreign.names import Names
from pipeline.data.foreign.tables import read_matlab, read_table
from pipeline.errors import UserError, cannot_read
from pipeline.plain_files import require_plain


def _no_pickle(path: Path) -> np.ndarray:
    raise UnfitError(PICKLE)


READERS: Mapping[str, Callable[[Path], np.ndarray]] = {
    ".npy": read_npy, ".npz": read_npz, ".pt": read_pt, ".pth": read_pt, ".h5": read_hdf5,
    ".hdf5": read_hdf5, ".hdf": read_hdf5, ".csv": read_table, ".tsv": read_table, ".txt": read_table,
    ".mat": read_matlab, ".pkl": _no_pickle, ".pickle": _no_pickle,
}  # fmt: skip
_LIKELY_OTHER = (".txt", ".pkl", ".pickle")  # taken only where a video has no file else
_OF_ALL = "numpy.savez('features.npz', **pickle.load(open('FILE', 'rb')))"


@dataclass(frozen=True)
class Place:
    """Where a video's features are: a file of its own, or a `key` in a file of many."""

    path: Path
    key: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.key is None else f"{self.path}:{self.key}"

    def read(self) -> np.ndarray:
        """The array as it is stored. Raises UnfitError, and what reading damaged files raises."""
        if self.key is None:
            return READERS[self.path.suffix.lower()](self.path)
        read = read_npz if self.path.suffix.lower() == ".npz" else read_hdf5
        return read(self.path, self.key)


@dataclass
class Found:
    """The place of each video, and the first few and the number of names that are of no known video."""

    places: dict[str, Place] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    number: int = 0

    def take(self, video: str, place: Place) -> None:
        """A further video. Raises UserError if it has a place."""
        before = self.places.get(video)
        if before is not None and _unlikely(before) == _unlikely(place):
            raise UserError(
                f"video {video}: more than one file ({before}, {place}); keep one, or, to join them on "
                "their channels, give each folder of them a --from of its own"
            )
        if before is None or _unlikely(before):
            self.places[video] = place

    def stranger(self, name: str, number: int = 1) -> None:
        """What is of no known video."""
        if number:
            self.number += number
            self.strangers += [name] if len(self.strangers) < 3 else []


def find(source: Path, names: Names) -> Found:
    """The features of known videos below a folder, or in a file of all videos (HDF5 or .npz).

    Raises UserError if there is no such folder or file, it is of no known form, or two are of one video.
    """
    found = Found()
    try:
        if source.is_dir():
            for path in _files(source):
                _look_at(path, names, found)
            return found
        require_plain(source)
    except FileNotFoundError as error:
        raise UserError(f"{source}: no such folder of features; see --from") from error
    except OSError as error:
        raise cannot_read(source, error) from error
    if not _is_pack(source):
        raise UserError(f"{source}: {_no_pack(source)}")
    _look_inside(source, names, found)
    return found


def _no_pack(source: Path) -> str:
    suffix = source.suffix.lower()
    if suffix in (".pkl", ".pickle"):
        return (
            "a pickle, which can run code as it is read; if you trust it, make an .npz of it in Python: "
            f"import numpy, pickle; {_OF_ALL.replace('FILE', source.name)}"
        )
    if suffix in (".pt", ".pth"):
        return (
            "a file of torch is read whole, which no file of all videos is to be; make an .npz of it in Python: "
            "import numpy, torch; numpy.savez('features.npz', **{k: v.numpy() for k, v in "
            f"torch.load({source.name!r}, weights_only=True).items()}})"
        )
    return "not a folder, nor a file of all videos (.h5, .hdf5, .npz); unpack it, or give --from its folder"


def _is_pack(path: Path) -> bool:
    return path.suffix.lower() in (".h5", ".hdf5", ".hdf", ".npz")


def _look_at(path: Path, names: Names, found: Found) -> None:
    """A file in a folder: of one video by its name, else perhaps of many."""
    video = names.video(path.name[: -len(path.suffix)])
    if video is not None:
        found.take(video, Place(path))
    elif not _is_pack(path):
        if path.suffix.lower() not in _LIKELY_OTHER:
            found.stranger(path.name)
    else:
        inside = Found()
        try:
            _look_inside(path, names, inside)
        except UserError:
            inside = Found()  # of another video, and damaged
        for known, place in inside.places.items():
            found.take(known, place)
        if inside.places:
            found.stranger(inside.strangers[0] if inside.strangers else "", inside.number)
        else:
            found.stranger(path.name)


def _look_inside(path: Path, names: Names, found: Found) -> None:
    """The videos in a file of many. Raises UserError if it cannot be read."""
    try:
        if path.suffix.lower() == ".npz":
            keys, others = _npz_keys(path, names)
        else:
            keys, others = keys_of_videos(path, names)
    except (OSError, RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not readable as a file of features ({reason})") from error
    for video, its in keys.items():
        for key in its:
            found.take(video, Place(path, key))
    found.stranger(path.name, others)


def _npz_keys(path: Path, names: Names) -> tuple[dict[str, list[str]], int]:
    keys: dict[str, list[str]] = {}
    listed = npz_names(path)
    for key in listed:
        if (video := names.video(key)) is not None:
            keys.setdefault(video, []).append(key)
    return keys, len(listed) - sum(map(len, keys.values()))


def _files(folder: Path) -> Iterator[Path]:
    """Files of known forms below a folder, in order; hidden ones and hidden folders are none."""
    seen = set()
    for top, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        named = [name for name in folders if may_be_features(name)]
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in named)
        if os.path.realpath(top) in seen:  # a link that leads back
            folders[:] = []
            continue
        seen.add(os.path.realpath(top))
        # a folder that is named as a file of features is looked at as one, and refused
        for name in sorted([*named, *filter(may_be_features, files)]):
            yield Path(top, name)


def may_be_features(name: str) -> bool:
    """Whether a file of a folder is read, by its name."""
    return name[0] != "." and os.path.splitext(name)[1].lower() in READERS


def _refuse(error: OSError) -> None:
    raise cannot_read(Path(error.filename), error) from error


def _unlikely(place: Place) -> bool:
    return place.path.suffix.lower() in _LIKELY_OTHER
