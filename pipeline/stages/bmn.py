"""Stage 3: features to proposals by the boundary-matching network (Lin et al. 2019; Appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from bmn import BMN, decode_proposals, fuse_windows, move_proposals, soft_nms, vote
from bmn.losses import bmn_loss
from bmn.model import BMNOutput, MovedOutput
from bmn.targets import Targets, valid_mask
from pipeline import annotations, artifacts, distributed, windows
from pipeline.bmn_validation import validation_loss
from pipeline.config import BMN as BMNSettings
from pipeline.config import Config, Proposals
from pipeline.device import autocast, pick_device, share_cores
from pipeline.errors import UserError
from pipeline.features import common_channels, feature_shape, videos_with_features
from pipeline.hold_out import chosen_by, hold_out_videos
from pipeline.models import MODEL_FILE, load_weights, save_classifier
from pipeline.opening import begin_stage
from pipeline.optimisation import build_optimizer, say_learning_rate, schedule_of
from pipeline.progress import Progress, say
from pipeline.ranks import deal, ranks
from pipeline.stage_tables import PROPOSALS, read_part, write_table
from pipeline.training import fit
from pipeline.training_length import long_enough, say_length


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Train the network (`bmn/model.pt`) and write `bmn/proposals/proposals.csv`."""
    train(config, folder, force=force)
    propose(config, folder, force=force)


def train(config: Config, folder: Path, *, force: bool = False) -> None:
    """Train on the windows (or the rescaled videos) of the training subset."""
    stage = begin_stage(config, folder, "bmn", force=force)
    if stage.complete:
        say("bmn: network complete, nothing to do")
        return
    dataset = annotations.load(config.dataset)
    rows, counts = annotations.training_rows(dataset, config.dataset.train_subset)
    for reason, count in counts.items():
        say(f"annotations, {config.dataset.train_subset}: {count} segments: {reason}")
    ids = list(rows["video"].unique())
    videos = videos_with_features(config, folder, ids, "bmn")
    channels = common_channels(folder, videos) if videos else 0
    training, held_out = hold_out_videos(videos, config.dataset.hold_out, config.bmn.seed)
    samples, counts = windows.training_windows(config, folder, rows, training)
    for reason, count in counts.items():
        say(f"bmn: {count} of {len(rows)} training segments {reason}")
    judges = _judging_windows(config, folder, dataset, held_out)
    device = pick_device(config.runtime.device)
    share_cores(device, config.runtime.workers)
    config = _long_enough(config, samples)
    settings = config.bmn
    sizes = [len(batch) for batch in windows.epoch_batches(samples, settings, 0)]
    say(f"bmn: {len(samples)} windows of {len(videos)} videos on {device}")
    say_length("bmn", settings, len(samples), "windows", len(sizes))
    say_learning_rate("bmn", settings)
    torch.manual_seed(settings.seed)
    model = build_network(config, channels).to(device)
    mask = valid_mask(settings.duration_scale, settings.temporal_scale).to(device)

    def batches(epoch: int, step: int) -> Iterator[Mapping]:
        return windows.training_batches(
            config, folder, samples, workers=config.runtime.workers, epoch=epoch, step=step
        )

    def loss(model: nn.Module, batch: Mapping, generator: torch.Generator) -> dict[str, Tensor]:
        parts = map(distributed.gather, model(batch["features"]))
        output = MovedOutput(*parts) if settings.regression else BMNOutput(*parts)
        targets = Targets(*(distributed.gather(batch[key]) for key in ("start", "end", "iou")))
        moves = distributed.gather(batch["moves"]) if settings.regression else None
        return bmn_loss(output, targets, mask, generator=generator, moves=moves)._asdict()

    distributed.require_full_batches(sizes, "bmn")

    def check(model: nn.Module) -> dict[str, float]:
        return validation_loss(config, folder, judges, model, device)

    history, kept = fit(
        model,
        batches,
        loss,
        optimizer=build_optimizer(model, settings),
        schedule=schedule_of(settings),
        steps=len(sizes),
        seed=settings.seed,
        device=device,
        checkpoint=stage.folder / "checkpoint.pt",
        fingerprint=artifacts.fingerprint(
            {"stage": stage.fingerprint, "samples": windows.digest(samples)}
        ),
        precision=settings.precision,
        grad_clip=settings.grad_clip,
        accumulate=settings.accumulate,
        average=settings.ema_decay,
        keep=settings.keep,
        patience=settings.patience,
        judge=lambda row: -row["val_total"],
        validate=check if judges else None,
        checkpoint_seconds=settings.checkpoint_seconds,
        on_checkpoint=stage.progress,
        title="bmn",
    )
    if not stage.leads:
        return
    save_classifier(model, stage.folder / MODEL_FILE)
    artifacts.write_json(stage.folder / "history.json", history)
    stage.finish(
        history[kept - 1] | {"kept_epoch": kept, "left_out": sorted(set(ids) - set(videos))}
    )
    # Last: killed before this line, the stage is complete; killed before `finish`, it goes on from here.
    (stage.folder / "checkpoint.pt").unlink(missing_ok=True)


def _judging_windows(
    config: Config, folder: Path, dataset: annotations.Dataset, held_out: list[str]
) -> list[windows.Window]:
    """The windows whose loss chooses the epoch to keep; none where none is chosen.

    Those of the training videos held out, else those of the evaluation subset, which is said.
    """
    settings = config.bmn
    if settings.keep != "best" and settings.patience is None:
        return []
    subset = config.dataset.train_subset if held_out else config.dataset.eval_subset
    rows, _ = annotations.training_rows(dataset, subset)
    videos = held_out or videos_with_features(config, folder, list(rows["video"].unique()), "bmn")
    say(f"bmn: {chosen_by(config, len(videos))}")
    rows = rows[rows["video"].isin(videos)]
    return windows.training_windows(config, folder, rows, videos)[0]


