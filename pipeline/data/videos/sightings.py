"""Which video each id is now: known by content, and by its pictures where a file was only remuxed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.data.remote.videos import RemoteVideo
from pipeline.data.videos.finding import Source
from pipeline.data.videos.identity import Sighting, identify, read_sightings, write_sightings
from pipeline.data.videos.lengths import Measured, known_lengths, read_lengths, write_lengths
from pipeline.run_folder.identity import named
from pipeline.run_folder.ledger import Made

PICTURES = "pictures"  # a note of the extract stage's ledger: digest, and the rate it was asked at


@dataclass(frozen=True)
class Sightings:
    """The videos as they are: `identities` by id, and `repacked`, whose files changed but show the same frames.

    `measured`: lengths by digest, which grow as videos are looked at; `sources`: where the videos are.
    """

    identities: Mapping[str, str]
    seen: Mapping[str, Sighting]
    repacked: tuple[str, ...] = ()
    before: Mapping[str, Sighting] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    remembered: Mapping[str, Measured] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """A message for the user, if any."""
        if not self.repacked:
            return []
        return [
            f"{len(self.repacked)} video files changed but show the same frames ({named(self.repacked)}): "
            "their results stay valid"
        ]

    def lengths(self, videos: Iterable[str], workers: int | None) -> dict[str, Measured]:
        """The length of each video that is known; `workers` look at the others (`known_lengths`).

        That of a video which does not exist any more is known by what it was.
        """
        digests = {v: seen.digest for v, seen in self.seen.items()}
        wanted = [video for video in dict.fromkeys(videos) if video in self.identities]
        sources = {v: self.sources[v] for v in wanted if v in self.sources and v in digests}
        found = known_lengths(sources, digests, self.measured, workers=workers)
        for video in wanted:
            one = self.measured.get(self.identities[video])
            if video not in digests and one is not None and one.seconds > 0:
                found[video] = one
        return found

    def keep(self, folder: Path) -> None:
        """Remember them, and their lengths, in the run's folder. Raises UserError if it cannot be written."""
        if dict(self.seen) != dict(self.before):
            write_sightings(folder, {**self.before, **self.seen})
        if self.measured != self.remembered:
            write_lengths(folder, self.measured)


def look(
    sources: Mapping[str, Source],
    folder: Path,
    lines: Mapping[str, Made],
    trained: Mapping[str, str],
    *,
    verify: bool,
) -> Sightings:
    """The identity of each video of `sources`; `folder` is the run's.

    `lines` say what features were made of, `trained` which videos the classifier was trained on: one that is not
    there any more is taken as it was. A file that is another and holds the pictures that features were made
    of is known by the former.
    """
    before = read_sightings(folder)
    seen = identify(sources, before, verify=verify)
    identities, repacked = {}, []
    for video, sighting in seen.items():
        identities[video] = sighting.digest
        line = lines.get(video)
        if (
            line is not None
            and line.of != sighting.digest
            and _same_pictures(sources[video], line.notes)
        ):
            identities[video] = line.of
            repacked.append(video)
    for video, line in lines.items():
        identities.setdefault(video, line.of)
    for video, digest in trained.items():
        identities.setdefault(video, digest)
    known = read_lengths(folder)
    return Sightings(identities, seen, tuple(repacked), before, sources, dict(known), known)


def pictures_note(source: Source, fps: float) -> dict[str, str]:
    """The note of a video's pictures; none where nothing can be said of them."""
    digest = _pictures(source, fps)
    return {} if digest is None else {PICTURES: f"{fps!r} {digest}"}


def _same_pictures(source: Source, notes: Mapping[str, str]) -> bool:
    fps, _, digest = notes.get(PICTURES, "").partition(" ")
    try:
        return bool(digest) and _pictures(source, float(fps)) == digest
    except ValueError:
        return False


def _pictures(source: Source, fps: float) -> str | None:
    from feature_extraction.pictures import pictures_of  # loads PyAV

    if isinstance(source, RemoteVideo):
        with source.held() as path:
            return pictures_of(path, fps)
    return pictures_of(source, fps) if isinstance(source, Path) else None
