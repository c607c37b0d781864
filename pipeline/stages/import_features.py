"""Features made elsewhere in place of the extract stage's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from feature_extraction.store import FeatureFileError, FeatureMeta, read_meta
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations.foreign.opening import RATE_BY_COUNT
from pipeline.data.features import IMPORTED
from pipeline.data.features.made import imported_on, with_grid
from pipeline.data.features.store import FeatureStore
from pipeline.data.foreign.checking import Checked, check_features, problems_line
from pipeline.data.foreign.clocks import Known, Stated, seconds_of, what_is_known
from pipeline.data.foreign.reading import read_video
from pipeline.data.videos.left_out import LeftOut, how_to_go_on
from pipeline.data.videos.lengths import Measured
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.run_folder.identity import fingerprint
from pipeline.run_folder.ledger import Ledger, Made, is_current
from pipeline.run_folder.lock import linked_folders
from pipeline.run_folder.manifests import MANIFEST
from pipeline.run_folder.stage import Stage
from pipeline.runs.graph import row
from pipeline.runs.holding import held
from pipeline.runs.run import Run
from pipeline.runs.soundness.ahead import require_sound
from pipeline.runs.ways import of_head
from pipeline.training.networks.bmn import groups_line

STAGE = "import-features"


def run(
    run: Run,
    sources: Sequence[Path],
    *,
    layout: str = "nc",
    rates: str = "",
    count: int = 0,
    short_side: int | None = None,
) -> None:
    """Make the run's feature files from those of other programs, on the grid of `extract`.

    `sources` and what is stated of them are those of `check_features` and `Stated`; `short_side` [pixels] is recorded.
    All are checked first. Raises UserError counting what is wrong, if it is more than `runtime.allow_failures`.
    """
    run = replace(run, grid_of_imported=False)
    left_out = run.left_out(STAGE)
    wanted = left_out.without_skipped(run.videos)
    known = _known(run, wanted, rates=rates == "video")
    run, stated = _on_stated_grid(run, Stated(run.features.grid, layout, rates, count), known)
    require_sound(run, of_head(run.ways))  # what comes next, and has to do with them
    checked = check_features(sources, known, list(run.dataset.videos["video"]), stated)
    _require_few(run, sources, checked, left_out.allowed)
    fields = _fields(checked, stated, short_side)
    with held(run.folder, *linked_folders(run.path("extract"), run.folder)):
        stage = imported_stage(run, fields).open(force=run.force)
        run.keep_config()
        made = imported_on(run.features.made, short_side or 0)
        store = FeatureStore(stage.folder, made, own_rates=bool(stated.rates))
        metas = _metas(made, checked, known)
        ledger, by = Ledger(stage.folder), fingerprint(_by(fields))
        todo = [v for v in metas if not _is_current(store, ledger, checked, metas[v], by)]
        if stage.complete and not todo and not ledger.lines.keys() - metas.keys():
            say(f"{STAGE}: complete ({len(metas)} videos), nothing to do")
            return
        clips = _take(store, stage, checked, {v: metas[v] for v in todo}, stated.layout, by)
        left_out.take(checked.problems)
        left_out.settle()
        _finish(stage, checked, left_out, clips)
    say(f"{STAGE}: {len(metas)} videos, {clips} features of {checked.channels} channels")


def _known(run: Run, videos: Sequence[str], *, rates: bool) -> dict[str, Known]:
    """What is known of the videos' time; it is said if their rates follow from counts of frames."""
    if rates and (counted := run.dataset.notes[RATE_BY_COUNT]):
        say(f"annotations: {counted} {RATE_BY_COUNT}")
    return what_is_known(run.dataset, videos, partial(_measured, run), rates=rates)


def _measured(run: Run, videos: Sequence[str]) -> Mapping[str, Measured]:
    """Lengths and rates of the videos that are there, not of those that once were."""
    there = [video for video in videos if video in run.sightings.seen]
    return run.sightings.lengths(there, run.config.runtime.workers)


def _on_stated_grid(run: Run, stated: Stated, known: Mapping[str, Known]) -> tuple[Run, Stated]:
    """The run on the grid that is stated; where each video has its own, on one for estimates."""
    fps = stated.longest(known).fps
    given = run.given
    if stated.rates == "rescaled" and (keys := _as_they_are(run.detection, stated.count)):
        say(f"{STAGE}: to see them as they are, set {keys}")
    if not stated.rates or given.extract is None:
        return run, stated
    extract = given.extract.model_copy(update={"fps": fps})
    run = replace(run, given=given.model_copy(update={"extract": extract}))
    return run, replace(stated, grid=run.features.grid)


