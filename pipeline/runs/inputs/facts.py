"""What a run knows of its stages: contents as they are, or, asked ahead, as they will be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.configuration.keys import restated
from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset
from pipeline.data.features import IMPORTED
from pipeline.data.scores.given import scores_of
from pipeline.data.videos.failures import read_failures
from pipeline.errors import UserError
from pipeline.run_folder.identity import (
    SHORT,
    UNKNOWN,
    UNSURE,
    as_recorded,
    file_digest,
    fingerprint,
    plain_fields,
)
from pipeline.run_folder.ledger import Ledger
from pipeline.run_folder.manifests import Manifest, read_manifest
from pipeline.run_folder.stage import Stage
from pipeline.runs.graph import StageRow, maker, row
from pipeline.runs.inputs.asking import Digests
from pipeline.runs.inputs.contents import (
    READERS,
    current,
    foreseen,
    manifest_of,
    remembered,
    values_of,
    weigh,
    weights_in,
)
from pipeline.runs.inputs.fields import (
    FEATURES_READ,
    TRAINED_ON,
    VIDEOS,
    made_by,
    stage_fields,
)
from pipeline.runs.inputs.formerly import former_fields
from pipeline.runs.ways import reads_of, ways_of


@dataclass(frozen=True)
class Facts:
    """The contents of a run that stages depend on.

    `ahead`: what is about to be made again counts as UNKNOWN if its inputs are different now, and as
    it was where they are not; otherwise only what is there counts. `look` gives which video each id is.
    """

    config: Config
    folder: Path
    dataset: Dataset
    look: Callable[[], Digests]
    skipped: frozenset[str] = frozenset()
    ahead: bool = False
    verify: bool = False
    _identities: dict[str, str] = field(default_factory=dict)
    _stages: dict[str, Stage] = field(default_factory=dict)
    _reasons: dict[str, list[str]] = field(default_factory=dict)
    # What is read once, however often it is asked for: of many videos it takes a second each time.
    _manifests: dict[str, Manifest | None] = field(default_factory=dict)
    _ledgers: dict[str, Ledger] = field(default_factory=dict)
    _by: dict[str, str] = field(default_factory=dict)
    _made: dict[str, str] = field(default_factory=dict)

    @property
    def identities(self) -> Digests:
        """Which video each id is, of those that are there and not skipped."""
        if not self._identities:
            found = self.look()
            self._identities.update({v: of for v, of in found.items() if v not in self.skipped})
        return self._identities

    def stage(self, name: str) -> Stage:
        """A stage with what it depends on. Raises UserError if a file cannot be read."""
        if name not in self._stages:
            stage = row(name)
            manifest = self.manifest(name)
            fields = plain_fields(stage_fields(self, stage))
            recorded = {} if manifest is None else manifest.fields
            # a video that was not there is made for the first time
            settled = as_recorded(fields, recorded, UNSURE, UNKNOWN)
            because = self._roots(stage) if UNKNOWN in values_of(settled) else []
            self._stages[name] = replace(
                self.stage_with(stage, settled),
                because=tuple(because),
                recipes=self._recipes(settled) if name in READERS else {},
            )
        return self._stages[name]

    def stage_with(self, stage: StageRow, fields: Mapping[str, Any]) -> Stage:
        """A stage with these fields."""
        folder = self.folder / stage.folder
        return Stage(
            stage.folder,
            folder,
            stage.outputs,
            fields,
            restated,
            stage.valuable,
            formerly=lambda: former_fields(self.config, self.folder, stage),
            weigh=(lambda: weigh(folder)) if stage.valuable else None,
            verify=self.verify,
        )

    def manifest(self, name: str) -> Manifest | None:
        """A stage's manifest, None if it is not there or damaged."""
        if name not in self._manifests:
            self._manifests[name] = manifest_of(self.folder, name)
        return self._manifests[name]

    def trained_on(self) -> Digests:
        """Which video each was that the classifier was trained on; short digests."""
        manifest = self.manifest("finetune")
        videos = manifest.fields.get(TRAINED_ON) if manifest is not None else None
        return videos if isinstance(videos, dict) else {}

    def weights(self, stage: str) -> str:
        """Digest of the weights that a training left."""
        manifest = self.manifest(stage)
        if manifest is None or not manifest.complete:
            return self._undone(stage)
        if self.ahead and self.reasons(stage):
            kept = self.stage(stage).aside()  # which is taken back
            known = read_manifest(kept) if kept is not None else None
            return known.weights or UNKNOWN if known is not None and known.complete else UNKNOWN
        return weights_in(self.folder / row(stage).folder, manifest)

    def features(self, videos: list[str]) -> Digests:
        """Digest of the features of those videos that have any."""
        videos = [video for video in videos if video not in self.skipped]
        if self.is_imported:
            lines = self.ledger("extract").lines
            return {video: lines[video].content[:SHORT] for video in videos if video in lines}
        found = self._contents("extract", {video: self.identities.get(video) for video in videos})
        readers = [manifest for name in READERS if (manifest := self.manifest(name)) is not None]
        return {
            video: remembered(readers, video, self._recipe(video), content)
            if content in {UNKNOWN, UNSURE}
            else content[:SHORT]
            for video, content in found.items()
        }

    def _recipes(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """What the features were made by and of that a stage with these fields reads."""
        if self.is_imported:
            return {}
        read = [fields[name] for name in FEATURES_READ if isinstance(fields.get(name), dict)]
        return {video: self._recipe(video) for videos in read for video in videos}

    def _recipe(self, video: str) -> str:
        if video not in self._made:
            of = self.identities.get(video)
            self._made[video] = fingerprint({"by": self.by("extract"), "of": of})[:SHORT]
        return self._made[video]

    def given_scores(self) -> Digests:
        """Digest of the class scores that `classify.scores` has of each video."""
        return scores_of(self.config, self.dataset).digests

    def parts(self, stage: str, videos: list[str]) -> Digests:
        """Digest of what a stage made of those videos it made something of."""
        of = self.stage(stage).fields[VIDEOS]
        return self._contents(stage, {video: of[video] for video in videos if video in of})

    def output(self, stage: str, name: str) -> str:
        """Digest of an output of a stage."""
        manifest = self.manifest(stage)
        if manifest is None or not manifest.complete:
            return self._undone(stage)
        if self.ahead and self.reasons(stage):
            return UNKNOWN
        record = manifest.outputs.get(name)
        if record is not None:
            return record.sha256
        path = self.folder / row(stage).folder / name
        return file_digest(path) if path.is_file() else UNSURE

    def reasons(self, name: str) -> list[str]:
        """Which inputs of a stage are different now, or will be; none where it has not been done."""
        if name not in self._reasons:
            manifest = self.manifest(name)
            self._reasons[name] = [] if manifest is None else self.stage(name).differences(manifest)
        return self._reasons[name]

    def _roots(self, stage: StageRow) -> list[str]:
        """Why what a stage reads is made again, each reason where it arises."""
        lines: list[str] = []
        for source in reads_of(stage, ways_of(self.config, imported=self.is_imported)):
            before = maker(source)
            manifest = self.manifest(before.name)
            if manifest is not None:
                made = self.stage(before.name)
                lines += [*made.because, *made.known_differences(manifest)]
        return list(dict.fromkeys(lines))

    def ledger(self, name: str) -> Ledger:
        """What a stage recorded of its videos."""
        if name not in self._ledgers:
            self._ledgers[name] = Ledger(self.folder / row(name).folder)
        return self._ledgers[name]

    def by(self, name: str) -> str:
        """What all videos of a stage are made by."""
        if name not in self._by:
            self._by[name] = made_by(self.stage(name).fields)
        return self._by[name]

    @property
    def is_imported(self) -> bool:
        """Whether the run's features came from elsewhere."""
        manifest = self.manifest("extract")
        return manifest is not None and IMPORTED in manifest.fields

    def _contents(self, name: str, of: Mapping[str, str | None]) -> Digests:
        """What a stage made of videos that are what `of` says (None: as recorded)."""
        lines, by = self.ledger(name).lines, self.by(name)
        if not self.ahead:
            return current(lines, by, of)
        return foreseen(lines, by, of, read_failures(self.folder / row(name).folder))

    def _undone(self, stage: str) -> str:
        if self.ahead:
            return UNSURE
        made_by_command = row(stage).command
        manifest = self.manifest(stage)
        state = "has not been done" if manifest is None else "is not complete"
        raise UserError(
            f"{self.folder}: stage {row(stage).folder} {state}; run `tada-loc {made_by_command}` first"
        )
