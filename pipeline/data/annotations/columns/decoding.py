"""The bytes of a text file to text: UTF-8, UTF-16 and UTF-32 with their marks, UTF-16 without, Windows-1252."""

from __future__ import annotations

import codecs
from pathlib import Path

from pipeline.errors import UserError

# Longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 4096  # bytes by which UTF-16 without a mark is recognized
_WINDOWS = "cp1252"


def decoded(content: bytes, file: Path) -> str:
    """The text of a file, without a byte order mark.

    Raises UserError if it is in no encoding that can be detected.
    """
    encoding = _encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8" and not _holds_binary(content):
            try:
                return content.decode(_WINDOWS)
            except UnicodeDecodeError:
                pass
        reason = f"{encoding}: {error.reason} at byte {error.start}"
        raise UserError(f"{file}: not a text file ({reason}); save it as CSV, UTF-8") from error


def _encoding(content: bytes) -> str:
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    sample = content[:_LOOKED_AT]
    even, odd = sample[::2], sample[1::2]
    # Of text in UTF-16 nearly every second byte is zero; UTF-8 has none.
    if len(sample) >= 4 and odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if len(sample) >= 4 and even.count(0) > 0.6 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return "utf-8"


def _holds_binary(content: bytes) -> bool:
    """Whether there are control characters no text has."""
    return any(byte < 32 and byte not in b"\t\n\r\f" for byte in set(content))
