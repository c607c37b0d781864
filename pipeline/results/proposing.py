"""A video's windows through BMN to its proposals (Lin et al. 2019; Appendix A.2)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from bmn import (
    decode_proposals,
    fuse_windows,
    move_proposals,
    proposal_scores,
    soft_nms,
    vote,
    voting_weights,
)
from bmn.targets import valid_mask
from bmn.windows import TimeGrid
from feature_extraction.lanes import in_lanes
from pipeline.configuration.sections.detection import ProposalSettings
from pipeline.configuration.sections.training import BMNSettings
from pipeline.data.windows.positions import VideoInput
from pipeline.processes.device import autocast, lanes_on, one_thread
from pipeline.results.kept_maps import KeptMaps, VideoMaps

__all__ = ["VideoMaps", "candidates_of", "proposals_of", "propose_video", "video_maps"]


def propose_video(
    model: nn.Module,
    source: VideoInput,
    video: str,
    settings: BMNSettings,
    proposals: ProposalSettings,
    device: torch.device,
    kept: KeptMaps | None = None,
) -> pd.DataFrame:
    """A video's proposals, best first: windows through the network, averaged, decoded, soft-NMS.

    A table of video, start and end (seconds) and score (Lin et al. 2019; Appendix A.2). Maps that are `kept` are
    taken from there, others are kept there. Raises UserError if they cannot be written.
    """
    maps = kept.read(video) if kept is not None else None
    if maps is None:
        maps = video_maps(model, source, settings, device)
        if kept is not None:
            kept.write(video, maps)
    return proposals_of(maps, source, video, settings, proposals)


def proposals_of(
    maps: VideoMaps,
    source: VideoInput,
    video: str,
    settings: BMNSettings,
    proposals: ProposalSettings,
) -> pd.DataFrame:
    """The proposals of a video's maps, best first: decoded, moved, soft-NMS; as `propose_video` gives them."""
    return suppressed(decoded_video(maps, source.grid, settings), video, proposals)


def candidates_of(
    maps: VideoMaps,
    source: VideoInput,
    video: str,
    settings: BMNSettings,
    proposals: ProposalSettings,
) -> pd.DataFrame:
    """All that a video's maps propose, before soft-NMS: video, start, end (seconds), score."""
    decoded = decoded_video(maps, source.grid, settings)
    table = scored(decoded, proposals)
    columns = {"start": table[:, 0], "end": table[:, 1], "score": table[:, -1]}
    return _placed(pd.DataFrame({"video": video, **columns}), source.grid.origin)


class DecodedVideo(NamedTuple):
    """All proposals [n, 7] that a video's maps hold (`bmn.proposals.PROPOSAL_COLUMNS`), before any score and soft-NMS.

    `seconds` that its positions stand for, from `origin` [s] on.
    """

    table: np.ndarray
    seconds: float
    origin: float


def decoded_video(maps: VideoMaps, grid: TimeGrid, settings: BMNSettings) -> DecodedVideo:
    """What a video's maps hold: decoded and moved; the same for all settings of proposals."""
    start, end, cells = maps
    seconds = grid.seconds_per_position
    decoded = decode_proposals(
        start,
        end,
        cells[:2],
        seconds_per_position=seconds,
        boundary_center=settings.boundary_center,
    )
    if settings.regression:
        decoded = move_proposals(decoded, cells[2:], seconds_per_position=seconds)
    return DecodedVideo(decoded, float(np.array(len(start)) * seconds), grid.origin)


def suppressed(decoded: DecodedVideo, video: str, proposals: ProposalSettings) -> pd.DataFrame:
    """A video's proposals, best first: scored, soft-NMS. A table of video, start and end (seconds) and score."""
    found = _suppress(video, scored(decoded, proposals), proposals, decoded.seconds)
    return _placed(found, decoded.origin)


def scored(decoded: DecodedVideo, proposals: ProposalSettings) -> np.ndarray:
    """The table [n, 7] of a video's proposals with its last column, the score, as the settings make it."""
    table = decoded.table.copy()
    table[:, -1] = proposal_scores(
        table,
        cls_power=proposals.cls_power,
        reg_power=proposals.reg_power,
        boundary_power=proposals.boundary_power,
    )
    return table


@torch.inference_mode()
def video_maps(
    model: nn.Module,
    source: VideoInput,
    settings: BMNSettings,
    device: torch.device,
    *,
    lanes: int | None = None,
) -> VideoMaps:
    """What the network says of all positions of a video: its windows through it, averaged.

    On a CPU each window is worked on by one thread, so that results do not depend on how many there are; `lanes` windows
    are in the network at the same time, as many as torch has threads unless given.
    """
    size = 1 if device.type == "cpu" else settings.batch_size
    lanes = lanes_on(device, lanes)
    batches = torch.split(torch.from_numpy(source.features), size)
    with one_thread():
        parts = list(in_lanes(partial(_outputs, model, settings, device), batches, lanes))
    maps = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    cells = maps["confidence_map"]
    if settings.regression:
        cells = torch.cat([cells, maps["moves"]], dim=1)
    mask = valid_mask(settings.duration_scale, settings.temporal_scale)
    fused = fuse_windows(source.offsets, maps["start"], maps["end"], cells, mask, source.length)
    return VideoMaps(*fused)


@torch.inference_mode()
def _outputs(
    model: nn.Module, settings: BMNSettings, device: torch.device, batch: Tensor
) -> dict[str, Tensor]:
    """The network's outputs of a batch of windows by name, float32 on the CPU."""
    with autocast(device, settings.precision):
        output = model(batch.to(device))
    return {name: getattr(output, name).float().cpu() for name in output._fields}


def _placed(found: pd.DataFrame, origin: float) -> pd.DataFrame:
    """Proposals of positions that begin at `origin` [s]: moved there; none begins before the video."""
    if not origin:
        return found
    start, end = (found[name] + origin for name in ("start", "end"))
    placed = found.assign(start=start.clip(lower=0.0), end=end)
    return placed[placed["end"] > placed["start"]].reset_index(drop=True)


def _suppress(
    video: str, decoded: np.ndarray, settings: ProposalSettings, duration: float
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
        picked = vote(segments, voting_weights(decoded), index, settings.voting)
    return pd.DataFrame({"video": video, "start": picked[:, 0], "end": picked[:, 1], "score": kept})
