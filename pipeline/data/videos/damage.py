"""Videos that are damaged: what may be taken of them, which spans were filled, clips that lie in such a span."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extraction.video.reader import DamagedVideoError, Picture, Reader, VideoError
from pipeline.progress import say
from pipeline.run_folder.files import remove, write_json

if TYPE_CHECKING:  # workers that look at videos come by here, and need no settings
    from pipeline.configuration.settings import Config, DetectionConfig

DAMAGED = "damaged"
KEY = "extract.allow_partial=true"
HINT = f", or use its readable part ({KEY})"


class DamagedClipError(VideoError):
    """A clip that lies in a part of its video that does not decode or is missing."""


def sound_clip(reader: Reader, times: Sequence[float]) -> Picture:
    """The frames uint8 [T, H, W, 3] of a clip from a reader that takes a part of a video.

    Raises DamagedClipError if one of them is not what the video had there.
    """
    frames = reader.clip(times)
    if reader.touches_damage(times):
        low, high = min(times), max(times)
        raise DamagedClipError(
            f"{reader.info.path}: does not decode, or is missing, in or near {low:.2f} to {high:.2f} s; get the file again"
        )
    return frames


def takes_parts(config: Config) -> bool | None:
    """Whether damaged videos are used for what they hold; None if no key of the configuration says it."""
    return None if config.extract is None else config.extract.allow_partial


def extraction_takes_parts(config: DetectionConfig) -> bool | None:
    """As `takes_parts`, where videos are decoded to their end; decord takes no part of one."""
    return None if config.extract.decoder == "decord" else config.extract.allow_partial


def told(error: Exception, takes: bool | None, key: str = KEY) -> str:
    """What an error of a video says, with the key that would take a part of it, where it is one that would."""
    damaged = isinstance(error, DamagedVideoError | DamagedClipError)
    hint = HINT.replace(KEY, key)
    return f"{error}{hint}" if damaged and takes is False else str(error)


def unread(error: Exception, takes: bool | None) -> dict[str, str]:
    """Why a clip could not be read, under `error`, or, of a damaged part that is left out, under `damaged`.

    Errors travel as values: a worker's exception would reach the user as a traceback.
    """
    if takes and isinstance(error, DamagedVideoError | DamagedClipError):
        return {"damaged": str(error)}
    return {"error": told(error, takes)}


def note_damage(
    folder: Path, video: str, duration: float, spans: Sequence[tuple[float, float]]
) -> None:
    """Write and say the damaged spans (seconds) of a video `duration` long; without any, forget old ones.

    A file per video, `damaged/VIDEO.json` in the stage's folder, written before its features: none are
    there without it. Raises UserError if it cannot be written.
    """
    path = folder / DAMAGED / f"{video}.json"
    if not spans:
        remove(path)
        return
    seconds = sum(end - start for start, end in spans)
    rows = [[round(start, 3), round(end, 3)] for start, end in spans]
    content = {"video": video, "duration": duration, "seconds": seconds, "spans": rows}
    write_json(path, content)
    some = ", ".join(f"{start:.2f}-{end:.2f}" for start, end in spans[:5])
    say(
        f"extract: video {video}: {seconds:.2f} s damaged or missing ({some}{', ...' * (len(spans) > 5)}), "
        "filled with the nearest frames",
        anyone=True,
    )


def damaged_videos(folder: Path) -> list[str]:
    """The videos of a stage's folder with such spans."""
    return sorted(path.stem for path in (folder / DAMAGED).glob("*.json"))
