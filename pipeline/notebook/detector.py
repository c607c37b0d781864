"""A trained model that is called with videos and gives a table of what it finds in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.data.names import one_form, without_ending
from pipeline.data.videos.finding import Source
from pipeline.errors import UserError
from pipeline.notebook.detections import Detections
from pipeline.notebook.files import PathLike
from pipeline.prediction.found import Prediction
from pipeline.printing import printable
from pipeline.progress import Progress, say

if TYPE_CHECKING:
    from pipeline.data.features.store import Features
    from pipeline.prediction.detector import Detector as Predictor
    from pipeline.prediction.detector import Progress as Report

Videos = PathLike | Iterable[PathLike]


def load(model: PathLike, device: str = "auto", precision: str | None = None) -> Detector:
    """The detector of a model file (`tada-loc export`) or of a run folder.

    `device`: "auto" (the GPU if there is one), "cpu", "cuda", "cuda:1". `precision`: "float32" or "bfloat16" in
    place of the model's own. Raises UserError where the model cannot be used, or the device is not there.
    """
    from pipeline.model_files.opening import open_model
    from pipeline.prediction.detector import Detector as Predictor

    path = Path(model)
    made = Predictor(open_model(path), device=device, precision=precision, lanes=cores())
    return Detector(made, path)


class Detector:
    """A trained model on a device: called with videos it gives `Detections`.

    `classes`: its class names; of EPIC-KITCHENS those of "verb" and "noun". `info`: what it is.
    """

    def __init__(self, predictor: Predictor, path: Path) -> None:
        self._predictor, self._path = predictor, path

    def __call__(
        self,
        videos: Videos,
        threshold: float | None = None,
        top: int | None = None,
        classes: str | Sequence[str] | None = None,
        *,
        allow_failures: int = 0,
    ) -> Detections:
        """The detections of a video, or of some: files, folders of them, patterns such as `videos/*.mp4`, a list of these.

        `threshold`: the least score. `top`: so many a video, the best. `classes`: those alone. Long videos show a bar on
        standard error. A video that cannot be read ends it, unless `allow_failures` of them may be left out, which is
        said. Raises UserError naming the video or the value.
        """
        sources = sources_of(videos)
        chosen = Choice(threshold, top, classes, self._predictor.model.heads)
        found: list[Prediction] = []
        failed: list[str] = []
        for place, (video, source) in enumerate(sources.items(), 1):
            of = f" ({place} of {len(sources)})" if len(sources) > 1 else ""
            try:
                with _shown(source, f"{video}{of}") as report, _told(source):
                    found.append(self._predictor.predict(source, video, progress=report))
            except UserError as error:
                failed.append(video)
                if len(failed) > allow_failures:
                    raise
                say(f"{error}; left out")
        if failed:
            say(f"{len(failed)} of {len(sources)} videos left out: {', '.join(failed[:5])}")
        return Detections.of_predictions([chosen(one) for one in found])

    def features(self, video: PathLike) -> Features:
        """A video's features: float32 [clips, C] to NumPy, with their `times` [clips] in seconds. Raises UserError."""
        ((name, source),) = sources_of([video]).items()
        with _shown(source, name) as report, _told(source):
            return self._predictor.features(source, progress=report).features

    @property
    def classes(self) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
        """The class names, in the order of the network's outputs; of EPIC-KITCHENS by "verb" and "noun"."""
        heads = self._predictor.model.heads
        return heads[0] if len(heads) == 1 else dict(zip(("verb", "noun"), heads, strict=True))

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the model is, as `tada-loc info --json` says it. Raises UserError where its file is gone."""
        from pipeline.model_files.info import describe

        return describe(self._path)

    def __repr__(self) -> str:
        model = self._predictor.model
        count = " x ".join(str(len(head)) for head in model.heads)
        average = model.results.get("tasks", {}).get("mAP", {}).get("average")
        told = f", mAP {average:.2f}" if isinstance(average, float) else ""
        text = f"{model.name}: {model.config.backbone.name}, {count} classes{told}; on {self._predictor.device}"
        return f"<tada_loc.Detector {printable(text)}>"


@contextmanager
def _shown(source: Source, title: str) -> Iterator[Report]:
    """Progress over the seconds of a video, if its length is known."""
    from feature_extraction.video.opening import probe
    from feature_extraction.video.reader import VideoError

    try:
        seconds = round(probe(source).duration)
    except (VideoError, OSError):  # what is wrong is said where it is read
        seconds = 0
    with Progress(seconds, title, unit="second") as bar:
        done = 0

        def report(now: float) -> None:
            nonlocal done
            step = min(round(now), seconds) - done
            done += step
            bar.update(step)

        yield report


@contextmanager
def _told(source: Source) -> Iterator[None]:
    """What is wrong with a video as one line that names it."""
    from feature_extraction.extractor import ExtractionError
    from feature_extraction.video.reader import VideoError

    try:
        yield
    except (VideoError, ExtractionError) as error:
        said = str(error)
        raise UserError(said if str(source) in said else f"{source}: {said}") from error


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sources_of(videos: Videos) -> dict[str, Source]:
    import glob
    from pipeline.data.names import VIDEO_ENDINGS

    several = [videos] if isinstance(videos, (str, os.PathLike)) else list(videos)
    found: dict[str, Source] = {}
    for one in several:
        path = Path(one)
        paths = [path]
        if path.is_dir():
            paths = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEO_ENDINGS)
        elif not path.exists():
            paths = sorted(map(Path, glob.glob(str(one))))
        if not paths:
            raise UserError(f"{path}: no such file")
        for p in paths:
            found[without_ending(one_form(p.name))] = p
    return found


class Choice:
    def __init__(self, threshold, top, classes, heads):
        self.threshold, self.top, self.classes = threshold, top, classes

    def __call__(self, one):
        from dataclasses import replace
        t = one.detections
        if self.threshold is not None:
            t = t[t.score >= self.threshold]
        if self.classes is not None:
            t = t[t.label.isin(self.classes)]
        if self.top is not None:
            t = t.head(self.top)
        return replace(one, detections=t.reset_index(drop=True))
