"""Frames decoded and resized in a thread, a few ahead of the consumer."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType

import torch
from torch import Tensor

from feature_extraction.sampling import Moments
from feature_extraction.transforms import eval_transform
from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import Reader

CLOSING = -1  # stands for the number of the last frame, which is not known before the end
QUEUE_FRAMES = 32  # resized frames the thread may be ahead
POLL_SECONDS = 0.1

# a frame and its number; the seconds the video lasts, after the last frame; or what went wrong
Handover = tuple[int, Tensor] | float | BaseException


class FrameThread:
    """Iterates over (frame number, uint8 [3, H, W]) for every frame that is needed.

    They ascend in time; (CLOSING, frame) for the last frame before the end comes last, and `duration`
    [seconds] and `damaged` (spans of seconds) are known then. A context manager: leaving it stops the
    thread and closes the video, whatever happened. Errors of the reader (VideoError) are raised where
    frames are taken.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        moments: Moments,
        short_side: int,
        *,
        crop: int | None = None,
        decoder: str = "auto",
        allow_partial: bool = False,
        threads: int = 1,
        device: str | torch.device = "cpu",
    ) -> None:
        self._path = path
        self._moments = moments
        self._short_side, self._crop = short_side, crop
        self._decoder, self._allow_partial, self._threads = decoder, allow_partial, threads
        self._device = device  # that decodes, where one does
        self._queue: queue.Queue[Handover] = queue.Queue(QUEUE_FRAMES)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"decode {path}")
        self.duration = 0.0
        self.damaged: list[tuple[float, float]] = []

    def __enter__(self) -> FrameThread:
        try:
            self._thread.start()
            return self
        except BaseException:  # Ctrl-C may come when it runs already, and none would leave `with`
            self._stop.set()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        while True:
            item = self._queue.get()
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, float):
                self.duration = item
                return
            yield item

    def _work(self) -> None:
        """Run in the thread: the reader lives and dies here. The last thing put is the end."""
        try:
            with open_video(
                self._path,
                self._decoder,
                allow_partial=self._allow_partial,
                threads=self._threads,
                device=self._device,
            ) as reader:
                for item in self._frames(reader):
                    if not self._put(item):
                        return
                assert reader.end_time is not None  # a pass with final_fps gets there
                self.damaged = list(reader.damaged)
                self._put(float(reader.end_time))
        except BaseException as error:  # handed over, and raised again in the taker's thread
            self._put(error)

    def _frames(self, reader: Reader) -> Iterator[tuple[int, Tensor]]:
        drawn: deque[int] = deque()  # frame numbers asked for and not yet answered

        def times() -> Iterator[float]:
            for number, seconds in self._moments.needed_times():
                drawn.append(number)
                yield seconds

        before: Tensor | None = None
        frame: Tensor | None = None
        for position, picture in reader.tensors_at(times(), final_fps=self._moments.fps):
            if picture is not before or frame is None:  # numbers can share a frame
                before = picture
                frames = picture[None].permute(0, 3, 1, 2)
                frame = eval_transform(frames, short_side=self._short_side, crop=self._crop)[0]
            yield CLOSING if position < 0 else drawn.popleft(), frame

    def _put(self, item: Handover) -> bool:
        """Hand an item over; False when nobody will take it any more."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=POLL_SECONDS)
                return True
            except queue.Full:
                continue
        return False
