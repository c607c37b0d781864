"""What the report shows, as values: filled by code that knows runs, drawn by report.py. Figures are percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class MapRow:
    """mAP of someone at each threshold, None if not known; `ours`: of what the report is about."""

    name: str
    values: Sequence[float | None]
    average: float | None
    ours: bool


@dataclass(frozen=True)
class Bar:
    """A bar of a list: what it is, its mAP points, how many rows it counts (None: none), a sentence.

    `sum`: others are in it, and it stands apart from them.
    """

    name: str
    points: float
    count: int | None = None
    note: str = ""
    sum: bool = False


@dataclass(frozen=True)
class Group:
    """Bars of one property (length of a segment, instances in a video), under its title."""

    title: str
    unit: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Operating:
    """Precision, recall and F1 in percent, of all detections from each score [N] up; `best`: the row of best F1."""

    score: Numbers
    precision: Numbers
    recall: Numbers
    f1: Numbers
    best: int


@dataclass(frozen=True)
class ClassRow:
    """A class: AP at the report's tIoU and over all thresholds, its counts, and what it is at the score of its best F1.

    `curve`: recall and precision, percent, in rising order of recall. `confused`: the label that detections of
    this ground truth most often have in its place, and how many; None if there is none.
    """

    label: str
    ap: float
    average: float
    truths: int
    found: int
    precision: float
    recall: float
    score: float | None
    confused: tuple[str, int] | None = None
    curve: tuple[Numbers, Numbers] = ((), ())


@dataclass(frozen=True)
class Confusion:
    """Of ground truths that were localized: counts [true, found], labels of both sides; the most confused first."""

    labels: Sequence[str]
    counts: np.ndarray
    left_out: int = 0  # labels that are not shown


@dataclass(frozen=True)
class Training:
    """The curves of one training: a value per epoch of each series, None if it has none; lines by kind."""

    name: str
    epochs: Sequence[int]
    losses: Mapping[str, Sequence[float | None]]
    validation: Mapping[str, Sequence[float | None]]
    rate: Sequence[float | None]


@dataclass(frozen=True)
class Durations:
    """Lengths in seconds of the ground truth, and what the grid can propose: from `shortest` to `longest`.

    None: no such limit, or none that is the same for all videos. `outside`: sentences about what is beyond.
    """

    seconds: np.ndarray
    shortest: float | None
    longest: float | None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Facts:
    """A list of (name, value, remark) under a title, for the details."""

    title: str
    rows: Sequence[tuple[str, str, str]]
    heads: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True)
class Mistake:
    """A false positive or a miss, and frames of it as JPEG; `word`: what is wrong, or "missed"."""

    video: str
    start: float
    end: float
    label: str
    score: float | None
    word: str
    frames: Sequence[bytes] = ()


@dataclass(frozen=True)
class Videos:
    """The evaluated videos: `ids` in the order of the report, tables as evaluated, and where each is, if it does.

    truth: video, start, end, label, found_by (the score of the detection that is right for it; NaN: missed);
    detections: video, start, end, label, score, word (what it is: "right", or what is wrong with it); proposals:
    video, start, end, score (None: not known). `seconds`: how long a video is, where known. `paths`: of a video a
    browser may play, from the report's folder. `step`: seconds from one position to the next.
    """

    ids: Sequence[str]
    truth: pd.DataFrame
    detections: pd.DataFrame
    proposals: pd.DataFrame | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    step: float = 1.0


@dataclass(frozen=True)
class Analysis:
    """What the analyses of the detections say at the tIoU `tiou`.

    `words`: all that the detections' column `word` may hold. `threshold`: the score that timelines begin with.
    """

    tiou: float
    words: Sequence[str]
    threshold: float
    classes: Sequence[ClassRow]
    errors: Sequence[Bar] = ()
    errors_by: Sequence[Group] = ()
    operating: Operating | None = None
    confusion: Confusion | None = None


@dataclass(frozen=True)
class Report:
    """All that a report shows; what is None or empty is left out.

    `names`: what people call a label; `all_labels`: those of the model, for their colours. `stages`: what each
    stage could still give. `recall`: AR at 1, 2, ... proposals. `without`: what the report lacks, a sentence
    each. `made_of`: identifies what it was made from.
    """

    title: str
    about: Sequence[str]
    numbers: Sequence[tuple[str, str]]
    iou: Numbers
    maps: Sequence[MapRow]
    videos: Videos
    found: Analysis
    all_labels: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    stages: Sequence[Bar] = ()
    advice: Sequence[str] = ()
    recall: Numbers = ()
    trainings: Sequence[Training] = ()
    durations: Durations | None = None
    facts: Sequence[Facts] = ()
    mistakes: Sequence[Mistake] = ()
    without: Sequence[str] = ()
    made_of: str = ""
