"""The videos of a call as they are now, and what is left to do of each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.videos.finding import Source
from pipeline.data.videos.identity import Sighting, identify, read_sightings, write_sightings
from pipeline.data.videos.lengths import known_lengths, read_lengths, write_lengths
from pipeline.prediction.detector import with_changes
from pipeline.prediction.found import Prediction, with_truth
from pipeline.prediction.model import Model
from pipeline.progress import say
from pipeline.run_folder.identity import fingerprint
from pipeline.run_folder.ledger import Ledger
from pipeline.tools.predict.files.kept import RAW, current_raw, raw_path, read_raw
from pipeline.tools.predict.files.outputs import FILES, forms_of, is_written, made_as, name_of
from pipeline.tools.predict.request import Request
from pipeline.tools.predict.truth import Truth, truth_of
from pipeline.tools.predict.working import Job

_KEPT = 1  # the form of what is kept of a video


@dataclass(frozen=True)
class Videos:
    """The videos that are asked for: where they are, what they are, what is true of them, how long they are [s]."""

    sources: Mapping[str, Source]
    seen: Mapping[str, Sighting]
    truth: Mapping[str, Truth]
    seconds: Mapping[str, float]

    def digest(self, video: str) -> str:
        """Which video it is; empty where it cannot be read."""
        return self.seen[video].digest if video in self.seen else ""

    @property
    def identities(self) -> dict[str, str]:
        """The digests of those that can be read."""
        return {video: one.digest for video, one in self.seen.items()}

    def shown(self, video: str, model: Model, request: Request) -> Prediction:
        """What was found in a video, all of it, beside its ground truth. Raises UserError if that is not whole."""
        found = read_raw(request.folder, video, self.sources[video], model)
        return with_truth(found, self.truth.get(video), model.heads)


def look(sources: Mapping[str, Source], model: Model, request: Request) -> Videos:
    """The videos as they are, remembered in the folder. Raises UserError if it cannot be written."""
    before = read_sightings(request.folder)
    seen = identify(sources, before)
    if any(before.get(video) != one for video, one in seen.items()):
        write_sightings(request.folder, {**before, **seen})
    for video, one in seen.items():
        changed = video in before and before[video].digest != one.digest
        if changed and raw_path(request.folder, video).exists():
            say(
                f"predict: video {video}: {Path(sources[video])} is a different video than before; "
                "its predictions replace the earlier ones"
            )
    identities = {video: one.digest for video, one in seen.items()}
    known = read_lengths(request.folder)
    count = len(known)
    workers = request.workers_at(model, len(sources))
    measured = known_lengths(sources, identities, known, workers=workers)
    if len(known) != count:
        write_lengths(request.folder, known)
    truth = truth_of(request.model, request.annotations, identities)
    return Videos(sources, seen, truth, {v: one.seconds for v, one in measured.items()})


def made_by(model: Model, request: Request) -> str:
    """What all that is found depends on besides the videos."""
    config = with_changes(model.config, request.precision, request.allow_partial)
    made = {"model": model.digest, "precision": config.extract.precision, "kept": _KEPT}
    return fingerprint(made | {"partial": config.extract.allow_partial})


def asked_as(videos: Videos, model: Model, request: Request) -> str:
    """What processes that share the work have to agree on: videos, model, and what is written of them."""
    forms = forms_of(request.options)
    written = {
        video: [
            videos.digest(video),
            os.path.abspath(source) if request.options else "",
            *(made_as(form, request.choice, videos.truth.get(video), source) for form in forms),
        ]
        for video, source in videos.sources.items()
    }
    asked = {"videos": written, "options": list(request.options), "features": request.save_features}
    return fingerprint(asked | {"by": made_by(model, request)})


def jobs_of(videos: Videos, model: Model, request: Request) -> dict[str, Job]:
    """The videos with anything to do, as what is recorded now says."""
    by = made_by(model, request)
    raw, written = Ledger(request.folder / RAW), Ledger(request.folder / FILES)
    jobs = {}
    for video, source in videos.sources.items():
        of = videos.digest(video)
        line = current_raw(raw, video, by, of, features=request.save_features)
        job = Job(video, source, by, of, line, videos.truth.get(video))
        if line is None or not _is_done(job, line.content, written, request):
            jobs[video] = job
    return jobs


def _is_done(job: Job, of: str, written: Ledger, request: Request) -> bool:
    """Whether all files that are wanted of a video are there."""
    return all(
        is_written(
            written,
            name_of(job.video, form),
            made_as(form, request.choice, job.truth, job.source),
            of,
        )
        for form in forms_of(request.options)
    )
