"""Which videos have a proxy that is current: recorded as made so, of the video as it is now, and not changed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from feature_extraction.video.frame_folder import FrameFolder
from pipeline.data.proxies.form import made_by, proxy_path
from pipeline.data.videos.finding import Source
from pipeline.run_folder.ledger import Ledger, is_current

FPS, SECONDS = "fps", "seconds"  # notes: frames per second and length, as the source says


@dataclass
class Standing:
    """Paths of current proxies, the rates (0.0: not known) and seconds of their sources, and why the others are none.

    `frames`: videos that are folders of frames, which have no proxy: they are read as they are.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    lengths: dict[str, float] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    frames: list[str] = field(default_factory=list)


def standing(
    folder: Path,
    side: int,
    videos: Iterable[str],
    sources: Mapping[str, Source],
    identities: Mapping[str, str],
    *,
    verify: bool = False,
) -> Standing:
    """How the proxies of videos stand; `identities` says which file each video is now.

    `verify` compares the bytes of each proxy. Raises UserError if one cannot be read.
    """
    found, by, ledger = Standing(), made_by(side), Ledger(folder)
    for video in dict.fromkeys(videos):
        if isinstance(sources.get(video), FrameFolder):
            found.frames.append(video)
            continue
        made, of = ledger.get(video), identities.get(video)
        path = proxy_path(folder, video)
        if made is not None and is_current(path, made, by, of, verify=verify):
            found.paths[video] = path
            found.rates[video] = float(made.notes[FPS])
            found.lengths[video] = float(made.notes[SECONDS])
        elif made is None:
            found.why[video] = "missing"
        elif made.of != of:
            found.why[video] = "of another file"
        elif made.by != by:
            found.why[video] = "made with other settings"
        else:
            found.why[video] = "gone" if not path.is_file() else "not what was written"
    return found
