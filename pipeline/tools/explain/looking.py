"""The classifier's look at a moment: Grad-CAM, probabilities and calibration weights of its clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from feature_extraction.backbones import VideoNetwork
from feature_extraction.clips import AskedMoments, asked_clips
from feature_extraction.explaining import by_stage, class_maps, recorded_calibration
from feature_extraction.extractor import Extractor
from feature_extraction.read_ahead import FrameThread
from feature_extraction.transforms import normalize
from pipeline.data.videos.finding import Source
from pipeline.errors import UserError
from pipeline.prediction.choosing import Heads
from pipeline.tools.explain.moments import Moment
from pipeline.tools.explain.targets import Target, with_against


@dataclass(frozen=True)
class StageOverTime:
    """Calibration weights of a stage: their mean and standard deviation over channels [n] at `times` [n] seconds."""

    times: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    layers: int


@dataclass(frozen=True)
class Explained:
    """A moment as the classifier sees it, by frame in order of time; where clips overlap, the frame of the nearer one.

    `times` [F] seconds, `frames` uint8 [F, H, W, 3] as the network is shown them, `maps` float32 [n, F, h, w] of the
    moment's n targets: above 0 where it supports the class. `centres` [clips], `logits` and `probabilities` [n, clips].
    `stages`: the calibration weights by stage, empty where the network has no TAdaConv.
    """

    moment: Moment
    times: np.ndarray
    frames: np.ndarray
    maps: np.ndarray
    centres: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    stages: dict[str, StageOverTime]

    @property
    def evidence(self) -> np.ndarray:
        """The evidence of each frame for a target [n, F]: over all frames of a clip the mean is its logit less its bias."""
        found: np.ndarray = self.maps.mean((2, 3))
        return found

    @property
    def probability(self) -> np.ndarray:
        """The mean probability of each target over the clips [n]."""
        found: np.ndarray = self.probabilities.mean(1)
        return found


def look_at(
    moment: Moment,
    extractor: Extractor,
    source: Source,
    heads: Heads,
    *,
    progress: Callable[[int], None] | None = None,
) -> Explained:
    """Explain a moment of a video; `progress` is called with how many clips are done. Raises UserError, VideoError."""
    network = extractor.network.network
    assert isinstance(network, VideoNetwork)
    centres = moment.centres(extractor.grid)
    clips, duration = _clips(extractor, source, centres)
    if moment.start > duration:
        raise UserError(f"--at {moment.start:g}: the video lasts {duration:.2f} s")
    looks: list[_Look] = []
    for first in range(0, len(centres), extractor.batch_size):
        frames = clips[first : first + extractor.batch_size].to(extractor.device)
        video = normalize(frames, extractor.mean, extractor.std).transpose(1, 2)
        if not any(not target.against for target in moment.targets):
            moment = _with_best(moment, network, video, heads)
        looks.append(_look(network, video, moment.targets))
        if progress is not None:
            progress(len(frames))
    times = extractor.grid.times_around(centres).clip(0, duration)
    return _in_order(moment, clips, centres, times, looks)


@dataclass(frozen=True)
class _Look:
    """Of a batch of clips: maps [n, B, T, h, w], logits and probabilities [n, B], calibration by stage."""

    maps: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    stages: dict[str, tuple[np.ndarray, np.ndarray, int]]


def _look(network: VideoNetwork, video: Tensor, targets: tuple[Target, ...]) -> _Look:
    with recorded_calibration(network) as weights:
        found = class_maps(network, video, [target.key for target in targets])
    probabilities = [head.softmax(1) for head in found.logits]
    stages = {
        name: (stage.mean.cpu().numpy(), stage.std.cpu().numpy(), stage.layers)
        for name, stage in by_stage(weights).items()
    }
    return _Look(
        found.maps.cpu().numpy(),
        np.stack([found.logits[t.head][:, t.number].cpu().numpy() for t in targets]),
        np.stack([probabilities[t.head][:, t.number].cpu().numpy() for t in targets]),
        stages,
    )


def _with_best(moment: Moment, network: VideoNetwork, video: Tensor, heads: Heads) -> Moment:
    """The moment with the class of each head that the classifier thinks most likely."""
    with torch.no_grad():
        logits = network(video)
    found = logits if isinstance(logits, tuple) else (logits,)
    best = []
    for head, values in enumerate(found):
        number = int(values[0].argmax())
        best.append(Target(head, number, heads[head][number]))
    return replace(moment, targets=with_against(tuple(best), moment.targets))


def _clips(extractor: Extractor, source: Source, centres: np.ndarray) -> tuple[Tensor, float]:
    """Clips uint8 [n, frames, 3, H, W] as the network is shown them, and the seconds of the video. Raises VideoError."""
    thread = FrameThread(
        source,
        asked := AskedMoments(extractor.grid, centres),
        extractor.short_side,
        crop=extractor.crop,
        decoder=extractor.decoder,
        allow_partial=extractor.allow_partial,
        threads=extractor.threads,
        device=extractor.device,
    )
    with thread as frames:
        found = dict(asked_clips(frames, asked))
        for _ in frames:  # the video's length comes last
            pass
    return torch.stack([found[number] for number in range(len(centres))]), frames.duration


def _in_order(
    moment: Moment, clips: Tensor, centres: np.ndarray, times: np.ndarray, looks: list[_Look]
) -> Explained:
    """The looks of all clips joined; frames in order of time."""
    order = _nearest(times, centres)
    maps = np.concatenate([look.maps for look in looks], 1)
    shown = clips.permute(0, 1, 3, 4, 2).flatten(0, 1).numpy()
    stages = {}
    for name, (_, _, layers) in looks[0].stages.items():
        mean, std = (np.concatenate([look.stages[name][part] for look in looks]) for part in (0, 1))
        own = times[:, :: -(-times.shape[1] // mean.shape[1])]  # of a slow pathway every alpha-th
        place = _nearest(own, centres)
        values = own.ravel()[place], mean.ravel()[place], std.ravel()[place]
        stages[name] = StageOverTime(*values, layers)
    return Explained(
        moment if moment.name else replace(moment, name=_name_of(moment.targets)),
        times.ravel()[order],
        shown[order],
        maps.reshape(len(maps), -1, *maps.shape[3:])[:, order],
        centres,
        np.concatenate([look.logits for look in looks], 1),
        np.concatenate([look.probabilities for look in looks], 1),
        stages,
    )


def _nearest(times: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The places, in order of time, of the frames of clips [clips, frames] to whose own centre none is nearer."""
    away = np.abs(times.ravel()[:, None] - centres)
    own = np.repeat(np.arange(len(centres)), times.shape[1])
    kept = np.flatnonzero(away.argmin(1) == own)
    order: np.ndarray = kept[np.argsort(times.ravel()[kept], kind="stable")]
    return order


def _name_of(targets: tuple[Target, ...]) -> str:
    return " ".join(target.name for target in targets if not target.against)
