"""ELAN: its own files (.eaf) and the tab-delimited text it exports.

An .eaf is read here, for no parser of it is kept up: time slots in milliseconds, and the annotations of every
tier. Those that refer to another take its times.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from pipeline.data.annotations.columns.times import clock_seconds, is_clock
from pipeline.data.annotations.foreign.found import Found
from pipeline.data.annotations.foreign.opening import OpenedFile, number
from pipeline.data.annotations.parts.names import is_media
from pipeline.errors import UserError

_OFFSET = re.compile(r"\s+-- offset:\s*(-?\d+)\s*$")  # of a media file, in milliseconds
_MANY_TIERS = "tiers in one file, the labels of all are used"


def recognises(file: OpenedFile) -> bool:
    """Whether a file is ELAN's own or its tab-delimited text."""
    if file.json is not None:
        return False
    if file.xml is not None:
        return file.xml.tag == "ANNOTATION_DOCUMENT"
    rows = [cells for _, cells in _lines(file) if not _is_remark(cells)][:5]
    if rows and any(name.strip().lower().startswith("begin time - ") for name in rows[0]):
        return True
    return bool(rows) and all(len(_clocks(cells)) >= 2 for cells in rows[1:] or rows)


def read(file: OpenedFile) -> Found:
    """The segments of a file. Raises UserError naming line or annotation, and value."""
    found = Found(file.path)
    if file.xml is None:
        _text(found, file)
    elif file.xml.tag == "ANNOTATION_DOCUMENT":
        _document(found, file.xml)
    else:
        raise UserError(f"{file.path}: not an ELAN document (whose root is ANNOTATION_DOCUMENT)")
    return found


def _document(found: Found, root: Element) -> None:
    media = [
        m.get("MEDIA_URL", "") or m.get("RELATIVE_MEDIA_URL", "")
        for m in root.iter("MEDIA_DESCRIPTOR")
    ]
    named = [url for url in media if is_media(url)] or [url for url in media if url]
    if len(named) > 1:
        found.notes["further media files of a document, left out"] = len(named) - 1
    video = found.video(named[0] if named else found.file.stem)
    origins = [m.get("TIME_ORIGIN") for m in root.iter("MEDIA_DESCRIPTOR") if m.get("TIME_ORIGIN")]
    shift = number(origins[0], f"{found.file}: TIME_ORIGIN") / 1000 if origins else 0.0
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    spans = _spans(root)
    used = set()
    for tier in root.iter("TIER"):
        for annotation in _annotations(tier):
            where = f"{found.file}, annotation {annotation.get('ANNOTATION_ID', '?')}"
            ends = [slots.get(name) for name in spans.get(annotation.get("ANNOTATION_ID"), ())]
            if len(ends) != 2 or None in ends:
                found.notes["annotations without times of their own, left out"] += 1
                continue
            start, end = (number(time, where) / 1000 + shift for time in ends)
            used.add(tier.get("TIER_ID"))
            found.add(video, start, end, annotation.findtext("ANNOTATION_VALUE") or "", where)
    if len(used) > 1:
        found.notes[_MANY_TIERS] = len(used)


def _annotations(tier: Element) -> Iterator[Element]:
    yield from tier.iter("ALIGNABLE_ANNOTATION")
    yield from tier.iter("REF_ANNOTATION")


def _spans(root: Element) -> dict[str | None, tuple[str | None, str | None]]:
    """The time slots of each annotation; of one that refers to another, those of that."""
    spans = {
        a.get("ANNOTATION_ID"): (a.get("TIME_SLOT_REF1"), a.get("TIME_SLOT_REF2"))
        for a in root.iter("ALIGNABLE_ANNOTATION")
    }
    refers = {a.get("ANNOTATION_ID"): a.get("ANNOTATION_REF") for a in root.iter("REF_ANNOTATION")}
    for name in refers:
        seen = {name}
        at = refers[name]
        while at in refers and at not in seen:
            seen.add(at)
            at = refers[at]
        if at in spans:
            spans[name] = spans[at]
    return spans


