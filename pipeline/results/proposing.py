"""A video's windows through BMN to its proposals (Lin et al. 2019; Appendix A.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from bmn import decode_proposals, fuse_windows, move_proposals, soft_nms, vote, voting_weights
from bmn.targets import valid_mask
from pipeline.configuration.settings import Config, ProposalSettings
from pipeline.data.windows import samples as windows
from pipeline.processes.device import autocast


@torch.inference_mode()
def propose_video(
    config: Config, folder: Path, video: str, model: nn.Module, device: torch.device
) -> pd.DataFrame:
    """A video's proposals, best first: windows through the network, averaged, decoded, soft-NMS.

    A table of video, start and end (seconds) and score (Lin et al. 2019; Appendix A.2).
    """
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
