"""What validation looks at: the clip at a segment's middle, as fine-tuning and as extraction see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor

from feature_extraction.video.reader import Picture, Reader, VideoError
from pipeline.configuration.settings import Config
from pipeline.data.clips.geometry import View, centred_clips
from pipeline.data.clips.segments import Segments, span_of
from pipeline.data.clips.training import common, load_clips
from pipeline.data.kept_readers import KeptReaders
from pipeline.data.order import own_shard
from pipeline.data.videos.damage import sound_clip, unread
from pipeline.data.videos.left_out import LeftOut


class CentredClips:
    """The clips of a segment that validation looks at, a uint8 [T, 3, h, w] a view, and its class indices.

    Keys are numbers of segments. Videos in `given_up` (why, by id) are not opened.
    """

    def __init__(
        self, segments: Segments, config: Config, given_up: Mapping[str, str] | None = None
    ) -> None:
        self._segments, self._config = segments, config
        self._given_up = {} if given_up is None else given_up
        self._readers = KeptReaders()

    def close(self) -> None:
        """Close the videos that this process read last."""
        self._readers.close()

    def video(self, key: int) -> str:
        """The video of a segment."""
        return self._segments.videos[key]

    def __getitem__(self, key: int) -> dict[str, Any]:
        name = self._segments.videos[key]
        if name in self._given_up:
            return {"name": name, "error": self._given_up[name]}

        def shown(reader: Reader) -> tuple[list[tuple[View, np.ndarray]], Picture]:
            span = span_of(self._segments, key, reader)
            wanted = centred_clips(self._config, *span, reader.info.fps, reader.measure())
            # One pass for all views: they share most of their frames.
            return wanted, sound_clip(reader, np.concatenate([t for _, t in wanted]).tolist())

        try:
            wanted, frames = self._readers.read(self._segments.paths[name], shown)
        except (VideoError, OSError) as error:
            return {"name": name} | unread(error, self._segments.takes_parts)
        pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
        parts = torch.split(pictures, [len(times) for _, times in wanted])
        clips = {view.prefix: view(part) for (view, _), part in zip(wanted, parts, strict=True)}
        return {"clips": clips, "target": self._segments.targets[key], "name": name}


def evaluation_batches(
    segments: Segments, config: Config, left_out: LeftOut, *, workers: int
) -> Iterator[dict[str, Any]]:
    """Every segment of this process's part once: `views` holds, by prefix, stacks of `CentredClips`.

    A stack is (places of its clips in the batch, clips uint8 [n, T, 3, h, w]).
    """
    size = config.finetune.batch_size
    keys = list(own_shard(range(len(segments))))
    plan = [keys[at : at + size] for at in range(0, len(keys), size)]
    with closing(CentredClips(segments, config, left_out.given_up)) as samples:
        for batch in load_clips(samples, _collate_views, plan, left_out, workers):
            if batch["names"]:
                yield batch


def _collate_views(samples: list[dict[str, Any]]) -> dict[str, Any]:
    samples, batch = common(samples)
    if samples:
        views = samples[0]["clips"]
        batch["views"] = {
            view: _by_shape([sample["clips"][view] for sample in samples]) for view in views
        }
    return batch


def _by_shape(clips: list[Tensor]) -> list[tuple[list[int], Tensor]]:
    """Clips stacked with those of their shape, each stack with the places they had."""
    places: dict[tuple[int, ...], list[int]] = {}
    for place, clip in enumerate(clips):
        places.setdefault(tuple(clip.shape), []).append(place)
    return [(rows, torch.stack([clips[row] for row in rows])) for rows in places.values()]
