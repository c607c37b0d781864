"""Which spans of a video were damaged or missing where features were made all the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.progress import say
from pipeline.run_folder.files import remove, write_json

DAMAGED = "damaged"


def note_damage(
    folder: Path, video: str, duration: float, spans: Sequence[tuple[float, float]]
) -> None:
    """Write and say the damaged spans (seconds) of a video `duration` long; without any, forget old ones.

    A file a video, `damaged/VIDEO.json` in the stage's folder, written before its features: none are
    there without it. Raises UserError where it cannot be written.
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
