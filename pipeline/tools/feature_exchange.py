"""Features from elsewhere into a run, and a run's features out to other detectors."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from feature_extraction.sampling import ClipGrid
from feature_extraction.store import FeatureMeta, feature_path
from pipeline.configuration.reading import Config, dump_config
from pipeline.data import annotations
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.failures import counted, how_to_go_on, read_failures, write_failures
from pipeline.data.feature_arrays import READERS, UnfitError, read_array
from pipeline.data.features import load_features, videos_with_features
from pipeline.data.skipping import without_skipped
from pipeline.errors import UserError
from pipeline.progress import Progress, say
from pipeline.run_folder import manifests as artifacts
from pipeline.run_folder.lock import locked
from pipeline.stages.extract import FEATURES, save_features
from pipeline.stages.fields import IMPORTED, on_imported_grid

GRID_FILE = "grid.json"


def import_features(
    config: Config,
    folder: Path,
    source: Path,
    *,
    layout: str = "nc",
    short_side: int | None = None,
    force: bool = False,
) -> None:
    """Make the run's feature files from `source`/VIDEO.npy, .npz or .pt, on the grid of `config.extract`.

    Arrays are float [clips, channels] (`layout` "nc") or [channels, clips] ("cn"); feature i stands for
    the seconds [i, i + 1) * stride / fps. All are read and checked before anything is written. Raises
    UserError counting what is wrong, unless it is no more than `runtime.allow_failures`.
    """
    dataset = annotations.load(config.dataset)
    durations = dataset.videos.drop_duplicates("video").set_index("video")["duration"].to_dict()
    subsets = (config.dataset.train_subset, config.dataset.eval_subset)
    ids = [video for subset in subsets for video in dataset.video_ids(subset)]
    wanted, skipped = without_skipped(config, ids, "import-features")
    paths, problems = _find(source, wanted, set(durations))
    digest, channels = _check_all(paths, durations, clip_grid(config.extract), layout, problems)
    _refuse(source, problems, config.runtime.allow_failures)
    paths = {video: path for video, path in paths.items() if video not in problems}
    if not paths:
        raise UserError(f"{source}: no file of features that can be used")
    fields = _fields(config, digest, channels, layout, short_side)
    with locked(folder):
        stage = artifacts.open_stage(folder, "extract", fields, force=force)
        artifacts.write_text(folder / "config.yaml", dump_config(config))
        if stage.complete and all(_target(stage, video).exists() for video in paths):
            say(f"import-features: complete ({len(paths)} videos), nothing to do")
            return
        clips = 0
        for done, (video, path) in enumerate(paths.items(), start=1):
            features = read_array(path, layout)
            duration = _duration(durations[video], len(features), clip_grid(config.extract))
            meta = _meta(config, video, duration, short_side)
            save_features(_target(stage, video), features, meta)
            clips += len(features)
            stage.progress(done, len(paths))
        failed = {video: problems[video] for video in wanted if video in problems}
        before = read_failures(stage.folder)
        write_failures(stage.folder, "import-features", counted(failed, before))
        stage.finish(
            {
                "videos": len(paths),
                "failed": len(failed),
                "left_out": sorted([*failed, *skipped]),
                "clips": clips,
                IMPORTED: True,
            }
        )
    say(f"import-features: {len(paths)} videos, {clips} features of {channels} channels")


def export_features(config: Config, folder: Path, target: Path) -> None:
    """Write `target`/VIDEO.npy float32 [clips, C] of every video of both subsets, and grid.json.

    Raises UserError where features are missing or made with other settings.
    """
    config = on_imported_grid(config, folder)
    dataset = annotations.load(config.dataset)
    subsets = (config.dataset.train_subset, config.dataset.eval_subset)
    videos: dict[str, dict[str, object]] = {}
    channels = 0
    for subset in subsets:
        for video in videos_with_features(
            config, folder, dataset.video_ids(subset), "export-features"
        ):
            features, meta = load_features(config, folder, video)
            with (
                artifacts.atomic_path(target / f"{video}.npy") as temporary,
                temporary.open("wb") as file,
            ):
                np.save(file, features, allow_pickle=False)
            channels = features.shape[1]
            videos[video] = {
                "subset": subset,
                "duration": meta.source_duration,
                "features": len(features),
            }
    artifacts.write_json(target / GRID_FILE, _grid(config, folder, channels, videos))
    say(
        f"export-features: {len(videos)} videos, {channels} channels, in {target}; the grid in {GRID_FILE}"
    )


def _target(stage: artifacts.Stage, video: str) -> Path:
    return feature_path(stage.folder / FEATURES, video)


def _grid(
    config: Config, folder: Path, channels: int, videos: Mapping[str, object]
) -> dict[str, object]:
    grid = clip_grid(config.extract)
    manifest = artifacts.read_manifest(folder, "extract") or {"fields": {}}
    return {
        "format": "float32 [features, channels], one VIDEO.npy a video",
        "fps": grid.fps,
        "clip_frames": grid.frames,
        "frame_interval": grid.interval,
        "stride": grid.stride,
        "seconds_per_feature": grid.seconds_per_clip,
        "centre_of_feature_i": "(i + 0.5) * stride / fps seconds",
        "centre_of_feature_0": 0.5 * grid.seconds_per_clip,
        "channels": channels,
        "backbone": IMPORTED if IMPORTED in manifest["fields"] else config.backbone.name,
        # What these detectors must be told so that their times are ours. ActionFormer places feature i
        # at (i * feat_stride + num_frames / 2) / fps, OpenTAD at (i * stride + offset_frames) / fps.
        "actionformer": {
            "feat_stride": grid.stride,
            "num_frames": grid.stride,
            "default_fps": grid.fps,
            "input_dim": channels,
            "file_ext": ".npy",
        },
        "opentad": {
            "feature_stride": grid.stride,
            "sample_stride": 1,
            "offset_frames": grid.stride / 2,
            "fps": grid.fps,
            "in_channels": channels,
        },
        "videos": videos,
    }


def _find(
    source: Path, wanted: list[str], known: set[str]
) -> tuple[dict[str, Path], dict[str, str]]:
    """The file of each wanted video, and what is wrong by video or file name.

    Files of videos of other subsets are left alone.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such folder of features; see --from")
    paths: dict[str, Path] = {}
    problems: dict[str, str] = {}
    for path in sorted(source.iterdir()):
        if path.suffix not in READERS or path.name.startswith("."):
            continue
        other = path.stem[2:] if path.stem.startswith("v_") else f"v_{path.stem}"
        video = path.stem if path.stem in known else other
        if video not in known:
            problems[path.name] = "of no video of the annotations"
        elif video in paths:
            raise UserError(f"video {video}: more than one file ({paths[video]}, {path}); keep one")
        else:
            paths[video] = path
    others = paths.keys() - set(wanted)
    if others:
        say(f"import-features: {len(others)} files of videos of other subsets or skipped left out")
    problems |= dict.fromkeys((video for video in wanted if video not in paths), "missing")
    return {video: paths[video] for video in wanted if video in paths}, problems


