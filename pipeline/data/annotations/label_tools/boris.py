"""BORIS: tables of events, aggregated (a row per segment) or tabular (a row a start or a stop), CSV or TSV."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.data.annotations.columns.headings import plain_heading
from pipeline.data.annotations.columns.times import seconds_column
from pipeline.data.annotations.csv_files import Rows
from pipeline.data.annotations.foreign.found import Found, FoundVideo
from pipeline.data.annotations.foreign.opening import OpenedFile, rate_of
from pipeline.errors import UserError

_MEDIA = ("media_file_name", "media_file", "media_file_path", "source")
_LENGTH = ("media_duration", "total_length")
_RATE = ("fps", "fps_frame_s")
_PLAYER = re.compile(r"^player #?\d+:", re.IGNORECASE)
Row = Mapping[str, str]


def recognises(file: OpenedFile) -> bool:
    """Whether a file is a table of events of BORIS; older ones begin with lines about the observation."""
    if file.json is not None or file.xml is not None or "ehavior" not in file.text:
        return False
    try:
        return _heading_at(file.rows) is not None
    except UserError:
        return False


def read(file: OpenedFile) -> Found:
    """The segments of a table. Raises UserError naming line and value."""
    rows, found = file.rows, Found(file.path)
    at = _heading_at(rows)
    if at is None:
        raise UserError(
            f"{file.path}: no columns Behavior and Start (s), Stop (s) or Time of BORIS"
        )
    names = [plain_heading(name) for name in rows.cells[at]]
    table = [
        (line, {name: cell.strip() for name, cell in zip(names, cells, strict=False)})
        for line, cells in zip(rows.lines[at + 1 :], rows.cells[at + 1 :], strict=True)
    ]
    if {"start", "stop"} <= set(names):
        for line, row in table:
            _aggregated(found, row, line, rows.separator)
    else:
        _tabular(found, table, rows.separator)
    return found


def _heading_at(rows: Rows) -> int | None:
    """The row that names the columns, among the first."""
    for place, cells in enumerate(rows.cells[:60]):
        names = {plain_heading(cell) for cell in cells}
        behavior = "behavior" in names
        if behavior and ({"start", "stop"} <= names or ("time" in names and "subject" in names)):
            return place
    return None


def _aggregated(found: Found, row: Row, line: int, separator: str) -> None:
    where = f"{found.file}, line {line}"
    video = _video(found, row, where)
    if row.get("behavior_type", "").upper() == "POINT":
        found.notes["point events without a length, left out"] += 1
        return
    start, end = (
        seconds_column([row.get(side, "")], [line], side, found.file, separator)[0]
        for side in ("start", "stop")
    )
    found.add(video, start, end, row.get("behavior", ""), where)


def _tabular(found: Found, table: Sequence[tuple[int, Row]], separator: str) -> None:
    """Events in order: of a state, every second one ends what the one before began."""
    begun: dict[tuple[str, ...], tuple[float, int]] = {}
    for line, row in table:
        where = f"{found.file}, line {line}"
        video = _video(found, row, where)
        kind = (row.get("behavior_type") or row.get("status") or row.get("type") or "").upper()
        if kind == "POINT":
            found.notes["point events without a length, left out"] += 1
            continue
        time = seconds_column([row.get("time", "")], [line], "Time", found.file, separator)[0]
        label = row.get("behavior", "")
        modifiers = tuple(
            value for name, value in sorted(row.items()) if name.startswith("modifier")
        )
        key = (row.get("observation_id", ""), video, row.get("subject", ""), label, *modifiers)
        if kind == "START" and key in begun:
            raise UserError(
                f"{where}: {label!r} starts again before it stops (line {begun[key][1]})"
            )
        if kind == "STOP" and key not in begun:
            raise UserError(f"{where}: {label!r} stops without having started")
        if key in begun:
            found.add(video, begun.pop(key)[0], time, label, where)
        else:
            begun[key] = (time, line)
    for key, (_, line) in begun.items():
        raise UserError(
            f"{found.file}, line {line}: {key[3]!r} starts and never stops; fix it in BORIS (Observations, "
            "Check state events), or export aggregated events"
        )


def _video(found: Found, row: Row, where: str) -> str:
    """The video of an event. Raises UserError if the times run on through several media files."""
    written = next((row[name] for name in _MEDIA if row.get(name)), "")
    files = [part for part in re.split(r"[;|]", _PLAYER.sub("", written)) if part.strip()]
    if len(files) > 1:
        raise UserError(
            f"{where}: its observation plays {len(files)} media files ({written[:80]!r}), and its times "
            "continue across them; export an observation of each video"
        )
    name = files[0] if files else row.get("observation_id", "") or Path(found.file).stem
    length = rate_of(next((row[key] for key in _LENGTH if row.get(key)), None))
    rate = rate_of(next((row[key] for key in _RATE if row.get(key)), None))
    return found.video(name, FoundVideo(name, duration=length, fps=rate))
