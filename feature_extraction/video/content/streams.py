"""Which stream of a file is the video: never a cover picture, a preview or a still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

# FFmpeg's bits of a stream's disposition, as numbers: PyAV's names for them changed from version to version
DEFAULT, ATTACHED_PICTURE, TIMED_THUMBNAILS, STILL_IMAGE = 1, 1 << 10, 1 << 11, 1 << 20
NO_VIDEO = ATTACHED_PICTURE | TIMED_THUMBNAILS | STILL_IMAGE


def disposition(stream: Any) -> int:
    """The bits of a stream's disposition, whatever this PyAV gives them as; 0 where it cannot say."""
    try:
        found = stream.disposition
        return int(getattr(found, "value", found))
    except (ValueError, TypeError):  # a bit that this PyAV has no name for
        return 0


def video_stream(container: InputContainer) -> av.VideoStream | None:
    """The stream FFmpeg takes for the best of those that move, or None if none does.

    A stream marked as default comes first, then what has more frames and bytes.
    """
    moving = [stream for stream in container.streams.video if not disposition(stream) & NO_VIDEO]
    if len(moving) < 2:
        return moving[0] if moving else None
    best = container.streams.best("video")
    found = next(
        (stream for stream in moving if best is not None and stream.index == best.index), None
    )
    return found or _largest(moving)


def _largest(streams: Sequence[av.VideoStream]) -> av.VideoStream:
    """Where FFmpeg's best is a still: the default one, then that of the most pixels, then the first."""

    def rank(stream: av.VideoStream) -> tuple[int, int]:
        head = stream.codec_context
        pixels = head.width * head.height if head is not None else 0
        return disposition(stream) & DEFAULT, pixels

    return max(streams, key=rank)
