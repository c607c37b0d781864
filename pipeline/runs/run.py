"""A run: its folder, its configuration, its annotations read once, and its stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.configuration.reading import RUN_CONFIG, dump_config, load_config
from pipeline.configuration.settings import Config, DetectionConfig
from pipeline.data.annotations import Dataset, load_annotations
from pipeline.data.features.imported import has_own_rates, is_imported, on_imported_grid
from pipeline.data.names import skipped_ids
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.ranks import ranks
from pipeline.run_folder.files import write_text
from pipeline.run_folder.manifests import MANIFEST
from pipeline.run_folder.stage import Stage
from pipeline.runs.graph import row
from pipeline.runs.inputs.contents import manifest_of, weights_in
from pipeline.runs.inputs.facts import Facts
from pipeline.runs.ways import Ways, ways_of
from pipeline.shards import Shard

# torch takes seconds to load, and `status` and `eval` need none of it: what does is imported where used.
if TYPE_CHECKING:
    import torch

    from pipeline.data.features.store import FeatureStore
    from pipeline.data.videos.finding import Source
    from pipeline.data.videos.lengths import Measured
    from pipeline.data.videos.sightings import Sightings
    from pipeline.results.classifier_extractor import OpenClassifier
    from pipeline.runs import states


@dataclass(frozen=True)
class Run:
    """One run, as the stages and tools take it; what is asked for is read on first use.

    `force` moves a training of other inputs aside instead of refusing to continue; `verify` compares the bytes
    of what was written, whatever size and time say; without `grid_of_imported` the clip grid is the given one even
    where features were imported. `kept`: the folder's configuration, where another. `shard`: this process's share.
    """

    folder: Path
    given: Config
    force: bool = False
    grid_of_imported: bool = True
    verify: bool = False
    kept: Config | None = None
    shard: Shard | None = None

    def __reduce__(self) -> tuple[type[Run], tuple[Path, Config, bool, bool]]:
        """Sent to another process, it leaves out what it has read."""
        return Run, (self.folder, self.given, self.force, self.grid_of_imported)

    @cached_property
    def config(self) -> Config:
        """The configuration; where features were imported, with the clip grid they are stated to have."""
        if not self.grid_of_imported:
            return self.given
        return on_imported_grid(self.given, self.path("extract"))

    @cached_property
    def detection(self) -> DetectionConfig:
        """The configuration with every section that detection needs. Raises UserError if one is missing."""
        return self.config.detection()

    @cached_property
    def dataset(self) -> Dataset:
        """The annotations, in an order of their own. Raises UserError naming file, line and value."""
        return load_annotations(self.config.dataset, self.config.ignored_labels).ordered()

    @cached_property
    def device(self) -> torch.device:
        """The device of `runtime.device`. Raises UserError if it cannot be used."""
        from pipeline.processes.device import pick_device

        return pick_device(self.config.runtime.device)

    @cached_property
    def features(self) -> FeatureStore:
        """The run's features, by video."""
        from pipeline.data.features.made import extracted_by, imported_on
        from pipeline.data.features.store import FeatureStore

        made = extracted_by(self.detection.extract, self.config.backbone.title)
        if self.has_imported_features:
            own = has_own_rates(self.path("extract"))
            return FeatureStore(self.path("extract"), imported_on(made), own_rates=own)
        trained = manifest_of(self.folder, "finetune")
        if trained is not None and trained.complete:
            made = replace(made, weights_digest=weights_in(self.path("finetune"), trained))
        return FeatureStore(self.path("extract"), made)

    @property
    def has_imported_features(self) -> bool:
        """Whether the run's features came from elsewhere."""
        return is_imported(self.path("extract"))

    @property
    def ways(self) -> Ways:
        """How it comes by its features and its classes."""
        return ways_of(self.given, imported=self.grid_of_imported and self.has_imported_features)

    @property
    def subsets(self) -> tuple[str, str]:
        """The subset that trains and the one that is measured on."""
        return self.config.dataset.train_subset, self.config.dataset.eval_subset

    @cached_property
    def skipped(self) -> frozenset[str]:
        """The videos of `runtime.skip`. Raises UsageError if the file cannot be read."""
        return skipped_ids(self.config.runtime.skip)

    @property
    def videos(self) -> list[str]:
        """The videos of both subsets, in order."""
        return [video for subset in self.subsets for video in self.dataset.video_ids(subset)]

    def sources(self, videos: Iterable[str], left_out: LeftOut) -> dict[str, Source]:
        """Where each video is; those not there are counted by `left_out`. Raises UserError if too many."""
        from pipeline.data.videos.finding import require_videos

        return require_videos(self.config.dataset, self.dataset, videos, left_out)

    def classifier(self, num_classes: int | tuple[int, int]) -> OpenClassifier:
        """The fine-tuned classifier, ready to extract. Raises UserError if its weights are damaged."""
        from pipeline.results.classifier_extractor import open_classifier

        return open_classifier(self.detection, num_classes, self.folder, self.device)

    def path(self, stage: str) -> Path:
        """The folder of a stage."""
        return self.folder / row(stage).folder

    @cached_property
    def sightings(self) -> Sightings:
        """The videos as they are now; of one that is not there, as features of it were made."""
        from pipeline.data.videos.finding import videos_there
        from pipeline.data.videos.sightings import look

        sources = videos_there(self.config.dataset, self.dataset, self.videos)
        lines = (facts := self.facts()).ledger("extract").lines
        return look(sources, self.folder, lines, facts.trained_on(), verify=self.verify)

    def lengths(self, videos: Iterable[str], *, look: bool = True) -> dict[str, Measured]:
        """How long videos are, imported features where there are; `look` opens those not known. Raises UserError."""
        wanted = [video for video in videos if video not in self.skipped]
        if self.ways.imported:
            return self.features.lengths(wanted) if look else {}
        return self.sightings.lengths(wanted, self.config.runtime.workers if look else None)

    def facts(self, *, ahead: bool = False) -> Facts:
        """What the stages depend on, as it is, or `ahead` as it will be once all is made again."""
        look, skipped = lambda: self.sightings.identities, self.skipped
        return Facts(
            self.config, self.folder, self.dataset, look, skipped, ahead=ahead, verify=self.verify
        )

    def stage(self, name: str) -> Stage:
        """A stage, to be opened for work, and what its outputs depend on now.

        Raises UserError if an input stage is not complete or an input file cannot be read.
        """
        return replace(self.facts().stage(name), writes=ranks().is_main)

    def open(self, name: str, extra: Mapping[str, object] | None = None) -> Stage:
        """Open a stage for work; where it makes something, the settings are the run's `config.yaml`.

        Where several processes work at it, all come here: the main one opens it for all. `extra` are
        fields that the stage's command adds. Raises UserError if a training would be lost.
        """
        if row(name).who == "main" or ranks().size == 1:
            return self.open_alone(name, extra or {})
        from pipeline.processes.distributed import barrier

        barrier()  # the stage before is finished when the main process comes here
        if ranks().is_main:
            opened = self.open_alone(name, extra or {})
            barrier()
            return opened
        barrier()
        return self.stage(name).follow()

    def keep_config(self) -> None:
        """Write the resolved configuration beside the stages."""
        write_text(self.folder / RUN_CONFIG, dump_config(self.kept or self.config))

    def state(self, name: str, facts: Facts | None = None) -> states.State:
        """The state of a stage, once earlier stages are made again where necessary.

        Raises UserError if something of it cannot be read.
        """
        from pipeline.runs import states

        return states.state_of(facts or self.facts(ahead=True), name)

    def is_complete(self, name: str) -> bool:
        """Whether a stage has nothing to do; asked by every process that does its work, the main one answers."""

        def found() -> bool:
            state = self.state(name)
            return state.state == "complete" and not state.former

        if ranks().size == 1 or row(name).who == "main":
            return found()
        from pipeline.processes.distributed import from_main_process

        return from_main_process(found)

    def left_out(self, stage: str, *, of: str | None = None, at_once: bool = False) -> LeftOut:
        """The videos a stage leaves out, counted from here on; `of` is reported in place of its name."""
        runtime = self.config.runtime
        return LeftOut(
            of or stage,
            self.path(stage),
            allowed=runtime.allow_failures,
            skip=runtime.skip,
            at_once=at_once,
            writes=ranks().is_main,
            identities=self.sightings.identities,
        )

    def open_alone(self, name: str, extra: Mapping[str, object]) -> Stage:
        """As `open`, in this process alone."""
        stage = self.stage(name)
        stage = replace(stage, fields={**stage.fields, **extra})
        if name == "extract" and self.has_imported_features:  # not made here, and not to be lost
            stage = replace(stage, valuable=(MANIFEST,), weigh=None)
        opened, kept = stage.open(force=self.force), self.folder / RUN_CONFIG
        if opened.displaced is not None and kept.is_file():
            opened = replace(opened, former_config=kept.read_text("utf-8"))
        if not row(name).alone and not (opened.complete and kept.is_file()):
            self.keep_config()
        return opened


def run_of(folder: Path) -> Run:
    """A run as it was made. Raises UserError if the folder holds none."""
    path = folder / RUN_CONFIG
    if not path.is_file():
        raise UserError(
            f"{folder}: no {RUN_CONFIG}; give the folder of a run that has been fine-tuned"
        )
    return Run(folder, load_config(path))
