"""Files of tensors in the safetensors form, compared with their own size before a word of them is believed.

A file is eight bytes with the length of its header, the header, which is JSON, and the tensors' bytes. Here the
header is read and checked, and bytes are read after it: a file that is cut short meanwhile is an error, where one mapped
into memory would end the process. No torch is needed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from feature_extraction.plain_files import what_else

LARGEST_HEADER = 4 << 20  # bytes; a SlowFast with its digests has 0.4 MB
LARGEST = 32 << 30  # bytes of a file
MOST_TENSORS, MOST_AXES, LONGEST_NAME = 50_000, 8, 500
METADATA = "__metadata__"
OURS = "tada_loc"  # the entry of the metadata that our own files have; "sha256" in it are digests
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # fmt: skip
_LENGTH = 8  # bytes that say how long the header is
_DIGEST = re.compile(r"[0-9a-f]{64}")


class TensorFileError(ValueError):
    """A file that is not in the form, or not what it says; the text goes on after its name."""


@dataclass(frozen=True)
class Block:
    """Where a tensor is: its name, kind ("F32"), shape, first byte in the file, and number of bytes."""

    name: str
    kind: str
    shape: tuple[int, ...]
    begin: int
    size: int


@dataclass(frozen=True)
class Header:
    """The tensors of a file in the order they lie in it, and the texts beside them."""

    blocks: tuple[Block, ...]
    metadata: Mapping[str, str]


def is_tensor_file(path: str | os.PathLike[str]) -> bool:
    """Whether a plain file begins as one in this form does, whatever its name is."""
    try:
        if what_else(path) is not None:
            return False
        with open(path, "rb") as stream:
            start = stream.read(_LENGTH + 1)
    except OSError:
        return False
    # As a number, eight letters of a text are far beyond any header.
    return start[_LENGTH:] == b"{" and int.from_bytes(start[:_LENGTH], "little") < 1 << 32


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, Header]]:
    """A file to read tensors from, and its header, checked.

    Raises TensorFileError if it is not a plain file or not in the form, OSError where it cannot be read.
    """
    other = what_else(path)
    if other is not None:
        raise TensorFileError(f"it is {other}, not a file")
    with Path(path).open("rb") as stream:
        yield stream, read_header(stream, os.fstat(stream.fileno()).st_size)


def read_header(stream: BinaryIO, size: int) -> Header:
    """The header of a file of `size` bytes. Raises TensorFileError if anything in it is invalid."""
    if size > LARGEST:
        raise TensorFileError(
            f"it has {size / 1e9:.0f} GB, and at most {LARGEST / 1e9:.0f} are read"
        )
    start = stream.read(_LENGTH)
    length = int.from_bytes(start, "little")
    if len(start) < _LENGTH or length > size - _LENGTH or length > LARGEST_HEADER:
        raise TensorFileError(_no_header(start, length, size))
    text = stream.read(length)
    try:
        content = strict_json(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise TensorFileError(f"its header is not JSON ({_short(error)})") from error
    if not isinstance(content, dict):
        raise TensorFileError("its header names no tensors")
    metadata = content.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise TensorFileError(f"its {METADATA} is not a mapping of names to strings")
    return Header(_blocks(content, _LENGTH + length, size), metadata)


def read_block(stream: BinaryIO, block: Block, digest: str | None = None) -> np.ndarray:
    """The bytes of a tensor, uint8 [size], compared with their SHA-256 where one is given.

    Raises TensorFileError if they are cut off or others.
    """
    content = np.empty(block.size, np.uint8)
    stream.seek(block.begin)
    view, done = content.data, 0
    while done < block.size:
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]  # a file that was opened has it
        if not count:
            raise TensorFileError(f"it is truncated in the tensor {block.name}")
        done += count
    if digest is not None and hashlib.sha256(view).hexdigest() != digest:
        raise TensorFileError(f"damaged: the tensor {block.name} does not match its SHA-256")
    return content


def stated_digests(header: Header) -> dict[str, str]:
    """SHA-256 of tensors by name, as a file of ours states it of each; of another's nothing.

    Raises TensorFileError if it does not.
    """
    if OURS not in header.metadata:
        return {}
    try:
        content = strict_json(header.metadata[OURS])
    except (ValueError, RecursionError) as error:
        raise TensorFileError(f"its metadata {OURS} is not JSON ({_short(error)})") from error
    found = content.get("sha256") if isinstance(content, dict) else None
    if not isinstance(found, dict) or found.keys() != {block.name for block in header.blocks}:
        raise TensorFileError(f"its metadata {OURS} does not have one SHA-256 per tensor")
    if not all(isinstance(text, str) and _DIGEST.fullmatch(text) for text in found.values()):
        raise TensorFileError(f"its metadata {OURS} has an invalid SHA-256")
    return found


def strict_json(text: str) -> Any:
    """The value of a JSON text without what JSON has not, without keys that appear twice, with finite numbers.

    Raises ValueError, and RecursionError where it is nested too deep.
    """
    return json.loads(
        text, object_pairs_hook=_distinct, parse_constant=_not_json, parse_float=_finite
    )


def _blocks(content: dict[str, Any], first: int, size: int) -> tuple[Block, ...]:
    """The tensors of a header, which must lie one after the other from byte `first` to the end of the file."""
    if len(content) > MOST_TENSORS:
        raise TensorFileError(f"it has {len(content)} tensors, and at most {MOST_TENSORS} are read")
    found = [_block(name, value, first, size) for name, value in content.items()]
    found.sort(key=lambda block: (block.begin, block.size))
    end = first
    for block in found:
        if block.begin != end:
            what = "overlaps another" if block.begin < end else "leaves a gap before it"
            raise TensorFileError(f"the tensor {block.name} {what}")
        end += block.size
    if end != size:
        raise TensorFileError(
            f"its tensors end at byte {end}, the file at {size}: cut off or changed"
        )
    return tuple(found)


def _block(name: str, value: object, first: int, size: int) -> Block:
    """A tensor as the header describes it. Raises TensorFileError if it cannot be in a file of `size` bytes."""
    shown = name[:LONGEST_NAME]
    if len(name) > LONGEST_NAME or not isinstance(value, dict):
        raise TensorFileError(f"its header has an invalid entry for the tensor {shown}")
    kind, shape = value.get("dtype"), _counts(value.get("shape"))
    places = _counts(value.get("data_offsets"))
    if len(value) != 3 or not isinstance(kind, str) or kind not in SIZES:
        raise TensorFileError(
            f"the tensor {shown} has the type {str(kind)[:40]}, not {', '.join(SIZES)}"
        )
    if shape is None or len(shape) > MOST_AXES:
        raise TensorFileError(f"the tensor {shown} has the shape {str(value.get('shape'))[:60]}")
    if places is None or len(places) != 2 or not places[0] <= places[1] <= size - first:
        said = str(value.get("data_offsets"))[:60]
        raise TensorFileError(f"the tensor {shown} is stated to be at {said}, outside the file")
    begin, end = places
    if math.prod(shape) * SIZES[kind] != end - begin:
        raise TensorFileError(
            f"the tensor {shown} has the shape {list(shape)} of {kind} in {end - begin} bytes"
        )
    return Block(name, kind, shape, first + begin, end - begin)


def _counts(value: object) -> tuple[int, ...] | None:
    """Numbers of bytes or of positions; None if a value is not a list of such."""
    if not isinstance(value, list) or not all(type(v) is int and 0 <= v <= LARGEST for v in value):
        return None
    return tuple(value)


def _no_header(start: bytes, length: int, size: int) -> str:
    """What to say of a file that does not begin as one in this form."""
    if not size:
        return "it is empty"
    if start.startswith(b"PK"):
        return "it is a zip archive, as torch.save writes, not a safetensors file"
    if start.startswith(b"\x80") and length > 1 << 32:
        return "it is a pickle, not a safetensors file"
    if length >> 32 or size < _LENGTH:
        return "it is not a safetensors file"
    most = min(size - _LENGTH, LARGEST_HEADER)
    return f"it claims a header of {length} bytes, at most {most} are possible"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{name[:60]!r} appears twice")
            seen.add(name)
    return content


def _not_json(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large")
    return value
