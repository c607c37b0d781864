"""What a classifier is tested on: several clips of a segment, several crops of a clip (Section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor

from feature_extraction.sampling import segment_clip_times, view_offsets
from feature_extraction.transforms import spatial_crops
from feature_extraction.video.reader import Picture, Reader, VideoError
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.configuration.settings import ViewsSettings
from pipeline.data.batches import read_batches
from pipeline.data.clips.geometry import interval_times
from pipeline.data.clips.segments import Segments, span_of
from pipeline.data.kept_readers import KeptReaders
from pipeline.data.videos.damage import sound_clip, unread
from pipeline.data.videos.left_out import LeftOut


class SegmentViews:
    """The views of a segment for each of several classifiers, which may want other frames.

    An item: for each classifier uint8 [clips * crops, T, 3, S, S], or the reason it cannot be read
    (`error`) or is left out (`damaged`).
    """

    def __init__(
        self,
        segments: Segments,
        classifiers: Sequence[FinetuneSettings],
        views: ViewsSettings,
        given_up: Mapping[str, str],
    ) -> None:
        self._segments, self._classifiers, self._views = segments, classifiers, views
        self._given_up = given_up
        self._readers = KeptReaders()

    def close(self) -> None:
        """Close the videos that this process read last."""
        self._readers.close()

    def video(self, index: int) -> str:
        """The video a segment is read from."""
        return self._segments.videos[index]

    def __getitem__(self, index: int) -> dict[str, Any]:
        video = self._segments.videos[index]
        if video in self._given_up:
            return {"index": index, "video": video, "error": self._given_up[video]}
        try:
            clips = [self._read(index, settings) for settings in self._classifiers]
        except (VideoError, OSError) as error:
            return {"index": index, "video": video} | unread(error, self._segments.takes_parts)
        return {"index": index, "video": video, "views": clips}

    def _read(self, index: int, settings: FinetuneSettings) -> Tensor:
        def shown(reader: Reader) -> Picture:
            span = span_of(self._segments, index, reader)
            times = _times(settings, *span, self._views.clips, reader.info.fps)
            return sound_clip(reader, times.ravel().tolist())

        path = self._segments.paths[self._segments.videos[index]]
        frames = torch.from_numpy(self._readers.read(path, shown)).permute(0, 3, 1, 2)
        crops = spatial_crops(frames, short_side=self._views.short_side, count=self._views.crops)
        # [crops, clips * T, ...] -> [clips * crops, T, ...]
        shape = (self._views.crops, self._views.clips, settings.frames, *crops.shape[2:])
        return crops.reshape(shape).transpose(0, 1).flatten(0, 1).contiguous()


def read_views(
    segments: Segments,
    classifiers: Sequence[FinetuneSettings],
    views: ViewsSettings,
    indices: Sequence[int],
    left_out: LeftOut,
    workers: int,
) -> Iterator[dict[str, Any]]:
    """Items of `SegmentViews` for some segments, read by worker processes."""
    plan = [[index] for index in indices]
    with closing(SegmentViews(segments, classifiers, views, left_out.given_up)) as samples:
        yield from read_batches(samples, plan, _only, workers=workers, lost=left_out.give_up)


def _only(items: list[dict[str, Any]]) -> dict[str, Any]:
    return items[0]


def _times(
    settings: FinetuneSettings, start: float, end: float, clips: int, video_fps: float
) -> np.ndarray:
    """Seconds [clips, T]: clips evenly over the segment, or each an even pass through all of it."""
    if settings.sampling == "segments":
        places = (np.arange(clips) + 0.5) / clips
        return np.stack(
            [segment_clip_times(start, end, places=np.full(settings.frames, p)) for p in places]
        )
    offsets = view_offsets(clips).tolist()
    return np.stack([interval_times(settings, start, end, at, video_fps) for at in offsets])
