"""Which video each id is now: known by content, and by its pictures where a file was only packed anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from feature_extraction.pictures import pictures_of
from pipeline.configuration.settings import DatasetSettings
from pipeline.data.annotations import Dataset
from pipeline.data.videos.finding import Source, find_videos
from pipeline.data.videos.identity import Sighting, identify, read_sightings, write_sightings
from pipeline.errors import UserError
from pipeline.run_folder.identity import named
from pipeline.run_folder.ledger import Ledger
from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.fields import TRAINED_ON
from pipeline.runs.graph import row

PICTURES = "pictures"  # a note of the extract stage's ledger: digest, and the rate it was asked at


@dataclass(frozen=True)
class Sightings:
    """The videos as they are: `identities` by id, and `repacked`, whose files are others with the same pictures."""

    identities: Mapping[str, str]
    seen: Mapping[str, Sighting]
    repacked: tuple[str, ...] = ()
    before: Mapping[str, Sighting] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """What is worth a word."""
        if not self.repacked:
            return []
        return [
            f"{len(self.repacked)} video files are others with the same pictures ({named(self.repacked)}): "
            "what was made of them stays"
        ]

    def keep(self, folder: Path) -> None:
        """Remember them in the run's folder. Raises UserError where it cannot be written."""
        if dict(self.seen) != dict(self.before):
            write_sightings(folder, {**self.before, **self.seen})


def look(
    settings: DatasetSettings,
    dataset: Dataset,
    videos: Sequence[str],
    folder: Path,
    *,
    verify: bool,
) -> Sightings:
    """The identity of each of the `videos`; `folder` is the run's.

    One that is not there any more is taken as it was when features were made of it, or the classifier trained on
    it. A file that is another and holds the pictures that features were made of is known by the former.
    """
    sources: dict[str, Source] = {}
    if settings.videos.is_dir():
        sources, _ = find_videos(settings.videos, dataset, videos, settings.frame_fps)
    before = read_sightings(folder)
    seen = identify(sources, before, verify=verify)
    lines = Ledger(folder / row("extract").folder).lines
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
    for video, digest in _trained_on(folder).items():
        identities.setdefault(video, digest)
    return Sightings(identities, seen, tuple(repacked), before)


def _trained_on(folder: Path) -> Mapping[str, str]:
    try:
        manifest = read_manifest(folder / row("finetune").folder)
    except UserError:
        return {}
    videos = manifest.fields.get(TRAINED_ON) if manifest is not None else None
    return videos if isinstance(videos, dict) else {}


def pictures_note(source: Source, fps: float) -> dict[str, str]:
    """The note of a video's pictures; none where nothing can be said of them."""
    digest = pictures_of(source, fps) if isinstance(source, Path) else None
    return {} if digest is None else {PICTURES: f"{fps!r} {digest}"}


def _same_pictures(source: Source, notes: Mapping[str, str]) -> bool:
    fps, _, digest = notes.get(PICTURES, "").partition(" ")
    if not digest or not isinstance(source, Path):
        return False
    try:
        return pictures_of(source, float(fps)) == digest
    except ValueError:
        return False
