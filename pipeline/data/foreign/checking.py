"""Features of other programs looked at before anything is taken: which can be used, what is wrong with the others."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from feature_extraction.sampling import ClipGrid
from pipeline.data.foreign.arrays import UnfitError
from pipeline.data.foreign.clocks import Known, Stated
from pipeline.data.foreign.finding import Found, Place, find
from pipeline.data.foreign.lengths import Shape, misfits, too_long
from pipeline.data.foreign.names import Names
from pipeline.data.foreign.reading import read_video
from pipeline.progress import Progress, say

_SHOWN = 3


@dataclass(frozen=True)
class Checked:
    """The features that can be used, by video: where they are, a digest of each, their grid, their number.

    `digest`: of all of them; `channels`: what most of them have. `problems`: what is wrong, by video;
    `strangers`: a few words on names that are of no known video, "" where there are none.
    """

    places: Mapping[str, Sequence[Place]]
    digests: Mapping[str, str]
    grids: Mapping[str, ClipGrid]
    numbers: Mapping[str, int]
    digest: str
    channels: int
    problems: Mapping[str, str]
    strangers: str = ""


def check_features(
    sources: Sequence[Path],
    known: Mapping[str, Known],
    ids: Sequence[str],
    stated: Stated,
) -> Checked:
    """Read and check the features of the `known` videos, one video at a time.

    `sources`: folders or files of all videos, each with a part of the channels. `ids`: all videos of the
    annotations. Raises UserError if there is no such folder, or two files of one video.
    """
    names = Names(ids)
    all_found = [find(source, names) for source in sources]
    look = _Look(stated)
    for video in known:
        if any(video not in found.places for found in all_found):
            look.problems[video] = _missing(sources, all_found, video)
    todo = [video for video in known if video not in look.problems]
    places = {video: [found.places[video] for found in all_found] for video in todo}
    with Progress(len(todo), "checking features", unit="video") as bar:
        for video in todo:
            look.at(video, places[video], known[video])
            bar.update(1)
    usual = look.settle()
    _say_what_was_done(look, all_found, known)
    used = [video for video in todo if video not in look.problems]
    whole = hashlib.sha256("".join(f"{v} {d}\n" for v, d in look.digests.items()).encode())
    return Checked(
        {video: places[video] for video in used},
        {video: look.digests[video] for video in used},
        {video: stated.grid_of(known[video], look.shapes[video].number) for video in used},
        {video: look.shapes[video].number for video in used},
        whole.hexdigest(),
        usual,
        look.problems,
        _strangers(all_found),
    )


@dataclass
class _Look:
    """What was seen of the files so far."""

    stated: Stated
    digests: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    squeezed: Counter[str] = field(default_factory=Counter)
    clipped: int = 0

    def at(self, video: str, places: Sequence[Place], known: Known) -> None:
        """Read a video's features, and let them go again."""
        try:
            read = read_video(places, self.stated.layout)
            self.digests[video] = read.digest
            self.stated.grid_of(known, len(read.features))
        except UnfitError as error:
            self.problems[video] = str(error)
            return
        self.shapes[video] = Shape(len(read.features), read.features.shape[1], known)
        self.squeezed[read.squeezed] += 1
        self.clipped += bool(read.clipped)

    def settle(self) -> int:
        """Add what is wrong with lengths and channels; the number of channels most have."""
        self.problems |= misfits(self.shapes, self.stated)
        counts = Counter(
            shape.channels for video, shape in self.shapes.items() if video not in self.problems
        )
        usual = counts.most_common(1)[0][0] if counts else 0
        for video, shape in self.shapes.items():
            if shape.channels != usual and video not in self.problems:
                self.problems[video] = f"with other than {usual} channels"
        return usual


def _missing(sources: Sequence[Path], all_found: Sequence[Found], video: str) -> str:
    lacking = [
        str(source)
        for source, found in zip(sources, all_found, strict=True)
        if video not in found.places
    ]
    return "missing" if len(lacking) == len(sources) else f"missing in {', '.join(lacking)}"


def _say_what_was_done(look: _Look, all_found: Sequence[Found], wanted: Collection[str]) -> None:
    others = {video for found in all_found for video in found.places} - set(wanted)
    if others:
        say(f"import-features: {len(others)} files of videos of other subsets or skipped left out")
    for shape, count in look.squeezed.items():
        if shape:
            say(f"import-features: {count} arrays {shape} taken without their axes of length 1")
    if look.clipped:
        say(f"import-features: the parts of {look.clipped} videos differ by one feature, clipped")
    if text := _strangers(all_found):
        say(f"import-features: {text} left out")
    right = {video: shape for video, shape in look.shapes.items() if video not in look.problems}
    if text := too_long(right, look.stated):
        say(f"import-features: warning: {text}")


def _strangers(all_found: Sequence[Found]) -> str:
    number = sum(found.number for found in all_found)
    if not number:
        return ""
    some = [name for found in all_found for name in found.strangers][:_SHOWN]
    more = ", ..." if number > len(some) else ""
    return f"{number} of no video of the annotations ({', '.join(some)}{more})"


def problems_line(problems: Mapping[str, str]) -> str:
    """Problems in one line, counted by what is wrong."""
    groups: dict[str, list[str]] = {}
    for name, reason in problems.items():
        groups.setdefault(reason, []).append(name)
    parts = []
    for reason, names in groups.items():
        some = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        parts.append(f"{len(names)} {reason} ({some})")
    return "; ".join(parts)
