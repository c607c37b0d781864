"""Result files on disk: plain, gzipped or zipped JSON, written whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import secrets
import socket
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar

from evaluation.errors import SubmissionError
from evaluation.json_stream import NotJSONError, NotTextError

Made = TypeVar("Made")
Read = Callable[[int], bytes]  # up to this many bytes of a file, none at its end

# The name the challenge servers look for inside an uploaded zip.
ZIP_MEMBER = "test.json"
# Bytes, unpacked: a few kilobytes can unpack to more than any memory. The largest uploads have 300 MB, ten million
# detections 1.3 GB.
LARGEST = 4 << 30
# Times its size that a packed file may have, and what it may have anyway; text packs to a tenth.
MOST_PACKED, ANY_PACKED = 100, 16 << 20


def read_result_file(path: Path, use: Callable[[Read], Made]) -> Made:
    """What `use` makes of the bytes in a `.json`, `.json.gz` or a `.zip` that holds one JSON file.

    Raises SubmissionError if the file is missing, damaged or not JSON.
    """
    try:
        return _opened(path, use)
    except SubmissionError:
        raise
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise SubmissionError(f"{path}: cannot be read ({error})") from error
    except NotTextError as error:
        raise SubmissionError(f"{path}: is not UTF-8 text ({error})") from error
    except NotJSONError as error:
        raise SubmissionError(f"{path}: is not JSON ({error})") from error
    except ValueError as error:
        raise SubmissionError(f"{path}: is not valid JSON for a result file ({error})") from error


def write_result_file(path: Path, content: Any) -> None:
    """Write `.json`, `.json.gz` or `.zip` (one member, test.json) by a temporary file and a rename.

    Raises SubmissionError if the folder cannot be written to, or something that is not a file (a
    folder, a device) has the name.
    """
    text = json.dumps(content, allow_nan=False).encode()
    temporary = _temporary(path)
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is not a file")
        with temporary.open("wb") as file:
            _write_bytes(path, file, text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise SubmissionError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):  # a file system that became read-only refuses even this
            temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """A name that says who writes: `.NAME.tada-HOST-PID-RANDOM.tmp`, 255 bytes at most.

    HOST ends with the number of the space that process ids are counted in.
    """
    space = "/proc/self/ns/pid"
    where = f"{socket.gethostname()[:60]}.{os.stat(space).st_ino if os.path.exists(space) else 0:x}"
    writer = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', where)}-{os.getpid()}-{secrets.token_hex(4)}"
    name = path.name.encode(errors="surrogateescape")[: 242 - len(writer)].decode(errors="ignore")
    return path.with_name(f".{name}.tada-{writer}.tmp")


def _sync(folder: Path) -> None:
    """Put a folder's entries on disk, where the system can; the file itself is there already."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        descriptor = os.open(folder, os.O_RDONLY)
        stack.callback(os.close, descriptor)
        os.fsync(descriptor)


def _opened(path: Path, use: Callable[[Read], Made]) -> Made:
    size = _plain_size(path)
    if size > LARGEST:
        raise SubmissionError(
            f"{path}: has {size / 1e6:.0f} MB, more than {LARGEST >> 20} MB; no result file is that large"
        )
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".json")]
            if len(names) != 1:
                raise SubmissionError(
                    f"{path}: holds {len(names)} JSON files; an upload has only one, {ZIP_MEMBER}"
                )
            with archive.open(names[0]) as member:
                return use(_bounded(path, member))
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            return use(_bounded(path, packed))
    with path.open("rb") as file:
        return use(file.read)


def _plain_size(path: Path) -> int:
    """Bytes of a plain file. Raises OSError for anything else: a pipe would block, a device never end."""
    if path.is_symlink() and not path.exists():
        raise OSError("it is a link to a file that does not exist")
    found = path.stat()
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(f"it is {kinds.get(kind, 'a device')}, not a file")
    return found.st_size


def _bounded(path: Path, packed: IO[bytes] | gzip.GzipFile) -> Read:
    size = path.stat().st_size
    most = min(LARGEST, max(ANY_PACKED, MOST_PACKED * size))
    left = most

    def read(count: int) -> bytes:
        nonlocal left
        content = packed.read(count)
        left -= len(content)
        if left < 0:
            raise SubmissionError(
                f"{path}: {size / 1e6:.2f} MB that unpacks to more than {most >> 20} MB; no result file is that large"
            )
        return content

    return read


def _write_bytes(path: Path, file: BinaryIO, text: bytes) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(ZIP_MEMBER, text)
    else:
        file.write(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
