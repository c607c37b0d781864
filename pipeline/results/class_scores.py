"""Class scores of proposals from clips decoded at them: a part file a video, read where it can be killed."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.data.videos.finding import Source
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import cannot_read, was_refused
from pipeline.processes.workers import Outcome
from pipeline.progress import Progress
from pipeline.run_folder.files import atomic_path

PARTS = "videos"

ScoreJob = tuple[str, Source, np.ndarray]  # video, its source, times [n, positions] in seconds


def decoded_scores(
    parts: Parts,
    times: Mapping[str, np.ndarray],
    left_out: LeftOut,
    *,
    find: Callable[[Sequence[str]], Mapping[str, Source]],
    score: Callable[[Sequence[ScoreJob]], Iterator[Outcome]],
) -> dict[str, list[np.ndarray]]:
    """Scores [n, classes] a head of proposals asked for at `times` [n, positions], by video.

    `find` gives the sources of the videos that have one, `score` does jobs, each of which leaves a part;
    those a killed run has left are taken. Videos that fail are not there; `left_out` counts them.
    Raises UserError where too many fail.
    """
    todo = [video for video in times if not parts.read(video, len(times[video]))]
    paths = find(todo)
    jobs = [(video, paths[video], times[video]) for video in todo if video in paths]
    start = len(times) - len(jobs)
    with Progress(len(times), "classify", unit="video", start=start) as bar:
        for outcome in score(jobs):
            if outcome.reason is not None:
                left_out.failed(outcome.job[0], outcome.reason)
            bar.update(1)
    left_out.settle()
    failed = left_out.reasons
    read = {video: parts.read(video, len(times[video])) for video in times}
    return {video: scores for video, scores in read.items() if scores and video not in failed}


class Parts:
    """Scores by video on disk, in `folder`/videos; `sizes` are the classes of each head."""

    def __init__(self, folder: Path, sizes: Sequence[int]) -> None:
        self._folder, self._sizes = folder / PARTS, sizes

    def write(self, video: str, scores: Sequence[np.ndarray]) -> None:
        """Write a video's scores. Raises UserError where they cannot be written."""
        with atomic_path(self._path(video)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, *scores)

    def read(self, video: str, count: int) -> list[np.ndarray]:
        """A video's scores [count, classes], one array a head; none where there is no whole part of this form.

        Raises UserError where there is a part that cannot be read.
        """
        try:
            with np.load(self._path(video), allow_pickle=False) as archive:
                scores = [archive[f"arr_{head}"] for head in range(len(self._sizes))]
        except (FileNotFoundError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return []
        except OSError as error:
            if was_refused(error):
                raise cannot_read(self._path(video), error) from error
            return []
        wanted = [(count, size) for size in self._sizes]
        return scores if [array.shape for array in scores] == wanted else []

    def _path(self, video: str) -> Path:
        return self._folder / f"{video}.npz"


def drop_parts(folder: Path) -> None:
    """Remove the parts of a stage that is complete; what cannot be removed does no harm."""
    shutil.rmtree(folder / PARTS, ignore_errors=True)
