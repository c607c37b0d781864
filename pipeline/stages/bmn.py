"""Stage 3: features to proposals by the boundary-matching network (Lin et al. 2019; Appendix A.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from bmn import BMN
from pipeline.configuration.reading import Config
from pipeline.data import annotations
from pipeline.data.features import common_channels, feature_shape, videos_with_features
from pipeline.data.hold_out import held_out_line, hold_out_videos, require_use
from pipeline.data.length import bmn_length, say_length
from pipeline.data.order import deal
from pipeline.data.windows import samples as windows
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.processes.device import pick_device, share_cores
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.results.bmn_loss import judging_windows, validation_loss
from pipeline.results.proposing import propose_video
from pipeline.results.tables import PROPOSALS, read_part, write_table
from pipeline.run_folder import manifests as artifacts
from pipeline.stages.opening import begin_stage
from pipeline.training.bmn_network import build_network, load_network, proposal_loss
from pipeline.training.checkpoints import MODEL_FILE, save_weights
from pipeline.training.loop import Fitted, fit
from pipeline.training.optimisation import say_learning_rate
from pipeline.training.steps import Batch
from pipeline.training.task import Task


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
    require_use(config)
    dataset = annotations.load(config.dataset)
    rows, counts = annotations.training_rows(dataset, config.dataset.train_subset)
    for reason, count in counts.items():
        say(f"annotations, {config.dataset.train_subset}: {count} segments: {reason}")
    ids = list(rows["video"].unique())
    videos = videos_with_features(config, folder, ids, "bmn")
    channels = common_channels(folder, videos) if videos else 0
    samples, judges = _samples(config, folder, dataset, rows[rows["video"].isin(videos)])
    device = pick_device(config.runtime.device)
    share_cores(device, config.runtime.workers)
    length = bmn_length(config.bmn, len(samples))
    settings = length.settings
    config = config.model_copy(update={"bmn": settings})
    count = len({window.video for window in samples})
    say(f"bmn: {len(samples)} windows of {count} videos on {device}")
    say_length(length)
    say_learning_rate("bmn", settings)
    distributed.require_full_batches(list(length.batches), "bmn")
    torch.manual_seed(settings.seed)
    model = build_network(config.bmn, channels).to(device)
    history, kept = _fit(config, folder, model, samples, judges, stage, device)
    if not stage.leads:
        return
    save_weights(model, stage.folder / MODEL_FILE)
    artifacts.write_json(stage.folder / "history.json", history)
    stage.finish(
        history[kept - 1] | {"kept_epoch": kept, "left_out": sorted(set(ids) - set(videos))}
    )
    # Last: killed before this line, the stage is complete; killed before `finish`, it goes on from here.
    (stage.folder / "checkpoint.pt").unlink(missing_ok=True)


def _samples(
    config: Config, folder: Path, dataset: annotations.Dataset, rows: pd.DataFrame
) -> tuple[list[windows.Window], list[windows.Window]]:
    """The windows that train, and those whose loss chooses the epoch; what is left out is said.

    `rows` are the training segments of videos with features. Videos are held out as fine-tuning holds
    them out: BMN is not judged on features of videos the classifier has learnt by heart.
    """
    share, videos = config.dataset.hold_out, list(rows["video"].unique())
    training, held_out = hold_out_videos(videos, share, config.finetune.seed)
    if share:
        say(f"bmn: {held_out_line(rows['video'].tolist(), held_out)}")
    rows = rows[rows["video"].isin(training)]
    samples, counts = windows.training_windows(config, folder, rows, training)
    for reason, count in counts.items():
        say(f"bmn: {count} of {len(rows)} training segments {reason}")
    return samples, judging_windows(config, folder, dataset, held_out)


def _fit(
    config: Config,
    folder: Path,
    model: BMN,
    samples: Sequence[windows.Window],
    judges: Sequence[windows.Window],
    stage: artifacts.Stage,
    device: torch.device,
) -> Fitted:
    settings = config.bmn

    def batches(epoch: int, step: int) -> Iterator[Batch]:
        return windows.training_batches(
            config, folder, samples, workers=config.runtime.workers, epoch=epoch, step=step
        )

    def read(plan: Sequence[Sequence[int]]) -> Iterator[Batch]:
        return windows.regular_batches(config, folder, judges, plan)

    def check(model: nn.Module) -> dict[str, float]:
        return validation_loss(model, len(judges), read, settings, device)

    task = Task(
        "bmn",
        batches,
        proposal_loss(settings, device),
        steps=len(windows.epoch_batches(samples, settings, 0)),
        samples={"samples": windows.digest(samples)}
        | ({"judges": windows.digest(judges)} if judges else {}),
        validate=check if judges else None,
        judge=lambda row: -row["val_total"],
    )
    return fit(model, task, settings, stage, device)


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
    todo = distributed.from_main_process(
        lambda: [video for video in videos if not (parts / f"{video}.csv").exists()]
    )
    sizes = [feature_shape(folder, video)[0] for video in todo]
    mine = [todo[index] for index in deal(sizes, ranks().size)[ranks().rank]]
    start = len(videos) - len(todo)
    with Progress(start + len(mine), "proposals", unit="video", start=start) as bar:
        for done, video in enumerate(mine, start=1):
            source = windows.video_input(config, folder, video)
            table = propose_video(model, source, video, config.bmn, config.proposals, device)
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


def _load(config: Config, folder: Path, videos: list[str], device: torch.device) -> BMN:
    if not videos:
        raise UserError(
            f"dataset.eval_subset {config.dataset.eval_subset!r}: no video to propose for"
        )
    return load_network(config.bmn, common_channels(folder, videos), folder, device)
