"""A trained model that is called with videos and gives a table of what it finds in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.data.videos.finding import Source
from pipeline.errors import UsageError, UserError
from pipeline.notebook.detections import Detections
from pipeline.notebook.files import PathLike
from pipeline.prediction.choosing import Choice, choose, require_classes, why_none
from pipeline.prediction.found import Prediction
from pipeline.printing import printable
from pipeline.progress import Progress, say
from pipeline.run_folder.identity import named
from pipeline.tools.predict.inputs import Frames, find_inputs

if TYPE_CHECKING:
    from pipeline.data.features.timed import Features
    from pipeline.prediction.detector import Detector as Predictor
    from pipeline.prediction.detector import Progress as Report

Videos = PathLike | Iterable[PathLike]


def load(model: PathLike, device: str = "auto", precision: str | None = None) -> Detector:
    """The detector of a model file (`tada-loc export`) or of a run folder.

    model: a model file, or the folder of a run
    device: "auto" (the GPU if there is one), "cpu", "cuda", "cuda:1"
    precision: "float32" or "bfloat16"; None: that of the model

    Raises UserError where the model cannot be used, or the device is not there.
    """
    from feature_extraction.backbones.inference import PRECISIONS
    from pipeline.model_files.opening import open_model
    from pipeline.prediction.detector import Detector as Predictor
    from pipeline.processes.device import usable_cores

    if precision not in (None, *PRECISIONS):
        raise UsageError(f"precision {precision!r}: must be {' or '.join(PRECISIONS)}")
    path = Path(model)
    made = Predictor(open_model(path), device=device, precision=precision, lanes=usable_cores())
    return Detector(made, path)


class Detector:
    """A trained model on a device. Call it with videos; it gives `Detections`.

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
        frame_fps: float | None = None,
    ) -> Detections:
        """The detections of videos: a file, a folder, a pattern such as `videos/*.mp4`, or a list of these.

        threshold: leave out detections with lower scores; classes: only these classes
        top: at most this many detections of each video, the best
        frame_fps: frames per second of folders of frames
        allow_failures: how many videos may fail; they are left out with a warning

        Long videos show a progress bar. Raises UserError naming the video or the value.
        """
        heads = self._predictor.model.heads
        names = require_classes(heads, [classes] if isinstance(classes, str) else classes or ())
        choice = Choice(threshold, top, names)
        sources = self._sources(videos, frame_fps)
        found: list[Prediction] = []
        failed: list[str] = []
        for place, (video, source) in enumerate(sources.items(), 1):
            of = f" ({place} of {len(sources)})" if len(sources) > 1 else ""
            try:
                with _shown(source, f"{video}{of}") as report:
                    made = self._predictor.predict(source, video, progress=report)
                _tell(made, why_none(made, choice, heads))
                found.append(choose(made, choice, heads))
            except UserError as error:
                failed.append(video)
                if len(failed) > allow_failures:
                    raise
                say(f"{error}; left out")
        if failed:
            say(f"{len(failed)} of {len(sources)} videos left out: {named(failed)}")
        return Detections.of_predictions(found)

    def features(self, video: PathLike, *, frame_fps: float | None = None) -> Features:
        """A video's features: float32 [clips, C] to NumPy, with their `times` [clips] in seconds. Raises UserError."""
        sources = self._sources([video], frame_fps)
        if len(sources) > 1:
            raise UserError(f"{video}: features are of one video, and these are {len(sources)}")
        ((name, source),) = sources.items()
        with _shown(source, name) as report:
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

    def _sources(self, videos: Videos, frame_fps: float | None) -> dict[str, Source]:
        several = [videos] if isinstance(videos, str | os.PathLike) else list(videos)
        if not several:
            raise UserError("no video given; give a file, a folder, a pattern or a list of them")
        settings = self._predictor.config.dataset
        frames = Frames(frame_fps or settings.frame_fps, settings.frames)
        return find_inputs([os.fspath(one) for one in several], frames)

    def __repr__(self) -> str:
        model = self._predictor.model
        count = " x ".join(str(len(head)) for head in model.heads)
        task: Mapping[str, Any] = next(iter(model.results.get("tasks", {}).values()), {})
        average = task.get("average")
        told = f", mAP {average:.2f}" if isinstance(average, float) else ""
        text = f"{model.name}: {model.config.backbone.title}, {count} classes{told}; on {self._predictor.device}"
        return f"<tada_loc.Detector {printable(text)}>"


def _tell(made: Prediction, none: str | None) -> None:
    """Say what is wrong with a video, and why `none` of its detections are left."""
    if made.damaged:
        seconds = sum(end - start for start, end in made.damaged)
        say(f"video {made.video}: {seconds:.2f} s damaged or missing")
    if none:
        say(none)


@contextmanager
def _shown(source: Source, title: str) -> Iterator[Report]:
    """Progress over the seconds of a video; what is wrong with it is one line that names it."""
    from feature_extraction.extractor import ExtractionError
    from feature_extraction.video.opening import probe
    from feature_extraction.video.reader import VideoError

    try:
        seconds = round(probe(source, allow_partial=True).duration or 0)
        with Progress(seconds, title, unit="second") as bar:
            done = 0

            def report(now: float) -> None:
                nonlocal done
                step = min(round(now), seconds) - done
                done += step
                bar.update(step)

            yield report
    except (VideoError, ExtractionError) as error:
        said = str(error)
        raise UserError(said if str(source) in said else f"{source}: {said}") from error
