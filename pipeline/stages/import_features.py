"""Features made elsewhere in place of the extract stage's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from feature_extraction.sampling import ClipGrid
from pipeline.data.features import IMPORTED
from pipeline.data.features.arrays import read_array
from pipeline.data.features.folders import Checked, check_folder, problems_line
from pipeline.data.features.store import FeatureStore, imported_on
from pipeline.data.videos.left_out import LeftOut, how_to_go_on
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.run_folder.lock import linked_folders
from pipeline.run_folder.manifests import Stage
from pipeline.runs.run import Run
from pipeline.runs.work import held

STAGE = "import-features"


def run(run: Run, source: Path, *, layout: str = "nc", short_side: int | None = None) -> None:
    """Make the run's feature files from `source`/VIDEO.npy, .npz or .pt, on the grid of `extract`.

    Feature i stands for the seconds [i, i + 1) * stride / fps; `layout` is that of `check_folder`, and
    `short_side` [pixels] is recorded where it is known. All are read and checked before anything is
    written. Raises UserError counting what is wrong, unless it is no more than `runtime.allow_failures`.
    """
    run = replace(run, grid_of_imported=False)
    durations = run.dataset.videos.drop_duplicates("video").set_index("video")["duration"].to_dict()
    left_out = run.left_out(STAGE)
    wanted = left_out.without_skipped(run.videos)
    grid = run.features.grid
    checked = check_folder(source, wanted, durations, grid, layout)
    _require_few(source, checked, left_out.allowed)
    with held(run.folder, *linked_folders(run.path("extract"), run.folder)):
        stage = run.imported_stage(_fields(grid, checked, layout, short_side)).open(force=run.force)
        run.keep_config()
        store = FeatureStore(stage.folder, imported_on(run.features.made, short_side or 0))
        if stage.complete and all(store.path(video).exists() for video in checked.paths):
            say(f"{STAGE}: complete ({len(checked.paths)} videos), nothing to do")
            return
        clips = _take(store, stage, checked, durations, layout)
        left_out.take({v: checked.problems[v] for v in wanted if v in checked.problems})
        left_out.settle()
        _finish(stage, checked, left_out, clips)
    say(f"{STAGE}: {len(checked.paths)} videos, {clips} features of {checked.channels} channels")


def _take(
    store: FeatureStore,
    stage: Stage,
    checked: Checked,
    durations: dict[str, float],
    layout: str,
) -> int:
    """Write the feature files; how many clips they have."""
    clips = 0
    for done, (video, path) in enumerate(checked.paths.items(), start=1):
        features = read_array(path, layout)
        annotated = durations[video]
        seconds = annotated if annotated > 0 else len(features) * store.grid.seconds_per_clip
        meta = replace(store.made, video=video, source_duration=float(seconds))
        store.save(features, meta)
        clips += len(features)
        stage.progress(done, len(checked.paths))
    return clips


def _finish(stage: Stage, checked: Checked, left_out: LeftOut, clips: int) -> None:
    stage.finish(
        {
            "videos": len(checked.paths),
            "failed": len(left_out.reasons),
            "left_out": left_out.names,
            "clips": clips,
            IMPORTED: True,
        }
    )


def _require_few(source: Path, checked: Checked, allowed: int) -> None:
    """Refuse a folder with more wrong in it than allowed; say what there is. Raises UserError."""
    if checked.problems:
        text = f"{source}: {problems_line(checked.problems)}"
        if len(checked.problems) > allowed:
            raise UserError(f"{text}; fix the files, {how_to_go_on(len(checked.problems))}")
        say(text)
    if not checked.paths:
        raise UserError(f"{source}: no file of features that can be used")


def _fields(
    grid: ClipGrid, checked: Checked, layout: str, short_side: int | None
) -> dict[str, object]:
    return {
        IMPORTED: checked.digest,
        f"{IMPORTED}.channels": checked.channels,
        f"{IMPORTED}.layout": layout,
        "extract.fps": grid.fps,
        "extract.frames": grid.frames,
        "extract.interval": grid.interval,
        "extract.stride": grid.stride,
        "extract.short_side": short_side,
    }
