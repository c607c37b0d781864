"""Any annotation file, opened once: its text, and what is in it as JSON, XML or rows. Nothing in it is run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pipeline.data.annotations.columns.decoding import decoded
from pipeline.data.annotations.csv_files import Rows, after_remarks, rows_of
from pipeline.data.annotations.foreign.unread import refuse_binary
from pipeline.errors import UserError
from pipeline.plain_files import distinct_pairs, read_bytes

RATE_BY_COUNT = "videos without fps, whose frame rate is their number of frames by their duration"
_DEEPEST = 100  # elements within one another; annotation files have about ten
_RATES = (5.0, 250.0)  # frames a second; what is outside counted something else


class OpenedFile:
    """A file of annotations whose form is not known yet; each view of it is made on first use."""

    def __init__(self, path: Path) -> None:
        """Read the file (packed: what is in it). Raises UserError if it cannot be read or is not text."""
        self.path = path
        try:
            self._content = read_bytes(path, packed=True)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(
                f"{path}: cannot be read ({reason}); see dataset.annotations"
            ) from error
        refuse_binary(path, self._content)

    @cached_property
    def text(self) -> str:
        """The text. Raises UserError if it is none."""
        return decoded(self._content, self.path)

    @cached_property
    def json(self) -> Any:
        """The JSON value, None if the file does not begin as JSON. Raises UserError if it is broken."""
        if self.text.lstrip()[:1] not in ("{", "["):
            return None
        try:
            return json.loads(self.text, object_pairs_hook=distinct_pairs)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{self.path}: not valid JSON ({error})") from error

    @cached_property
    def xml(self) -> Element | None:
        """The root element, None if the file does not begin as XML. Raises UserError if it is broken."""
        if not self.text.lstrip().startswith("<"):
            return None
        return _parsed(self._content, self.path)

    @cached_property
    def rows(self) -> Rows:
        """The rows as those of a CSV file. Raises UserError."""
        return rows_of(self.text, self.path)

    @cached_property
    def columns(self) -> frozenset[str]:
        """The headings as they are written, none where the first rows are not CSV."""
        if self.json is not None or self.xml is not None:
            return frozenset()
        try:
            return frozenset(map(str.strip, rows_of(self._beginning, self.path).cells[0]))
        except UserError:
            return frozenset()

    @cached_property
    def tabbed(self) -> list[tuple[int, list[str]]]:
        """The lines that are not empty, split at tabs, with their numbers; quotes mean nothing."""
        lines = enumerate(self.text.splitlines(), start=1)
        return [(number, line.split("\t")) for number, line in lines if line.strip()]

    @property
    def _beginning(self) -> str:
        """The first line that is no remark, for a look at its headings."""
        return next((line for line in after_remarks(self.text)[1].splitlines() if line.strip()), "")


def number(value: Any, where: str) -> float:
    """A JSON number, or one written as text, as a float. Raises UserError naming the place and the value."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise UserError(f"{where}: {_short(value)} is not a number")


def rate_of(value: Any) -> float:
    """A rate or a length in a file beside its segments; NaN where it is none, which is no error."""
    try:
        found = float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError, OverflowError):
        return float("nan")
    return found if 0 < found < float("inf") else float("nan")


def stated_rate(
    entry: Mapping[str, Any], seconds: float, notes: Counter[str], frames: str = "frame"
) -> float:
    """The frames a second of a video: its `fps`, else its number of `frames` by its seconds, which is counted in `notes`.

    NaN if neither is there, or they give a rate that no video has.
    """
    if (stated := rate_of(entry.get("fps"))) > 0:
        return stated
    rate = rate_of(entry.get(frames)) / seconds if seconds > 0 else float("nan")
    if not _RATES[0] <= rate <= _RATES[1]:
        return float("nan")
    notes[RATE_BY_COUNT] += 1
    return rate


def string(value: Any, where: str) -> str:
    """A JSON string; a whole number is taken as one. Raises UserError naming the place and the value."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: {_short(value)} is not text")
    return value


def listed(value: Any, where: str) -> list[Any]:
    """A JSON list; null is an empty one. Raises UserError naming the place."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise UserError(f"{where}: {_short(value)} is not a list")
    return value


def mapping(value: Any, where: str) -> dict[str, Any]:
    """A JSON object. Raises UserError naming the place."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: {_short(value)} is not an object")
    return value


def pair(value: Any, where: str) -> tuple[float, float]:
    """A start and an end. Raises UserError naming the place."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise UserError(f"{where}: {_short(value)} is not [start, end]")
    return number(value[0], where), number(value[1], where)


def objects_of(value: Any) -> list[dict[str, Any]]:
    """The values of an object whose values are all objects, none of anything else."""
    if not isinstance(value, dict) or not value:
        return []
    values = list(value.values())
    return values if all(isinstance(entry, dict) for entry in values) else []


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # of an integer with thousands of digits
        text = type(value).__name__
    return text if len(text) <= 80 else text[:77] + "..."


def _parsed(content: bytes, path: Path) -> Element:
    """The tree of an XML file. No document type, so no entity, is taken, and no endless depth."""
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: Any) -> None:
        raise UserError(
            f"{path}: its XML has a document type (<!DOCTYPE>), which is not read; remove it"
        )

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise UserError(
                f"{path}: its XML is more than {_DEEPEST} elements deep; not annotations"
            )
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise UserError(f"{path}: not valid XML ({error})") from error
