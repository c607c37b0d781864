"""Detections as a data frame that shows itself, and that files are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from evaluation.errors import TableError
from evaluation.tables import check_detections
from pipeline.errors import UserError
from pipeline.notebook.files import PathLike, a_file_a_video, as_read
from pipeline.notebook.known import (
    COLUMNS,
    NUMBERS,
    no_rows,
    require_videos,
    together,
    with_rows,
    without_rows,
)
from pipeline.prediction.found import Prediction
from pipeline.printing import printable_lines

if TYPE_CHECKING:
    from pipeline.notebook.drawing import Picture

_ROWS, _TIMELINES = 20, 3  # of the table and the timelines that a notebook shows


class Detections(pd.DataFrame):  # type: ignore[misc]
    """A data frame of detections: video, start, end (seconds), label, score, and of EPIC-KITCHENS verb and noun.

    It has every method of a pandas data frame. The result of a filter, a sort or a slice is Detections again, and still
    knows its videos: `videos` gives the length, the proposals and the curves of each. A result without the five columns
    (chosen columns, groups) is a plain data frame, as is `pandas.DataFrame(found)`. Files and pictures contain the rows of
    this table, so filter first. `Detections(frame)` turns a table of your own into Detections. Raises UserError
    for a table that is not one of detections.
    """

    _metadata: ClassVar[list[str]] = ["_predictions"]
    _predictions: tuple[Prediction, ...] = ()

    def __init__(
        self,
        data: Any = None,
        index: Any = None,
        columns: Any = None,
        dtype: Any = None,
        copy: bool | None = None,
        *,
        predictions: Iterable[Prediction] = (),
    ) -> None:
        super().__init__(no_rows() if data is None else data, index, columns, dtype, copy)
        self._predictions = tuple(predictions)
        if data is None or isinstance(data, (pd.DataFrame, Mapping, list)):
            _require(self)  # what else there is are pandas' own parts of tables

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return _table

    def __finalize__(self, other: Any, method: str | None = None, **more: Any) -> Detections:
        """Of tables put together, the videos of all."""
        super().__finalize__(other, method=method, **more)
        sources = getattr(other, "input_objs", None) or getattr(other, "objs", None) or ()
        sources = sources or (getattr(other, "left", None), getattr(other, "right", None))
        parts = [one._predictions for one in sources if isinstance(one, Detections)]
        if parts:
            self._predictions = together(one for part in parts for one in part)
        return self

    @classmethod
    def of_predictions(cls, predictions: Sequence[Prediction]) -> Detections:
        """The detections of some videos in one table, the videos in their order, each best first."""
        tables = [one.detections for one in predictions if len(one.detections)]
        tables = tables or [one.detections for one in predictions[:1]]
        table = pd.concat(tables, ignore_index=True) if tables else None
        return cls(table, predictions=together(map(without_rows, predictions)))

    @property
    def videos(self) -> dict[str, Prediction]:
        """What is known of each video, by its id: length, source, proposals, curves, and its rows of this table.

        Videos come in the order in which they were looked at, those without a row too.
        """
        _require(self)
        known = {one.video: one for one in self._predictions}
        plain = pd.DataFrame(self)
        groups = {str(v): rows for v, rows in plain.groupby("video", sort=False, observed=True)}
        none = plain.iloc[:0]
        return {
            video: with_rows(known.get(video), video, groups.get(video, none))
            for video in dict.fromkeys([*known, *groups])
        }

    @property
    def proposals(self) -> pd.DataFrame:
        """The proposals of all videos: video, start, end (seconds), score."""
        tables = [one.proposals for one in self._predictions if len(one.proposals)]
        none = no_rows(("video", "start", "end", "score"))
        return pd.concat(tables, ignore_index=True) if tables else none

    def of(self, videos: str | Iterable[str]) -> Detections:
        """The same of one video or of some, and of no other. Raises UserError naming a video that is not here."""
        wanted = [videos] if isinstance(videos, str) else list(videos)
        require_videos(wanted, [*(one.video for one in self._predictions), *self["video"]])
        table: Detections = self[self["video"].astype(str).isin(wanted)]
        table._predictions = tuple(one for one in self._predictions if one.video in wanted)
        return table

    @property
    def plot(self) -> Picture:
        """`found.plot(truth=annotations)`: a picture with matplotlib; `found.plot.hist()` and others are pandas' own."""
        from pipeline.notebook.drawing import Picture

        return Picture(pd.DataFrame(self), lambda: list(self.videos.values()))

    def to_activitynet(self, path: PathLike | None = None) -> dict[str, Any] | None:
        """ActivityNet's result form, as `tada-loc score` reads it: written to `path`, or given where there is none."""
        from pipeline.writers.tables import write_detections_json

        predictions = list(self.videos.values())
        if path is None:
            return as_read(lambda made: write_detections_json(predictions, made))
        write_detections_json(predictions, Path(path))
        return None

    def to_srt(self, path: PathLike) -> None:
        """Subtitles of the running actions: the file of one video, or a folder with VIDEO.srt of each."""
        from pipeline.writers.subtitles import write_srt

        a_file_a_video(self.videos, path, ".srt", write_srt)

    def to_vtt(self, path: PathLike) -> None:
        """Subtitles as WebVTT, which browsers show: the file of one video, or a folder with VIDEO.vtt of each."""
        from pipeline.writers.subtitles import write_vtt

        a_file_a_video(self.videos, path, ".vtt", write_vtt)

    def to_elan(self, path: PathLike) -> None:
        """A file for ELAN, to correct them: that of one video, or a folder with VIDEO.eaf of each."""
        from pipeline.writers.elan import write_elan

        a_file_a_video(self.videos, path, ".eaf", partial(write_elan, classes=self._classes))

    def to_via(self, path: PathLike) -> None:
        """A project of VIA 3 with all videos, to correct them."""
        from pipeline.writers.via import write_via

        write_via(list(self.videos.values()), Path(path), classes=self._classes)

    def to_label_studio(self, path: PathLike) -> None:
        """Tasks for Label Studio, to correct them: a file of all videos, and beside it the project's settings (.xml)."""
        from pipeline.writers.label_studio import write_label_studio, write_label_studio_config
        from pipeline.writers.labels import choices

        predictions, target = list(self.videos.values()), Path(path)
        write_label_studio_config(choices(predictions, self._classes), target.with_suffix(".xml"))
        write_label_studio(predictions, target)

    def timeline(self, path: PathLike) -> None:
        """A page with the video and all that was found: of one video, or a folder with VIDEO.html of each."""
        from pipeline.pages.timeline import write_timeline

        a_file_a_video(self.videos, path, ".html", write_timeline)

    @property
    def _classes(self) -> list[str]:
        """All labels that the models of the videos know, so that a person can pick what was not found."""
        return sorted({label for one in self._predictions for label in one.classes})

    def __repr__(self) -> str:
        table = printable_lines(super().__repr__())
        if not _fits(self):
            return table
        from pipeline.notebook.text import strips

        shown, more = self._shown()
        return "\n\n".join([table, *map(strips, shown), *more])

    def _repr_html_(self) -> str:
        if not _fits(self):
            return str(pd.DataFrame(self)._repr_html_())
        from pipeline.notebook.svg import page_part

        shown, more = self._shown()
        return page_part(shown, more, pd.DataFrame(self), _ROWS)

    def _shown(self) -> tuple[list[Prediction], list[str]]:
        """The videos of the pictures, those with a row first, and a line on the others where there are any."""
        known = {one.video: one for one in self._predictions}
        plain = pd.DataFrame(self).dropna(subset=list(COLUMNS))
        plain = plain.assign(video=plain["video"].astype(str), label=plain["label"].astype(str))
        videos = list(dict.fromkeys([*plain["video"], *known]))
        shown = [
            with_rows(known.get(video), video, plain[plain["video"] == video])
            for video in videos[:_TIMELINES]
        ]
        more = len(videos) - len(shown)
        return shown, [f"and {more:,} more {'video' if more == 1 else 'videos'}"] if more else []


def _table(*given: Any, **more: Any) -> pd.DataFrame:
    """What pandas makes of a table of detections: such a table again where it still is one, else a plain one."""
    frame = pd.DataFrame(*given, **more)
    if not _fits(frame):
        return frame
    table = Detections.__new__(Detections)
    pd.DataFrame.__init__(table, frame)
    return table


def _fits(frame: pd.DataFrame) -> bool:
    """Whether a data frame has the columns of detections, each once, and numbers where they belong."""
    names = list(frame.columns)
    if any(names.count(name) != 1 for name in COLUMNS):
        return False
    kinds = [frame[name].dtype for name in NUMBERS]
    return all(is_numeric_dtype(kind) and not is_bool_dtype(kind) for kind in kinds)


def _require(frame: pd.DataFrame) -> None:
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise UserError(f"detections: no column {missing[0]!r}; they are {', '.join(COLUMNS)}")
    try:
        check_detections(pd.DataFrame(frame))
    except TableError as error:
        raise UserError(f"{error}; leave such rows out first") from error
