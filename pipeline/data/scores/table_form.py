"""Video-level class scores as a table `video,label,score`: with or without a heading, with , ; or tabs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from pipeline.data.scores.raw import Raw
from pipeline.errors import UserError

COLUMNS = ("video", "label", "score")
_MARKS = ("\t", ";", ",")
_ALSO = {"video_id": "video", "video_name": "video", "class": "label", "probability": "score"}


def parse_table(text: str, file: Path) -> Raw:
    """The scores of a table. Raises UserError naming file, line and value where it has another form."""
    raw = Raw(file)
    lines = text.split("\n")
    mark = _mark_of(next((line for line in lines if line.strip()), ""))
    reader = csv.reader(lines, delimiter=mark)
    places: Sequence[int] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            where = f"{file}, line {reader.line_num}"
            if not any(cells):
                continue
            if places is None:
                places = _places(cells, where)
                if places is not None:
                    continue
                places = range(len(COLUMNS))
            if len(cells) <= max(places):
                raise UserError(f"{where}: {len(cells)} columns; give video, label and score")
            video, label, score = (cells[place] for place in places)
            if not video or not label:
                raise UserError(f"{where}: no {'label' if video else 'video'}; give one")
            raw.add_label(video, label, _score(score, mark, where), where)
    except csv.Error as error:
        raise UserError(f"{file}: not a table of text ({error})") from error
    return raw


def _mark_of(line: str) -> str:
    """The separator of columns: the character that the first line has at least two of."""
    return next((mark for mark in _MARKS if line.count(mark) >= 2), ",")


def _places(cells: Sequence[str], where: str) -> Sequence[int] | None:
    """Where a heading has the columns; None if the line is no heading. Raises UserError if one lacks."""
    names = [_ALSO.get(cell.lower(), cell.lower()) for cell in cells]
    if not set(COLUMNS) & set(names):
        return None
    lacking = [name for name in COLUMNS if names.count(name) != 1]
    if lacking:
        raise UserError(
            f"{where}: no column {', '.join(lacking)}, or more than one; it has {', '.join(cells[:10])}"
        )
    return [names.index(name) for name in COLUMNS]


def _score(cell: str, mark: str, where: str) -> float:
    text = cell.replace(",", ".") if mark != "," else cell
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{where}: score {cell!r} is not a number") from error
