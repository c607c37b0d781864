"""The class scores of `classify.scores`, as the run's videos and classes take them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset
from pipeline.data.foreign.names import Names
from pipeline.data.remote.copies import local_paths
from pipeline.data.scores.json_forms import parse_json
from pipeline.data.scores.labels import Matched, match_labels
from pipeline.data.scores.raw import Label, Raw
from pipeline.data.scores.table_form import parse_table
from pipeline.data.videos.left_out import how_to_go_on, shown
from pipeline.errors import UserError
from pipeline.plain_files import PACKED, read_bytes
from pipeline.run_folder.identity import SHORT, named

NONE = -1.0  # of a class that the file gives a video no score of


@dataclass(frozen=True)
class GivenScores:
    """Class scores [classes] by video, float64, in the order of the annotations' classes.

    NONE of a class without one. `notes`: what was read differently from how it is written, or left out.
    `unscored`: the classes of evaluation segments that the file never names.
    """

    file: Path
    rows: Mapping[str, np.ndarray]
    digests: Mapping[str, str]
    notes: tuple[str, ...]
    unscored: tuple[str, ...]

    def require_few(self, videos: Sequence[str], allowed: int) -> list[str]:
        """The videos without scores. Raises UserError if these and the classes without are too many."""
        missing = [video for video in videos if video not in self.rows]
        lacking = []
        if missing:
            lacking.append(
                f"no class scores of {len(missing)} of {len(videos)} videos ({shown(missing)})"
            )
        if self.unscored:
            lacking.append(
                f"no scores of {len(self.unscored)} classes that have evaluation segments "
                f"({shown(self.unscored)})"
            )
        count = len(missing) + len(self.unscored)
        if count > allowed:
            notes = f" ({'; '.join(self.notes)})" if self.notes else ""
            raise UserError(
                f"{self.file}: {', and '.join(lacking)}{notes}; add them, {how_to_go_on(count)}"
            )
        return missing


def scores_of(config: Config, dataset: Dataset) -> GivenScores:
    """The scores of `classify.scores`, of evaluation videos. A file that is as it was is read once.

    Raises UserError if it cannot be read, has another form, or does not fit the classes.
    """
    place = config.detection().classify.scores
    if place is None:
        raise UserError("classify.scores is not set; give a file with class scores of the videos")
    if len(dataset.heads) != 1:
        raise UserError(
            "classify.scores names one class a segment, and these annotations have verbs and nouns; "
            "set classify.scores=null, and a classifier names both"
        )
    subset = config.dataset.eval_subset
    tested = frozenset(dataset.rows(subset)["label"])
    videos = tuple(dataset.video_ids(subset))
    others = frozenset(dataset.videos["video"])
    (file,) = local_paths([place], config.dataset)
    try:
        found = os.stat(file)
    except OSError as error:
        raise _unreadable(file, error) from error
    when = (found.st_size, found.st_mtime_ns, found.st_ino)
    return _read(file, when, dataset.heads[0], videos, (others, tested))


@lru_cache(maxsize=2)
def _read(
    file: Path,
    when: tuple[int, int, int],  # distinguished by it alone
    classes: tuple[str, ...],
    videos: tuple[str, ...],
    known: tuple[frozenset[str], frozenset[str]],
) -> GivenScores:
    """`known`: the videos of the annotations, and the classes of evaluation segments."""
    raw = _parsed(file)
    _require_length(raw, classes)
    matched = match_labels(raw, classes)
    names, strangers = _names(raw, videos, known[0])
    logits = any(min(row, default=0.0) < 0 for row in raw.rows.values())
    rows = {v: _row(raw, name, matched, len(classes), logits=logits) for v, name in names.items()}
    digests = {
        video: hashlib.sha256(row.tobytes()).hexdigest()[:SHORT] for video, row in rows.items()
    }
    scored = {classes[place] for place in matched.index.values() if place is not None}
    notes = _notes(raw, matched, classes, strangers, logits=logits)
    return GivenScores(file, rows, digests, notes, tuple(sorted(known[1] - scored)))


def _parsed(file: Path) -> Raw:
    try:
        text = read_bytes(file, packed=file.suffix.lower() in PACKED).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file}: classify.scores is not text ({error}); give JSON or a table video,label,score"
        ) from error
    except OSError as error:
        raise _unreadable(file, error) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    raw = parse_json(text, file) if text.lstrip()[:1] in ("{", "[") else parse_table(text, file)
    if raw.rows and raw.labelled:
        some = f"videos {next(iter(raw.rows))} and {next(iter(raw.labelled))}"
        raise UserError(f"{file}: {some} have scores of two forms; give all of them in one")
    if not raw.videos:
        raise UserError(f"{file}: classify.scores holds no class scores of any video")
    return raw


def _require_length(raw: Raw, classes: Sequence[str]) -> None:
    """Rows have a score for each class of the file's list, or of the annotations. Raises UserError."""
    count = len(classes) if raw.classes is None else len(raw.classes)
    whose = "the annotations have" if raw.classes is None else "its list has"
    for video, row in raw.rows.items():
        if len(row) != count:
            raise UserError(
                f"{raw.file}: video {video} has {len(row)} scores, and {whose} {count} classes; give a "
                "score for each, with the names in the file as 'class'"
            )