def _check_all(
    paths: Mapping[str, Path],
    durations: Mapping[str, float],
    grid: ClipGrid,
    layout: str,
    problems: dict[str, str],
) -> tuple[str, int]:
    """Digest of all files and the channels most of them have; what is wrong goes to `problems`."""
    digest = hashlib.sha256()
    channels: dict[str, int] = {}
    with Progress(len(paths), "checking features", unit="file") as bar:
        for video, path in paths.items():
            digest.update(f"{video} {artifacts.file_digest(path)}\n".encode())
            try:
                features = read_array(path, layout)
                _check_length(features, durations[video], grid)
                channels[video] = features.shape[1]
            except UnfitError as error:
                problems[video] = str(error)
            bar.update(1)
    usual = Counter(channels.values()).most_common(1)[0][0] if channels else 0
    problems |= {
        video: f"other than {usual} channels" for video, count in channels.items() if count != usual
    }
    return digest.hexdigest(), usual


def _check_length(features: np.ndarray, duration: float, grid: ClipGrid) -> None:
    """Features may end a clip early, as many extractors stop at the last whole clip."""
    if not duration > 0:
        return
    slack = (grid.frames - 1) * grid.interval / grid.fps + 2 * grid.seconds_per_clip
    slack = max(slack, 0.02 * duration)

    def fits(count: int) -> bool:
        return abs(count * grid.seconds_per_clip - duration) <= slack

    if not fits(len(features)):
        turned = fits(features.shape[1])
        hint = "the other --layout fits" if turned else "are --fps and --stride right?"
        raise UnfitError(f"with another length than the video's ({hint})")


def _refuse(source: Path, problems: Mapping[str, str], allowed: int) -> None:
    if not problems:
        return
    groups: dict[str, list[str]] = {}
    for name, reason in problems.items():
        groups.setdefault(reason, []).append(name)
    parts = []
    for reason, names in groups.items():
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        parts.append(f"{len(names)} {reason} ({shown})")
    text = f"{source}: {'; '.join(parts)}"
    if len(problems) > allowed:
        raise UserError(f"{text}; mend the files, {how_to_go_on(len(problems))}")
    say(text)


def _duration(annotated: float, count: int, grid: ClipGrid) -> float:
    return float(annotated) if annotated > 0 else count * grid.seconds_per_clip


def _meta(config: Config, video: str, duration: float, short_side: int | None) -> FeatureMeta:
    settings = config.extract
    return FeatureMeta(
        video=video,
        fps=settings.fps,
        clip_frames=settings.frames,
        frame_interval=settings.interval,
        clip_stride=settings.stride,
        resize=short_side or 0,  # 0: not known
        source_duration=duration,
        backbone=IMPORTED,
        weights_digest=IMPORTED,
        precision=IMPORTED,
    )


def _fields(
    config: Config, digest: str, channels: int, layout: str, short_side: int | None
) -> dict[str, object]:
    settings = config.extract
    return {
        IMPORTED: digest,
        f"{IMPORTED}.channels": channels,
        f"{IMPORTED}.layout": layout,
        "extract.fps": settings.fps,
        "extract.frames": settings.frames,
        "extract.interval": settings.interval,
        "extract.stride": settings.stride,
        "extract.short_side": short_side,
    }
