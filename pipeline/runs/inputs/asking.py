"""What may be asked of a run when it is to be said what a stage depends on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset

Digests = Mapping[str, str]  # by video


class Facts(Protocol):
    """What a run knows when it is asked what a stage depends on; UNKNOWN stands for what is made again first."""

    @property
    def config(self) -> Config: ...
    @property
    def dataset(self) -> Dataset: ...
    @property
    def folder(self) -> Path:
        """The run's folder."""

    @property
    def identities(self) -> Digests:
        """Which video each id is, of those that are there and not skipped."""

    @property
    def is_imported(self) -> bool:
        """Whether the run's features came from elsewhere."""

    def given_scores(self) -> Digests:
        """Digest of the class scores that `classify.scores` has of each video."""

    def weights(self, stage: str) -> str:
        """Digest of the weights that a training left."""

    def features(self, videos: list[str]) -> Digests:
        """Digest of the features of those videos that have any."""

    def parts(self, stage: str, videos: list[str]) -> Digests:
        """Digest of what a stage made of those videos it made something of."""

    def output(self, stage: str, name: str) -> str:
        """Digest of an output of a stage."""
