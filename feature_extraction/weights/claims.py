"""What a file of tensors claims to hold, found out before it is loaded: a kilobyte can claim terabytes.

torch believes the sizes that a file states: of the records of its archive, and of the storages that tensors lie in.
Here both are compared with the file's size. No code of the file runs.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from feature_extraction.plain_files import what_else

# Bytes of a file, and of what it says besides numbers: a ResNet-152 with its optimizer's state has 1 GB and 0.3 MB.
LARGEST, LARGEST_PICKLE = 32 << 30, 16 << 20
# Tensors can share memory: how many times the file's size all of them may have, and what they may have anyway.
MOST_SHARED, ANY_SHARED = 8, 256 << 20
MOST_NAMES = 1000  # of functions and classes; torch allows fewer
_MAGIC = b"PK\x03\x04"  # of an archive; what torch wrote before 1.6 begins otherwise
_PICKLES = 4  # of the older form: magic number, protocol, machine, and what was saved
_SIZED = ("Tensor", "Storage", "bytearray")  # classes that take memory when called with a size
# Bytes of an element of each class of storages; asked for it, torch warns that these will go.
_ELEMENT = {
    f"{name}Storage": size
    for size, names in {
        1: "Untyped Byte Char Bool QInt8 QUInt8 QUInt4x2 QUInt2x4",
        2: "Half BFloat16 Short",
        4: "Float Int QInt32",
        8: "Double Long ComplexFloat",
        16: "ComplexDouble",
    }.items()
    for name in names.split()
}


class ClaimError(ValueError):
    """A file that claims more than it holds, or is not a plain file; the text says what was found, and the limit."""


def load_tensors(path: Path) -> Any:
    """What torch.load gives of a file onto the CPU, tensors and plain values only.

    Raises ClaimError if it is not a plain file or claims more than there is, FileNotFoundError, and
    what torch.load raises, which is of many kinds.
    """
    other = what_else(path)
    if other is not None:
        raise ClaimError(f"is {other}, not a file")
    size = os.path.getsize(path)
    if size > LARGEST:
        raise ClaimError(f"has {_size(size)}, and at most {_size(LARGEST)} are read")
    with path.open("rb") as file:
        start = file.read(LARGEST_PICKLE)
    if start.startswith(_MAGIC):
        _check_archive(path, size)
    else:
        _check_storages(start, _PICKLES, size)
    content = torch.load(path, map_location="cpu", weights_only=True)
    held = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(content))
    most = max(ANY_SHARED, MOST_SHARED * size)
    if held > most:
        raise ClaimError(f"claims tensors of {_size(held)} in {_size(size)}, at most {_size(most)}")
    return content


def _check_archive(path: Path, size: int) -> None:
    """Hold the records against the file: torch writes them as they are, one after the other."""
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        held = sum(record.file_size for record in records)
        if held > size:
            raise ClaimError(f"claims records of {_size(held)}, and has {_size(size)}")
        # torch finds records whatever the case of their names
        sizes = {record.filename.lower(): record.file_size for record in records}
        if len(sizes) < len(records):
            raise ClaimError("contains a record twice")
        folder = records[0].filename.partition("/")[0].lower() if records else ""
        names = (record for record in records if record.filename.lower() == f"{folder}/data.pkl")
        for record in names:
            if record.file_size > LARGEST_PICKLE:
                found, most = _size(record.file_size), _size(LARGEST_PICKLE)
                raise ClaimError(f"holds {found} besides its tensors, at most {most}")
            places = {name.removeprefix(f"{folder}/data/"): count for name, count in sizes.items()}
            _check_storages(archive.read(record), 1, size, places)


def _check_storages(
    content: bytes, pickles: int, size: int, places: Mapping[str, int] | None = None
) -> None:
    """Hold the storages that the last of some pickles claims against the file, or against their records."""
    claims = _Claims(io.BytesIO(content), encoding="latin1")
    try:
        for _ in range(pickles):
            claims.load()
            claims.memo.clear()
    except ClaimError:
        raise
    except Exception as error:  # damage can end anywhere in it
        raise pickle.UnpicklingError(f"no pickle: {error}") from error
    held = 0
    for key, claimed in claims.storages.items():
        held += claimed
        room = size if places is None else places.get(key.lower(), 0)
        if claimed > room or held > size:
            raise ClaimError(f"claims a storage of {_size(claimed)}, and has {_size(room)} for it")


class _Stub:
    """Stands for whatever a file would make: takes what is done to it, and does nothing."""

    def __init__(self, *args: object) -> None:
        name = type(self).__name__
        if name.endswith(_SIZED) and args and not isinstance(args[0], (str, _Stub)):
            raise ClaimError(f"asks for memory, {name}{str(args)[:60]}")

    def __setitem__(self, key: object, value: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


class _Claims(pickle._Unpickler):  # not the one in C, which takes as much memory as a number says
    """Goes through a pickle and makes nothing of it; `storages` are the bytes claimed, by key."""

    def __init__(self, stream: io.BytesIO, *, encoding: str) -> None:
        super().__init__(stream, encoding=encoding)
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, int] = {}
        self._names: dict[str, type[_Stub]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """A stub of that name, whatever it names."""
        if len(self._names) > MOST_NAMES:
            raise ClaimError(f"names more than {MOST_NAMES} functions and classes")
        return self._names.setdefault(name, type(name, (_Stub,), {}))

    def persistent_load(self, pid: Any) -> _Stub:
        """Note what a storage claims: ("storage", its class, key, device, elements, ...)."""
        if pid[0] == "storage":
            _, kind, key, _, count = pid[:5]
            if not isinstance(count, int) or count < 0:
                raise ClaimError("claims a storage of no size")
            if kind.__name__ not in _ELEMENT:
                raise ClaimError(f"claims a storage of an unknown kind, {kind.__name__[:40]}")
            claimed = count * _ELEMENT[kind.__name__]
            self.storages[str(key)] = max(claimed, self.storages.get(str(key), 0))
        return _Stub()


def _tensors(content: object) -> Iterator[Tensor]:
    """The tensors in nested lists and mappings; no list is looked at twice."""
    waiting, seen = [content], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (Mapping, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, Mapping) else value


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.3f} MB"
