"""Audacity's label tracks: `start<TAB>end<TAB>label` a line, seconds; the file has the video's name."""

from __future__ import annotations

from pipeline.data.annotations.columns.times import is_number
from pipeline.data.annotations.foreign.found import Found
from pipeline.data.annotations.foreign.opening import OpenedFile, number
from pipeline.errors import UserError


def recognises(file: OpenedFile) -> bool:
    """Whether a file holds a label track."""
    if file.json is not None or file.xml is not None:
        return False
    rows = [cells for _, cells in file.tabbed if not cells[0].startswith("\\")][:20]
    return bool(rows) and all(_is_label(cells) for cells in rows)


def read(file: OpenedFile) -> Found:
    """The segments of a label track. Raises UserError naming line and value."""
    found = Found(file.path)
    video = found.video(file.path.stem)
    for line, cells in file.tabbed:
        where = f"{file.path}, line {line}"
        if cells[0].startswith("\\"):  # the frequencies of the label before
            continue
        if not _is_label(cells):
            raise UserError(f"{where}: not start, end and label with tabs between them")
        start, end = (number(cell.replace(",", "."), where) for cell in cells[:2])
        if start == end:
            found.notes["point labels without a length, left out"] += 1
            continue
        found.add(video, start, end, " ".join(cells[2:]), where)
    return found


def _is_label(cells: list[str]) -> bool:
    return 2 <= len(cells) <= 4 and is_number(cells[0]) and is_number(cells[1])
