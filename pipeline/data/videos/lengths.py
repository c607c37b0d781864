"""How long each video is, as its file says: looked at once, by worker processes, and remembered by content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from feature_extraction.elsewhere import Elsewhere
from feature_extraction.video.reader import VideoInfo
from pipeline.data.annotations.dataset import ROUNDING
from pipeline.data.remote.videos import Ends, RemoteVideo
from pipeline.data.videos.finding import Source
from pipeline.data.videos.probing import probe_all
from pipeline.run_folder.files import write_json

LENGTHS = "lengths.json"
LOOK_SECONDS = 60.0  # after which a file whose decoder says nothing has no length


@dataclass(frozen=True)
class Measured:
    """A video's length in seconds (0.0: it does not open), its frames per second (0.0: not known), and how much longer it may be."""

    seconds: float
    fps: float = 0.0
    slack: float = ROUNDING


_MEASURED = TypeAdapter(dict[str, Measured])


def known_lengths(
    sources: Mapping[str, Source],
    identities: Mapping[str, str],
    known: dict[str, Measured],
    *,
    workers: int | None,
) -> dict[str, Measured]:
    """The length of each video of `sources` that can be found; one that does not open has none.

    `known` are lengths by the digest of a video's content (`identities`); what is looked at is added there.
    `workers` processes look, 0 looks here, and None looks at none.
    """
    new = {v: path for v, path in sources.items() if identities.get(v) not in known}
    if workers is not None and new:
        infos, failed = look_at_ends(new, workers)  # reading says what failed
        for video, info in infos.items():
            if video in identities:
                known[identities[video]] = Measured(float(info.duration or 0.0), float(info.fps))
        for video in failed:  # a decoder that hangs is not waited for again; a store may answer
            if not isinstance(new[video], RemoteVideo):
                known[identities.get(video, "")] = Measured(0.0)
    digests = {video: identities[video] for video in sources if video in identities}
    found = {video: known[digest] for video, digest in digests.items() if digest in known}
    return {video: one for video, one in found.items() if one.seconds > 0}


def look_at_ends(
    sources: Mapping[str, Source], workers: int, *, timeout: float = LOOK_SECONDS
) -> tuple[dict[str, VideoInfo], dict[str, str]]:
    """As `probe_all`; of videos that are elsewhere only the ends are brought here, or the whole file if these do not suffice."""
    ends: dict[str, Source | Elsewhere] = {
        v: Ends(place) if isinstance(place, RemoteVideo) else place for v, place in sources.items()
    }
    infos, failed = probe_all(ends, "auto", deep=False, workers=workers, timeout=timeout)
    again = {v: sources[v] for v in failed if ends[v] is not sources[v]}
    if again:
        more, still = probe_all(again, "auto", deep=False, workers=workers, timeout=timeout)
        infos, failed = (
            infos | more,
            {v: why for v, why in failed.items() if v not in again} | still,
        )
    return infos, failed


def read_lengths(folder: Path) -> dict[str, Measured]:
    """Lengths that a run has remembered, by digest; none where that is damaged. It is a memory, and no result."""
    try:
        return _MEASURED.validate_json((folder / LENGTHS).read_bytes())
    except (OSError, ValidationError, ValueError):
        return {}


def write_lengths(folder: Path, known: Mapping[str, Measured]) -> None:
    """Remember them. Raises UserError if the folder cannot be written."""
    write_json(folder / LENGTHS, {digest: asdict(one) for digest, one in known.items()})


def in_seconds(measured: Mapping[str, Measured]) -> dict[str, float]:
    """The seconds alone."""
    return {video: one.seconds for video, one in measured.items()}
