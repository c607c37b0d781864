"""The state of a stage: done or not, current or not, why, by video, and its cost last time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.data.videos.damage import damaged_videos
from pipeline.data.videos.failures import read_failures
from pipeline.errors import UserError
from pipeline.run_folder.identity import named
from pipeline.run_folder.ledger import intact
from pipeline.run_folder.manifests import FORM, changed_outputs, read_manifest
from pipeline.runs.graph import StageRow, row
from pipeline.runs.inputs.facts import Facts
from pipeline.runs.inputs.fields import VIDEOS

Standing = Literal["missing", "partial", "stale", "complete"]
Videos = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class State:
    """The state of a stage, and why it would run again.

    `videos`: those concerned, by what is wrong with them; `hours`: of work so far; `former`: made by an
    older program, which recorded less.
    """

    state: Standing
    why: str = ""
    videos: Videos = field(default_factory=dict)
    hours: float = 0.0
    former: bool = False


def state_of(facts: Facts, name: str) -> State:
    """The state of a stage. Raises UserError if something of it cannot be read."""
    stage = row(name)
    folder = facts.folder / stage.folder
    try:
        manifest = read_manifest(folder)
    except UserError as error:
        if error.damaged is None:
            raise
        return State("stale", error.message)
    if manifest is None:
        lost = next((file for file in stage.valuable if (folder / file).is_file()), None)
        return State("stale", f"manifest.json of {lost} is missing") if lost else State("missing")
    hours, former = manifest.hours, manifest.form < FORM
    if name == "extract" and facts.is_imported:
        return _by_video(facts, stage, hours, former, done=manifest.complete)
    opened = facts.stage(name)
    reasons = facts.reasons(name)
    if not reasons and manifest.complete:
        reasons = changed_outputs(folder, stage.outputs, manifest, verify=facts.verify)
    if reasons:
        kept = opened.aside()
        after = f"; {kept.name} matches these settings and is restored" if kept is not None else ""
        why = "; ".join(dict.fromkeys([*reasons, *opened.because])) + after
        return State("stale", why, hours=hours, former=former)
    if name == "extract" and not former:
        return _by_video(facts, stage, hours, former, done=manifest.complete)
    # An older program kept no lines for videos.
    recorded = manifest.former is None or bool(facts.ledger(name).lines)
    if stage.part and manifest.complete and manifest.form >= FORM and recorded:
        faults = _part_faults(facts, stage)
        if faults:
            why = "; ".join(f"{what}: {named(videos)}" for what, videos in faults.items())
            stale = [video for videos in faults.values() for video in videos]
            return State("stale", why, {"stale": stale}, hours, former)
    state: Standing = "complete" if manifest.complete else "partial"
    left = sorted(read_failures(folder)) if stage.part else []
    why = f"{len(left)} left out: {named(left)}" if left else ""
    return State(state, why, {"left_out": left} if left else {}, hours, former)


def feature_faults(facts: Facts) -> dict[str, str]:
    """The videos of the run whose features are not there or not current, and why."""
    dataset, config = facts.dataset, facts.config.dataset
    lines, imported = facts.ledger("extract").lines, facts.is_imported
    by = "" if imported else facts.by("extract")
    stage_folder = facts.folder / row("extract").folder
    taken = imported or facts.config.detection().extract.allow_partial
    partial = frozenset() if taken else frozenset(damaged_videos(stage_folder))
    faults: dict[str, str] = {}
    part_of = row("extract").part_of
    for subset in (config.train_subset, config.eval_subset):
        for video in dataset.video_ids(subset):
            if video in facts.skipped:
                continue
            line, identity = lines.get(video), facts.identities.get(video)
            if line is None:
                faults[video] = "missing"
            elif not imported and line.by != by:
                faults[video] = "made with other settings or weights"
            elif not imported and identity is not None and line.of != identity:
                faults[video] = "of another video file"
            elif video in partial:
                faults[video] = "of a damaged file"
            elif not intact(path := stage_folder / part_of(video), line, verify=facts.verify):
                faults[video] = "not what was written" if path.is_file() else "gone"
    return faults


def _part_faults(facts: Facts, stage: StageRow) -> dict[str, list[str]]:
    """The videos whose file is not there, not recorded or not what was written, by what is wrong."""
    lines, of = facts.ledger(stage.name).lines, facts.stage(stage.name).fields[VIDEOS]
    by = facts.by(stage.name)
    left = set(read_failures(facts.folder / stage.folder))
    faults: dict[str, list[str]] = {}
    for video in of:
        line, path = lines.get(video), facts.folder / stage.folder / stage.part_of(video)
        if line is None or (line.by, line.of) != (by, of[video]):
            if video not in left:
                faults.setdefault("videos not recorded", []).append(video)
        elif not intact(path, line, verify=facts.verify):
            what = "not what was written" if path.is_file() else "gone"
            faults.setdefault(f"files of videos {what}", []).append(video)
    return faults


def _by_video(facts: Facts, stage: StageRow, hours: float, former: bool, *, done: bool) -> State:
    """Of features: those that are missing or not current, but for videos that are known to fail."""
    failures = read_failures(facts.folder / stage.folder)
    faults = feature_faults(facts)
    known = [
        video
        for video, why in faults.items()
        if why == "missing"
        and video in failures
        and failures[video].of == facts.identities.get(video, "")
    ]
    groups: dict[str, list[str]] = {}
    for video, why in faults.items():
        if video not in known:
            groups.setdefault(why, []).append(video)
    why = "; ".join(f"features {what}: {named(videos)}" for what, videos in groups.items())
    left = f"{len(known)} left out: {named(known)}" if known else ""
    videos = {"missing": groups.pop("missing", []), "left_out": known}
    videos["stale"] = [video for group in groups.values() for video in group]
    if len(known) > facts.config.runtime.allow_failures or not done:
        return State("partial", "; ".join(filter(None, (why, left))), videos, hours, former)
    if videos["missing"] or videos["stale"]:
        return State("stale", why, videos, hours, former)
    return State("complete", left, videos, hours, former)
