"""What is asked of `predict`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.prediction.choosing import Choice
from pipeline.prediction.model import Model
from pipeline.shards import Shard


@dataclass(frozen=True)
class Request:
    """What is asked of `predict`.

    `model` is a run's folder or a model file, `folder` where predictions go, `options` the forms to write. `device`,
    `precision` and `workers` take the place of the model's own. `allow_partial`: take damaged videos for what they
    hold. `annotations` are the ground truth. `shard`: this process's share of the videos.
    """

    model: Path
    folder: Path
    choice: Choice = field(default_factory=Choice)
    options: tuple[str, ...] = ()
    device: str | None = None
    precision: str | None = None
    workers: int | None = None
    allow_failures: int = 0
    save_features: bool = False
    allow_partial: bool = False
    annotations: Path | None = None
    shard: Shard | None = None

    def device_of(self, model: Model) -> str:
        """Where the networks run."""
        return self.device or model.config.runtime.device

    def workers_at(self, model: Model, jobs: int) -> int:
        """How many processes work at so many jobs."""
        asked = model.config.runtime.workers if self.workers is None else self.workers
        return min(asked, jobs)
