"""A run as the report shows it: from its results on disk; with frames of its videos only where asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.errors import TableError
from evaluation.recall import average_recall
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.videos.finding import videos_there
from pipeline.errors import UserError
from pipeline.pages.report_values import Durations, MapRow, Report, Videos
from pipeline.progress import say
from pipeline.results import scoring
from pipeline.results.scoring.published import withheld
from pipeline.run_folder.manifests import hours_text, readable_manifest
from pipeline.runs.found import detections_of, proposals_of
from pipeline.runs.run import Run
from pipeline.stages.evaluate import numbers, ties_of
from pipeline.tools.report.analysed import TIOU, Analysed, analysed
from pipeline.tools.report.mistakes import mistakes_of, with_frames
from pipeline.tools.report.reasons import advice_of, stages_of
from pipeline.tools.report.shared import labels_of, numbers_of, paths_from
from pipeline.tools.report.training import trainings
from pipeline.tools.report.what_ran import facts_of, hours_of, network_name

_MOST_AN = 100  # proposals a video of the curve


def report_of_run(
    run: Run, folder: Path, *, frames: bool, why: Mapping[str, Any] | None, tiou: float = TIOU
) -> Report:
    """The report of a run that was evaluated, for a page in `folder`.

    Without `frames` no video is opened. `why`: what `pipeline.tools.why` says of its stages, if that is known.
    Raises UserError if the run has no results, or they cannot be read.
    """
    subset = run.subsets[1]
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    detections = detections_of(run)
    proposals = proposals_of(run)
    one = analysed(
        truth, detections, run.detection.eval.iou, tiou=tiou, ties=ties_of(run), ignored=run.dataset.ignored_rows(subset)
    )  # fmt: skip
    sources = videos_there(run.config.dataset, run.dataset, run.dataset.video_ids(subset))
    mistakes, failed = with_frames(
        mistakes_of(one.truth, one.detections), sources if frames else {}
    )
    results = numbers(run)
    return Report(
        title=run.folder.resolve().name,
        about=_about(run),
        numbers=numbers_of(results),
        iou=results["iou"],
        maps=_maps(run, results),
        videos=_videos(run, one, proposals, paths_from(folder, sources)),
        found=one.found,
        **labels_of(run.dataset, truth, detections),
        stages=stages_of(why),
        advice=advice_of(one.found, why, head=run.ways.head),
        recall=_recall(run, truth, proposals),
        trainings=trainings(run),
        durations=_durations(run.detection, truth, position_seconds(run)),
        facts=facts_of(run),
        mistakes=mistakes,
        without=_without(frames=frames, stages=why is not None, sources=len(sources), failed=failed),
    )  # fmt: skip


def _videos(run: Run, one: Analysed, proposals: pd.DataFrame, paths: Mapping[str, str]) -> Videos:
    ids = run.dataset.video_ids(run.subsets[1])
    return Videos(
        ids=ids,
        truth=one.truth,
        detections=one.detections,
        proposals=proposals,
        seconds={video: length.seconds for video, length in run.lengths(ids, look=False).items()},
        paths=paths,
        step=position_seconds(run),
    )


def _maps(run: Run, results: dict[str, Any]) -> list[MapRow]:
    """Our mAP, and under it what was published of the same data set."""
    published = withheld(run.detection.eval, run.config.dataset, run.dataset) is None
    rows = scoring.map_rows(results, run.detection.eval, published=published)
    return [
        MapRow(name, values[:-1], values[-1], name in results["tasks"]) for name, values in rows
    ]


def _about(run: Run) -> list[str]:
    """The line under the title: what this is."""
    trained, evaluated = (len(run.dataset.video_ids(subset)) for subset in run.subsets)
    manifest = readable_manifest(run.path("eval"))
    parts = [
        network_name(run),
        run.config.detector.name,
        f"{trained:,} training videos, {evaluated:,} evaluated",
        manifest.updated[:10] if manifest is not None else "",
        hours_text(hours_of(run)),
    ]
    return [part for part in parts if part]


def _recall(run: Run, truth: pd.DataFrame, proposals: pd.DataFrame) -> list[float]:
    settings = run.detection.eval
    most = max(1, min(_MOST_AN, max(settings.proposals_at)))
    try:
        return [
            100 * float(value)
            for value in average_recall(truth, proposals, settings.iou, [most]).curve
        ]
    except TableError as error:
        raise UserError(str(error)) from error


def position_seconds(run: Run) -> float:
    """Seconds of a position of the grid, where it has the same in all videos; else those of a feature."""
    config = run.detection
    head = config.bmn if config.detector.name == "bmn" else config.actionformer
    return config.extract.stride * head.feature_step / config.extract.fps


def _durations(config: DetectionConfig, truth: pd.DataFrame, step: float) -> Durations:
    """Lengths of true segments beside a position, of `step` seconds, and the longest that the head can find."""
    seconds = (truth["end"] - truth["start"]).to_numpy(float)
    bmn, former = config.bmn, config.actionformer
    by_bmn = config.detector.name == "bmn"
    if (bmn if by_bmn else former).mode == "rescale":
        count = bmn.temporal_scale if by_bmn else former.max_length
        said = f"Every video is {count} positions long, so the shortest action that can be found depends on its length."
        return Durations(seconds, None, None, [said])
    if by_bmn:
        longest, key = step * bmn.duration_scale, "bmn.duration_scale"
    else:
        longest, key = step * former.max_length, "actionformer.max_length"
    what = "longest proposal" if by_bmn else "longest training sample"
    short, long = int((seconds < step).sum()), int((seconds > longest).sum())
    notes = [
        f"{count:,} of {len(seconds):,} segments ({100 * count / len(seconds):.1f} %) are {said}."
        for count, said in (
            (short, f"shorter than one position ({step:.3g} s; extract.stride)"),
            (long, f"longer than the {what} ({longest:.3g} s; {key})"),
        )
        if count
    ]
    return Durations(
        seconds,
        step,
        longest,
        notes or ["All segments are within the range that the grid can propose."],
    )


def _without(*, frames: bool, stages: bool, sources: int, failed: list[str]) -> list[str]:
    """What the page does without."""
    said = []
    if not sources:
        said.append("The videos are missing: nothing plays, and mistakes have no frames.")
    elif not frames:
        said.append(
            "This is the small form, made without opening a video: `tada-loc report` adds frames of the mistakes."
        )
    if not stages:
        said.append(
            "The gain of each stage was not computed: use `tada-loc report` or `eval --why`."
        )
    if failed:
        said.append(f"{len(failed)} videos could not be read for frames, {failed[0]} first.")
        say(f"report: {said[-1]}")
    return said