def _long_enough(config: Config, samples: Sequence[windows.Window]) -> Config:
    """The configuration with the batch and epochs so many windows need."""

    def steps(settings: BMNSettings) -> int:
        return len(windows.epoch_batches(samples, settings, 0))

    return config.model_copy(update={"bmn": long_enough(config.bmn, len(samples), steps)})


def propose(config: Config, folder: Path, *, force: bool = False) -> None:
    """Run the network over the evaluation videos; a file a video, then one table of all."""
    stage = begin_stage(config, folder, "bmn/proposals", force=force)
    if stage.complete:
        say("bmn: proposals complete, nothing to do")
        return
    dataset = annotations.load(config.dataset)
    ids = dataset.video_ids(config.dataset.eval_subset)
    videos = videos_with_features(config, folder, ids, "bmn")
    device = pick_device(config.runtime.device)
    model = _load(config, folder, videos, device)
    parts = stage.folder / "videos"
    todo = distributed.from_leader(
        lambda: [video for video in videos if not (parts / f"{video}.csv").exists()]
    )
    sizes = [feature_shape(folder, video)[0] for video in todo]
    mine = [todo[index] for index in deal(sizes, ranks().size)[ranks().rank]]
    start = len(videos) - len(todo)
    with Progress(start + len(mine), "proposals", unit="video", start=start) as bar:
        for done, video in enumerate(mine, start=1):
            table = propose_video(config, folder, video, model, device)
            write_table(parts / f"{video}.csv", table)
            stage.progress(start + done, len(videos))
            bar.update(1)
    distributed.barrier()
    if not stage.leads:
        return
    tables = [read_part(parts / f"{video}.csv", video) for video in videos]
    proposals = pd.concat(tables, ignore_index=True)
    write_table(folder / PROPOSALS, proposals)
    left_out = sorted(set(ids) - set(videos))
    stage.finish({"proposals": len(proposals), "videos": len(videos), "left_out": left_out})
    say(f"bmn: {len(proposals)} proposals of {len(videos)} videos")


@torch.inference_mode()
def propose_video(
    config: Config, folder: Path, video: str, model: nn.Module, device: torch.device
) -> pd.DataFrame:
    """A video's proposals, best first: windows through the network, averaged, decoded, soft-NMS."""
    settings = config.bmn
    source = windows.video_input(config, folder, video)
    parts = []
    for batch in torch.from_numpy(source.features).split(settings.batch_size):
        with autocast(device, settings.precision):
            output = model(batch.to(device))
        parts.append([getattr(output, name).float().cpu() for name in output._fields])
    maps = {name: torch.cat([part[i] for part in parts]) for i, name in enumerate(output._fields)}
    mask = valid_mask(settings.duration_scale, settings.temporal_scale)
    cells = maps["confidence_map"]
    if settings.regression:
        cells = torch.cat([cells, maps["moves"]], dim=1)
    start, end, cells = fuse_windows(
        source.offsets, maps["start"], maps["end"], cells, mask, source.length
    )
    seconds = source.grid.seconds_per_position
    decoded = decode_proposals(
        start,
        end,
        cells[:2],
        cls_power=config.proposals.cls_power,
        reg_power=config.proposals.reg_power,
        boundary_power=config.proposals.boundary_power,
        seconds_per_position=seconds,
        boundary_center=settings.boundary_center,
    )
    if settings.regression:
        decoded = move_proposals(decoded, cells[2:], seconds_per_position=seconds)
    duration = float(source.grid.to_seconds(np.array(source.length)))
    return _suppress(video, decoded, config.proposals, duration)


def _suppress(
    video: str, decoded: np.ndarray, settings: Proposals, duration: float
) -> pd.DataFrame:
    segments, scores = decoded[:, :2], decoded[:, -1]
    count = settings.count if settings.count is not None else len(decoded)
    if settings.per_second:
        count = min(count, int(duration * settings.per_second) + 1)
    index, kept = soft_nms(
        segments,
        scores,
        alpha=settings.alpha,
        low=settings.low,
        high=settings.high,
        power=settings.power,
        count=count,
        duration=duration,
    )
    picked = segments[index]
    if settings.voting is not None:
        picked = vote(segments, scores, index, settings.voting)
    return pd.DataFrame({"video": video, "start": picked[:, 0], "end": picked[:, 1], "score": kept})


def build_network(config: Config, channels: int) -> BMN:
    """The network of a configuration for features of so many channels, with random weights."""
    settings = config.bmn
    return BMN(
        channels,
        settings.temporal_scale,
        settings.duration_scale,
        hidden_1d=settings.hidden_1d,
        hidden_2d=settings.hidden_2d,
        hidden_3d=settings.hidden_3d,
        num_samples=settings.num_samples,
        samples_per_bin=settings.samples_per_bin,
        boundary_ratio=settings.boundary_ratio,
        groups=settings.groups,
        regression=settings.regression,
    )


def _load(config: Config, folder: Path, videos: list[str], device: torch.device) -> BMN:
    if not videos:
        raise UserError(
            f"dataset.eval_subset {config.dataset.eval_subset!r}: no video to propose for"
        )
    model = build_network(config, common_channels(folder, videos))
    load_weights(model, folder / "bmn" / MODEL_FILE)
    return model.to(device).eval()
