"""Features made elsewhere in place of the extract stage's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from feature_extraction.sampling import ClipGrid
from pipeline.data.features import IMPORTED
from pipeline.data.features.arrays import read_array
from pipeline.data.features.folders import Checked, check_folder, problems_line
from pipeline.data.features.made import imported_on
from pipeline.data.features.store import FeatureStore
from pipeline.data.videos.left_out import LeftOut, how_to_go_on
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.run_folder.identity import fingerprint
from pipeline.run_folder.ledger import Ledger, Made, is_current
from pipeline.run_folder.lock import linked_folders
from pipeline.run_folder.manifests import MANIFEST
from pipeline.run_folder.stage import Stage
from pipeline.runs.graph import of_commands, row
from pipeline.runs.run import Run
from pipeline.runs.soundness import require_sound
from pipeline.runs.work import held

STAGE = "import-features"


def run(run: Run, source: Path, *, layout: str = "nc", short_side: int | None = None) -> None:
    """Make the run's feature files from `source`/VIDEO.npy, .npz or .pt, on the grid of `extract`.

    Feature i stands for the seconds [i, i + 1) * stride / fps; `layout` is that of `check_folder`, and
    `short_side` [pixels] is recorded where it is known. All are read and checked before anything is
    written. Raises UserError counting what is wrong, unless it is no more than `runtime.allow_failures`.
    """
    run = replace(run, grid_of_imported=False)
    require_sound(run, of_commands("bmn"))  # what comes next, and has to do with them
    durations = run.dataset.videos.drop_duplicates("video").set_index("video")["duration"].to_dict()
    left_out = run.left_out(STAGE)
    wanted = left_out.without_skipped(run.videos)
    grid = run.features.grid
    checked = check_folder(source, wanted, durations, grid, layout)
    _require_few(source, checked, left_out.allowed)
    fields = _fields(grid, checked, layout, short_side)
    with held(run.folder, *linked_folders(run.path("extract"), run.folder)):
        stage = imported_stage(run, fields).open(force=run.force)
        run.keep_config()
        store = FeatureStore(stage.folder, imported_on(run.features.made, short_side or 0))
        ledger, by = Ledger(stage.folder), fingerprint(_by(fields))
        todo = [v for v in checked.paths if not _is_current(store, ledger, checked, v, by)]
        if stage.complete and not todo and not ledger.lines.keys() - checked.paths.keys():
            say(f"{STAGE}: complete ({len(checked.paths)} videos), nothing to do")
            return
        clips = _take(store, stage, checked, todo, durations, layout, by)
        left_out.take({v: checked.problems[v] for v in wanted if v in checked.problems})
        left_out.settle()
        _finish(stage, checked, left_out, clips)
    say(f"{STAGE}: {len(checked.paths)} videos, {clips} features of {checked.channels} channels")


def imported_stage(run: Run, fields: Mapping[str, object]) -> Stage:
    """The stage of features from elsewhere; those that a network made here are not lost for them unasked."""
    stage = run.facts().stage_with(row(STAGE), fields)
    valuable = () if run.has_imported_features else (MANIFEST,)
    return replace(stage, valuable=valuable, weigh=None)


def _by(fields: Mapping[str, object]) -> dict[str, object]:
    """What every video is made by: all but which files there are."""
    return {key: value for key, value in fields.items() if key != IMPORTED}


def _is_current(store: FeatureStore, ledger: Ledger, checked: Checked, video: str, by: str) -> bool:
    return is_current(store.path(video), ledger.get(video), by, checked.digests[video])


def _take(
    store: FeatureStore,
    stage: Stage,
    checked: Checked,
    todo: Sequence[str],
    durations: Mapping[str, float],
    layout: str,
    by: str,
) -> int:
    """Write the feature files of videos; how many clips all have."""
    ledger = Ledger(stage.folder)
    for done, video in enumerate(todo, start=1):
        features = read_array(checked.paths[video], layout)
        annotated = durations[video]
        seconds = annotated if annotated > 0 else len(features) * store.grid.seconds_per_clip
        meta = replace(store.made, video=video, source_duration=float(seconds))
        file, content = store.save(features, meta)
        of = checked.digests[video]
        ledger.note(Made(video=video, by=by, of=of, file=file, content=content))
        stage.progress(done, len(todo))
    for video in ledger.lines.keys() - checked.paths.keys():
        ledger.lines.pop(video)
        store.remove(video)
    ledger.write()
    return sum(store.shape(video)[0] for video in checked.paths)


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
