"""Stores of files by their addresses, through fsspec: what is there, of which version, its bytes.

Nothing but the standard library is loaded before an address is used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pipeline.configuration.sections.urls import masked
from pipeline.errors import FULL

WAITS = (0.5, 4.0, 15.0)  # seconds before a store that did not answer is asked again
# What names a version of a file, in the words of several stores; a digest or a version before a time.
_TAGS = (
    "etag", "e_tag", "md5hash", "content-md5", "content_md5", "md5", "generation", "version_id", "blob_id",
    "lastmodified", "last-modified", "last_modified", "mtime", "updated", "modified", "created",
)  # fmt: skip
# Network errors of the stores' own packages, by name: none of them is loaded for this.
_OF_NETWORKS = frozenset(
    {
        "ClientConnectionError",
        "ClientPayloadError",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "FSTimeoutError",
        "HTTPClientError",
        "IncompleteRead",
        "ProtocolError",
        "ReadTimeoutError",
        "ServiceRequestError",
        "ServiceResponseError",
        "TransportError",
    }
)
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_Result = TypeVar("_Result")


class StoreError(ValueError):
    """A store that gives no file: the message is one line with the address and the reason.

    `unreachable`: no answer; the file may exist.
    """

    def __init__(self, url: str, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(f"{url}: {reason}")
        self.unreachable = unreachable


@dataclass(frozen=True)
class Facts:
    """How many bytes a file has, and what names its version: a digest, or when it was written."""

    size: int
    tag: str


def facts_of(url: str) -> Facts:
    """What a store says of a file. Raises StoreError, also if it does not distinguish versions."""
    info = _tried(url, lambda: _store(url).info(_path(url)))
    if info.get("type") == "directory":
        raise StoreError(url, "is a folder, not a file")
    found = _facts(info)
    if found is None:
        raise StoreError(
            url,
            "the store reports no size, or neither a version nor a time; copy the file to a disk",
        )
    return found


def is_folder(url: str) -> bool:
    """Whether an address is that of files below it; on a web server, one without an ending is. Raises StoreError."""
    if url.startswith(("http://", "https://")):
        return not PurePosixPath(url).suffix

    def look() -> bool:
        try:
            found = _store(url).info(_path(url))
        except FileNotFoundError:
            return False
        kind: str = found.get("type", "")
        return kind == "directory"

    return _tried(url, look)


def files_below(url: str) -> dict[str, Facts | None]:
    """The files below an address, by what comes after it; None if a listing does not contain them.

    Raises StoreError if it is not there or nothing is below it, and for a name that leads out of it.
    """

    def look() -> dict[str, Facts | None]:
        store, path = _store(url), _path(url)
        store.invalidate_cache()
        found = dict(_named(url, path.rstrip("/") + "/", store.find(path, detail=True)))
        if not found:
            store.ls(path)  # raises what `find` was silent about
        return found

    found = _tried(url, look)
    if not found:
        raise StoreError(url, "no such folder, or it is empty")
    return found


def read_pieces(url: str, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    """The bytes [start, end) of each span. Raises StoreError, also if the store returns other bytes than requested."""

    def look(asked: Sequence[tuple[int, int]]) -> list[bytes]:
        starts, ends = [start for start, _ in asked], [end for _, end in asked]
        given: list[bytes] = _store(url).cat_ranges(
            [_path(url)] * len(asked), starts, ends, on_error="raise"
        )
        if [len(piece) for piece in given] != [end - start for start, end in asked]:
            raise StoreError(
                url, "the store does not support reading parts of files; set dataset.cache"
            )
        return given

    # the first alone: a web server may give the whole file each time
    first = _tried(url, lambda: look(spans[:1]))
    return first + (_tried(url, lambda: look(spans[1:])) if len(spans) > 1 else [])


def copy(url: str, target: Path) -> None:
    """Copy a file to a path, over what is there. Raises StoreError; OSError where the disk is full."""
    _tried(url, lambda: _store(url).get_file(_path(url), str(target)))


def _named(url: str, root: str, found: Mapping[str, Any]) -> Iterator[tuple[str, Facts | None]]:
    for path, info in found.items():
        if info.get("type") != "file" or path.rstrip("/") + "/" == root:
            continue
        inside = path.removeprefix(root)
        if inside == path or any(name in ("", ".", "..") for name in inside.split("/")):
            raise StoreError(url, f"lists {path!r}, which is not in it")
        yield inside, _facts(info)


def _facts(info: Mapping[str, Any]) -> Facts | None:
    known = {str(key).lower(): value for key, value in info.items()}
    value = next((known[key] for key in _TAGS if known.get(key)), "")
    tag = str(value.timestamp() if isinstance(value, datetime) else value).strip('"')
    size = known.get("size")
    return Facts(int(size), tag) if isinstance(size, int | float) and tag else None


def _store(url: str) -> Any:
    """The file system of an address. It is asked for each time: fsspec keeps it, and knows of forks."""
    import fsspec

    protocol = url.partition("://")[0]
    options: dict[str, Any] = {}
    if protocol in ("http", "https"):
        import aiohttp

        # its own limit is five minutes a file
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
        options = {"client_kwargs": {"timeout": timeout}}
    return fsspec.filesystem(protocol, **options)


def _path(url: str) -> str:
    path: str = _store(url)._strip_protocol(url)
    return path


def _tried(url: str, ask: Callable[[], _Result]) -> _Result:
    """What a store answers, asked again if there is no answer. Raises StoreError; OSError where the disk here is full."""
    for wait in (*WAITS, None):
        try:
            return ask()
        except ImportError as error:
            raise StoreError(url, _package_for(url, error)) from error
        except Exception as error:  # each store raises its package's own errors
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            if isinstance(error, StoreError):
                raise
            cause = _cause(error)
            passing = _passes(cause)
            if wait is None or not passing:
                raise StoreError(url, _said(cause), unreachable=passing) from error
        time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _cause(error: Exception) -> Exception:
    """What went wrong; fsspec says of anything on a web server that the file is not there."""
    while isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def _passes(error: Exception) -> bool:
    """Whether a retry may succeed: no answer, or a busy server."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status in _BUSY
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return any(kind.__name__ in _OF_NETWORKS for kind in type(error).__mro__)


def _said(error: Exception) -> str:
    status = getattr(error, "status", None)
    if isinstance(error, FileNotFoundError) or status == 404:
        return "no such file, or no such folder"
    if isinstance(error, PermissionError) or status in (401, 403) or _lacks_credentials(error):
        return (
            f"the store refuses ({_line(error)}); see docs/how-to/cloud.md for where credentials go"
        )
    return f"cannot be read ({_line(error)})"


def _lacks_credentials(error: Exception) -> bool:
    return "Credentials" in type(error).__name__ or "AuthenticationError" in type(error).__name__


def _line(error: Exception) -> str:
    text = " ".join(masked(str(error)).split())[:200]
    return text or type(error).__name__


def _package_for(url: str, error: ImportError) -> str:
    names = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "hf": "huggingface_hub"}
    missing = names.get(url.partition("://")[0])
    if missing is None or "fsspec" in str(error):
        missing = "fsspec aiohttp (the extra cloud)"
    return f"a package that reads it is not installed: pip install {missing}"