def _as_they_are(config: DetectionConfig, count: int) -> str:
    """The keys that make the head use videos rescaled to `count` features; empty if it does already, or cannot."""
    name, length, seen = "bmn", "temporal_scale", config.bmn.temporal_scale
    mode: str = config.bmn.mode
    if config.detector.name == "actionformer":
        name, length, seen = "actionformer", "max_length", config.actionformer.max_length
        mode = config.actionformer.mode
        if count % 2 ** (config.actionformer.levels - 1):
            return ""
    return (
        "" if (mode, seen) == ("rescale", count) else f"{name}.mode=rescale {name}.{length}={count}"
    )


def imported_stage(run: Run, fields: Mapping[str, object]) -> Stage:
    """The stage of features from elsewhere; those that a network made here are not lost without being asked for."""
    stage = run.facts().stage_with(row(STAGE), fields)
    valuable = () if run.has_imported_features else (MANIFEST,)
    return replace(stage, valuable=valuable, weigh=None)


def _by(fields: Mapping[str, object]) -> dict[str, object]:
    """What every video is made by: all but which files there are, and what follows from them."""
    own = {"extract.fps"} if f"{IMPORTED}.rates" in fields else set()
    return {key: value for key, value in fields.items() if key not in {IMPORTED, *own}}


def _metas(
    made: FeatureMeta, checked: Checked, known: Mapping[str, Known]
) -> dict[str, FeatureMeta]:
    """How the feature file of each video describes itself."""
    metas = {}
    for video, grid in checked.grids.items():
        seconds = seconds_of(known[video], grid, checked.numbers[video])
        metas[video] = replace(with_grid(made, grid), video=video, source_duration=float(seconds))
    return metas


def _is_current(
    store: FeatureStore, ledger: Ledger, checked: Checked, meta: FeatureMeta, by: str
) -> bool:
    """Whether a video's file is what was made of these features, on the current grid and of the current length."""
    path, video = store.path(meta.video), meta.video
    if not is_current(path, ledger.get(video), by, checked.digests[video]):
        return False
    try:
        return read_meta(path) == meta
    except FeatureFileError:
        return False


def _take(
    store: FeatureStore,
    stage: Stage,
    checked: Checked,
    todo: Mapping[str, FeatureMeta],
    layout: str,
    by: str,
) -> int:
    """Write the feature files of videos; how many clips all have."""
    ledger = Ledger(stage.folder)
    for done, (video, meta) in enumerate(todo.items(), start=1):
        read = read_video(checked.places[video], layout)
        if read.digest != checked.digests[video]:
            raise UserError(
                f"{checked.places[video][0]}: changed while it was read; run `tada-loc import-features` again"
            )
        file, content = store.save(read.features, meta)
        ledger.note(Made(video=video, by=by, of=read.digest, file=file, content=content))
        stage.progress(done, len(todo))
    for video in ledger.lines.keys() - checked.places.keys():
        ledger.lines.pop(video)
        store.remove(video)
    ledger.write()
    return sum(checked.numbers.values())


def _finish(stage: Stage, checked: Checked, left_out: LeftOut, clips: int) -> None:
    stage.finish(
        {
            "videos": len(checked.places),
            "failed": len(left_out.reasons),
            "left_out": left_out.names,
            "clips": clips,
            IMPORTED: True,
        }
    )


def _require_few(run: Run, sources: Sequence[Path], checked: Checked, allowed: int) -> None:
    """Refuse features with more wrong in them than allowed; say what there is. Raises UserError."""
    source = ", ".join(map(str, sources))
    if checked.problems:
        text = f"{source}: {problems_line(checked.problems)}"
        if checked.strangers and "missing" in checked.problems.values():
            text += f"; there are {checked.strangers}"
        if len(checked.problems) > allowed:
            raise UserError(f"{text}; fix the files, {how_to_go_on(len(checked.problems))}")
        say(text)
    if not checked.places:
        raise UserError(f"{source}: no usable feature file")
    if run.config.detector.name != "bmn":
        return
    if (line := groups_line(run.detection.bmn, checked.channels)) is not None:
        say(f"{STAGE}: {line}")


def _fields(checked: Checked, stated: Stated, short_side: int | None) -> dict[str, object]:
    grid = stated.grid
    fields: dict[str, object] = {
        IMPORTED: checked.digest,
        f"{IMPORTED}.channels": checked.channels,
        f"{IMPORTED}.layout": stated.layout,
        "extract.fps": grid.fps,
        "extract.frames": grid.frames,
        "extract.interval": grid.interval,
        "extract.stride": grid.stride,
        "extract.short_side": short_side,
    }
    if grid.shift:
        fields["extract.offset_frames"] = grid.first_center
    if stated.rates:
        fields[f"{IMPORTED}.rates"] = stated.rates
    return fields
