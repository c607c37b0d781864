"""The state of a run's proxies, for `status` and `doctor`."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.data.proxies.form import proxies_folder
from pipeline.data.proxies.standing import Standing, standing
from pipeline.data.videos.finding import Source, videos_there
from pipeline.errors import UserError
from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.run import Run


def proxies_of(run: Run, sources: Mapping[str, Source]) -> Standing | None:
    """How the proxies of those training videos that have `sources` stand; None if none are read.

    Raises UserError if one cannot be read.
    """
    settings = run.config.finetune
    if settings.proxies is None or settings.source == "features":
        return None
    videos = [v for v in run.dataset.video_ids(run.subsets[0]) if v not in run.skipped]
    return standing(
        proxies_folder(run.config, run.folder),
        settings.proxies,
        [video for video in videos if video in sources],
        sources,
        run.sightings.identities,
        verify=run.verify,
    )


def proxies_line(run: Run) -> list[str]:
    """A message before fine-tuning; none where that is done, reads none or all are there."""
    try:
        manifest = read_manifest(run.path("finetune"))
        if manifest is not None and manifest.complete:
            return []
        found = proxies_of(run, videos_there(run.config.dataset, run.dataset, run.videos))
    except UserError as error:
        return [error.message]
    if found is None or not found.why:
        return []
    total = len(found.why) + len(found.paths)
    return [
        f"{len(found.why)} of {total} training videos have no current proxy; run `tada-loc proxies`"
    ]