def _names(
    raw: Raw, videos: Sequence[str], known: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """What each video of ours is called in the file (found as files of features are), and videos of no annotation."""
    found: dict[str, str] = {}
    strangers, ours, names = [], set(videos), Names(known)
    for name in raw.videos:
        video = names.video(name)
        if video is None:
            strangers.append(name)
        elif video in found:
            raise UserError(
                f"{raw.file}: {found[video]!r} and {name!r} are both video {video}; give it once"
            )
        elif video in ours:
            found[video] = name
    return {video: found[video] for video in videos if video in found}, strangers


def _row(raw: Raw, name: str, matched: Matched, count: int, *, logits: bool) -> np.ndarray:
    """A video's scores in the order of the annotations' classes."""
    result = np.full(count, NONE)
    if name in raw.rows:
        values = np.array(raw.rows[name], np.float64)
        if logits:
            powers = np.exp(values - values.max())
            values = powers / powers.sum()
        labels: Iterable[Label] = raw.classes or range(count)
        pairs = list(zip(labels, values.tolist(), strict=True))
    else:
        pairs = list(raw.labelled[name].items())
    for label, score in pairs:
        place = matched.index[label]
        if place is not None:
            result[place] = score
    return result


def _notes(
    raw: Raw, matched: Matched, classes: Sequence[str], strangers: Sequence[str], *, logits: bool
) -> tuple[str, ...]:
    notes = []
    if logits:
        notes.append(
            "some scores are negative: they are taken as logits, and their softmax is used"
        )
    if (raw.rows and raw.classes is None) or (matched.numbered and raw.classes is None):
        first = ", ".join(f"{place} {name}" for place, name in enumerate(classes[:3]))
        notes.append(
            f"it lists no class names: the order of the annotations' classes is used ({first}, ...)"
        )
    if matched.respelt:
        pairs = [f"{label!r} is {name!r}" for label, name in matched.respelt.items()]
        notes.append(f"{len(pairs)} labels are spelled differently: {shown(pairs)}")
    if matched.unknown:
        some = named(map(str, matched.unknown))
        notes.append(
            f"{len(matched.unknown)} classes are not in the annotations and left out: {some}"
        )
    if strangers:
        notes.append(
            f"{len(strangers)} videos are not in the annotations and left out: {named(strangers)}"
        )
    return tuple(notes)


def _unreadable(file: Path, error: OSError) -> UserError:
    return UserError(f"{file}: cannot be read ({error.strerror or error}); see classify.scores")
