"""Which column of a table is which: in any case, and by the other names people give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError

SECONDS, MILLISECONDS, FRAMES = "seconds", "milliseconds", "frames"
NEEDED = ("video", "start", "end", "label")
# The other names of each column, in small letters with underscores. A name that may mean two things is not here.
_NAMES = {
    "video": "video video_id videoid video_name videoname video_file video_filename filename file_name file "
    "media media_file media_file_name movie vid clip_name",
    "start": "start start_time starttime start_s start_sec start_secs start_second start_seconds time_start "
    "t_start tstart start_timestamp timestamp_start begin begin_time begintime time_begin begin_s begin_sec "
    "t_begin from onset onset_time start_time_s start_time_sec start_at begins starts",
    "end": "end end_time endtime end_s end_sec end_secs end_second end_seconds time_end t_end tend "
    "end_timestamp timestamp_end stop stop_time stoptime stop_s stop_sec stop_seconds time_stop t_stop "
    "stop_timestamp to finish finish_time until end_time_s end_time_sec end_at ends stops",
    "label": "label labels label_name action action_name action_label action_class class class_name "
    "class_label category category_name activity activity_name activity_label event event_label behavior "
    "behaviour",
    "subset": "subset split data_split dataset_split partition",
}
_UNITS = {
    MILLISECONDS: "ms msec msecs millisecond milliseconds milli millis",
    FRAMES: "frame frames frame_number frame_no frame_id frame_index frame_idx f",
}
_STARTS, _ENDS = (
    ("start", "begin", "time_start", "start_time"),
    ("end", "stop", "time_end", "end_time"),
)
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split()}
_IN_UNITS = {
    name: (role, unit)
    for unit, words in _UNITS.items()
    for word in words.split()
    for role, sides in (("start", _STARTS), ("end", _ENDS))
    for side in sides
    for name in (f"{side}_{word}", f"{word}_{side}")
}
_UNIT_OF_SECONDS = re.compile(r"[(\[](s|sec|secs|second|seconds|hh:mm:ss.*|mm:ss.*)[)\]]$")


@dataclass(frozen=True)
class Columns:
    """The place of each column by its role (video, start, end, label, subset), and what start and end count."""

    places: dict[str, int]
    unit: str


def plain_heading(heading: str) -> str:
    """A heading in small letters, without its unit of seconds, words joined with underscores."""
    text = _UNIT_OF_SECONDS.sub("", heading.strip().strip("\ufeff").lstrip("# ").lower()).strip()
    return re.sub(r"[\s\-./]+", "_", re.sub(r"[()\[\]]", " ", text).strip()).strip("_")


def find_columns(headings: Sequence[str], file: Path) -> Columns:
    """Where the columns of a table of segments are.

    The names `video`, `start`, `end`, `label` and `subset` themselves, in any case, win over other names.
    Raises UserError naming the columns found where one is missing, or where two may be it.
    """
    plain = [plain_heading(heading) for heading in headings]
    places: dict[str, int] = {}
    units: dict[str, str] = {}
    for role in (*NEEDED, "subset"):
        exact = [i for i, name in enumerate(plain) if name == role]
        other = [i for i, name in enumerate(plain) if _ROLES.get(name) == role]
        counted = [i for i, name in enumerate(plain) if _IN_UNITS.get(name, ("",))[0] == role]
        found = exact or other or counted
        if len(found) > 1:
            both = " and ".join(headings[i].strip() for i in found[:2])
            raise UserError(f"{file}: the columns {both} may both be {role}; name one {role}")
        if found:
            places[role] = found[0]
            units[role] = SECONDS if exact or other else _IN_UNITS[plain[found[0]]][1]
    missing = [role for role in NEEDED if role not in places]
    if missing:
        hint = (
            "; columns are separated by a comma, a semicolon or a tab" if len(headings) == 1 else ""
        )
        raise UserError(f"{file}: no column {', '.join(missing)}; it has {shown(headings)}{hint}")
    if units["start"] != units["end"]:
        raise UserError(
            f"{file}: start is in {units['start']} and end in {units['end']}; give both in one unit"
        )
    return Columns(places, units["start"])


def are_headings(headings: Sequence[str]) -> bool:
    """Whether a first row names the columns of a table of segments."""
    try:
        find_columns(headings, Path())
    except UserError:
        return False
    return True


def shown(headings: Sequence[str]) -> str:
    """The first columns of a file; one that is not a table can have columns without end."""
    names = [name if len(name) <= 40 else name[:37] + "..." for name in map(str.strip, headings)]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{', '.join(names[:10])}{more}"
