"""A video's windows through BMN to its proposals (Lin et al. 2019; Appendix A.2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from bmn import decode_proposals, fuse_windows, move_proposals, soft_nms, vote, voting_weights
from bmn.targets import valid_mask
from pipeline.configuration.sections.detection import ProposalSettings
from pipeline.configuration.sections.training import BMNSettings
from pipeline.data.windows.positions import VideoInput
from pipeline.processes.device import autocast

Table = np.ndarray | Tensor


class VideoMaps(NamedTuple):
    """Starts [L], ends [L] and cells [2 or 4, D, L] of a video of L positions, means over windows."""

    start: Table
    end: Table
    cells: Table


def propose_video(
    model: nn.Module,
    source: VideoInput,
    video: str,
    settings: BMNSettings,
    proposals: ProposalSettings,
    device: torch.device,
) -> pd.DataFrame:
    """A video's proposals, best first: windows through the network, averaged, decoded, soft-NMS.

    A table of video, start and end (seconds) and score (Lin et al. 2019; Appendix A.2).
    """
    maps = video_maps(model, source, settings, device)
    return proposals_of(maps, source, video, settings, proposals)


def proposals_of(
    maps: VideoMaps,
    source: VideoInput,
    video: str,
    settings: BMNSettings,
    proposals: ProposalSettings,
) -> pd.DataFrame:
    """The proposals of a video's maps, best first: decoded, moved, soft-NMS; as `propose_video` gives them."""
    decoded = _decoded(maps, source, settings, proposals)
    seconds = source.grid.seconds_per_position
    found = _suppress(video, decoded, proposals, float(np.array(source.length) * seconds))
    return _placed(found, source.grid.origin)


def candidates_of(
    maps: VideoMaps,
    source: VideoInput,
    video: str,
    settings: BMNSettings,
    proposals: ProposalSettings,
) -> pd.DataFrame:
    """All that a video's maps propose, before soft-NMS: video, start, end (seconds), score."""
    decoded = _decoded(maps, source, settings, proposals)
    columns = {"start": decoded[:, 0], "end": decoded[:, 1], "score": decoded[:, -1]}
    return _placed(pd.DataFrame({"video": video, **columns}), source.grid.origin)


def _decoded(
    maps: VideoMaps, source: VideoInput, settings: BMNSettings, proposals: ProposalSettings
) -> np.ndarray:
    start, end, cells = maps
    seconds = source.grid.seconds_per_position
    decoded = decode_proposals(
        start,
        end,
        cells[:2],
        cls_power=proposals.cls_power,
        reg_power=proposals.reg_power,
        boundary_power=proposals.boundary_power,
        seconds_per_position=seconds,
        boundary_center=settings.boundary_center,
    )
    if settings.regression:
        decoded = move_proposals(decoded, cells[2:], seconds_per_position=seconds)
    return decoded


@torch.inference_mode()
def video_maps(
    model: nn.Module, source: VideoInput, settings: BMNSettings, device: torch.device
) -> VideoMaps:
    """What the network says of all positions of a video: its windows through it, averaged."""
    parts = []
    for batch in torch.split(torch.from_numpy(source.features), settings.batch_size):
        with autocast(device, settings.precision):
            output = model(batch.to(device))
        parts.append([getattr(output, name).float().cpu() for name in output._fields])
    maps = {name: torch.cat([part[i] for part in parts]) for i, name in enumerate(output._fields)}
    cells = maps["confidence_map"]
    if settings.regression:
        cells = torch.cat([cells, maps["moves"]], dim=1)
    mask = valid_mask(settings.duration_scale, settings.temporal_scale)
    fused = fuse_windows(source.offsets, maps["start"], maps["end"], cells, mask, source.length)
    return VideoMaps(*fused)


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