def _lines(file: OpenedFile) -> list[tuple[int, list[str]]]:
    """The lines split at tabs, or, in a CSV file that says where it comes from (`"#file:`), at commas."""
    if "\t" in file.text or not file.text.lstrip().lstrip('"').startswith("#file:"):
        return file.tabbed
    return [
        (number, next(csv.reader([line])))
        for number, line in enumerate(file.text.splitlines(), start=1)
        if line.strip()
    ]


def _text(found: Found, file: OpenedFile) -> None:
    rows = [(line, [c.strip() for c in cells]) for line, cells in _lines(file)]
    remarks = [_OFFSET.split(cells[0].strip('"#')) for _, cells in rows if _is_remark(cells)]
    if any(len(remark) > 1 and remark[1] != "0" for remark in remarks):
        found.notes["files with a master media offset, which is not added to their times"] = 1
    rows = [(line, cells) for line, cells in rows if not _is_remark(cells)]
    named = next((remark[0] for remark in remarks if is_media(remark[0])), file.path.stem)
    begins_with_names = bool(rows) and not _clocks(rows[0][1])
    heading = [name.lower() for name in rows.pop(0)[1]] if begins_with_names else []
    tiers = set()
    for line, cells in rows:
        where = f"{file.path}, line {line}"
        start, end, before, after = _parted(cells, heading, where)
        if is_media(before):
            raise UserError(
                f"{where}: a video is where ELAN's text has the tier; if this is a table of your own, its "
                "first line must name the columns: video,start,end,label"
            )
        media = next((c for c in after if is_media(c) or c.lower().endswith(".eaf")), None)
        texts = [cell for cell in after if cell and not _is_place(cell)]
        if len(texts) > 1:
            raise UserError(
                f"{where}: {len(texts)} texts after the times ({', '.join(texts)[:80]!r}); export one "
                "annotation a line, with tier, times and annotation value"
            )
        video = found.video((media or named).removesuffix(".eaf"))
        tiers.add(before)
        found.add(video, start, end, texts[0] if texts else "", where)
    if len(tiers) > 1:
        found.notes[_MANY_TIERS] = len(tiers)


def _parted(
    cells: list[str], heading: list[str], where: str
) -> tuple[float, float, str, list[str]]:
    """Start, end, the tier before them, and the cells after all times.

    Begin, end and duration each have the same forms, one after the other.
    """
    clocks = _clocks(cells)
    if len(clocks) >= 2:
        forms = clocks[1] - clocks[0]
        times = 3 if len(clocks) > 2 and clocks[2] - clocks[1] == forms else 2
        start, end = (clock_seconds(cells[place]) or 0.0 for place in clocks[:2])
        return start, end, "".join(cells[: clocks[0]][:1]), cells[clocks[0] + times * forms :]
    for form, unit in (("ss.msec", 1.0), ("msec", 1000.0)):
        ends = [f"{side} time - {form}" for side in ("begin", "end")]
        if set(ends) <= set(heading) and len(cells) > max(map(heading.index, ends)):
            start, end = (number(cells[heading.index(name)], where) / unit for name in ends)
            timed = [place for place, name in enumerate(heading) if " - " in name]
            return start, end, "".join(cells[: timed[0]][:1]), cells[timed[-1] + 1 :]
    raise UserError(
        f"{where}: no begin and end time; export them as hh:mm:ss.ms, with tier and value"
    )


def _clocks(cells: list[str]) -> list[int]:
    return [place for place, cell in enumerate(cells) if is_clock(cell.strip())]


def _is_place(cell: str) -> bool:
    """Whether a cell names a file, as the last columns of an export of several do."""
    return is_media(cell) or cell.lower().endswith(".eaf") or cell.startswith("file:/")


def _is_remark(cells: list[str]) -> bool:
    """Whether a line says where the annotations come from (`"#file:///...`)."""
    return cells[0].lstrip('"').startswith("#")
