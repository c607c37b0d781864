"""What can be written of a prediction: THE table of its forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from feature_extraction.elsewhere import Elsewhere
from pipeline.data.videos.finding import Source
from pipeline.prediction.found import Prediction

Report = Callable[[float], object]  # called while work proceeds
# What writes a file, or the files of a folder, which it gives.
Write = Callable[[Prediction, Source, Path, Report], Sequence[Path] | None]


@dataclass(frozen=True)
class Form:
    """A form of a video's predictions: the option that asks for it, how its file ends, and what writes it.

    `folder`: it is a folder of files. Where `option` is empty it is always written.
    """

    option: str
    ending: str
    write: Write
    folder: bool = False


def _csv(found: Prediction, source: Source, path: Path, report: Report) -> None:
    from pipeline.writers.tables import write_detections_csv

    write_detections_csv([found], path)


def _json(found: Prediction, source: Source, path: Path, report: Report) -> None:
    from pipeline.writers.tables import write_detections_json

    write_detections_json([found], path)


def _timeline(found: Prediction, source: Source, path: Path, report: Report) -> None:
    from pipeline.pages.timeline import write_timeline

    write_timeline(found, path)


def _srt(found: Prediction, source: Source, path: Path, report: Report) -> None:
    from pipeline.writers.subtitles import write_srt

    write_srt(found, path)


def _vtt(found: Prediction, source: Source, path: Path, report: Report) -> None:
    from pipeline.writers.subtitles import write_vtt

    write_vtt(found, path)


def _render(found: Prediction, source: Source, path: Path, report: Report) -> None:
    from pipeline.writers.rendering import render_video

    assert not isinstance(source, Elsewhere)  # predict is given files
    render_video(found, path, source=source, progress=report)


def _clips(found: Prediction, source: Source, path: Path, report: Report) -> Sequence[Path]:
    from pipeline.writers.cutting import cut_clips

    assert not isinstance(source, Elsewhere)
    return cut_clips(found, path, source=source, progress=report)


def _elan(found: Prediction, source: Source, path: Path, report: Report) -> None:
    from pipeline.writers.elan import write_elan

    write_elan(found, path, classes=found.classes)


def _via(found: Prediction, source: Source, path: Path, report: Report) -> None:
    from pipeline.writers.via import write_via

    write_via([found], path, classes=found.classes)


FORMS = (
    Form("", ".csv", _csv),
    Form("", ".json", _json),
    Form("timeline", ".html", _timeline),
    Form("subtitles", ".srt", _srt),
    Form("subtitles", ".vtt", _vtt),
    Form("elan", ".eaf", _elan),
    Form("via", ".via.json", _via),
    Form("render", ".rendered.mp4", _render),
    Form("clips", ".clips", _clips, folder=True),
)
TOGETHER = ("label-studio",)  # of all videos in one file
OPTIONS = tuple(dict.fromkeys([*(form.option for form in FORMS if form.option), *TOGETHER]))
