"""THE table of stages: what each reads, depends on and leaves, and who does its work.

Order, status, fingerprints, completeness and `tada-loc run` follow from it and from a run's ways. A new stage
is a row here and a file in pipeline/stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StageRow:
    """A stage as the table has it.

    `command` makes it; `run` is "module:function", called with the Run (and more, if `alone`). `folder`, below the run's, is
    also what the stages that read it name. `reads`: the folders of its inputs. `settings`: the sections
    of the configuration it depends on. `annotations`: the segments it depends on. `outputs`: the files a
    complete one has, and later stages read. `valuable`: those of a training, which are not discarded
    without --force. `part`: the file it leaves of each VIDEO, and makes again only where it is not current. `who`
    does the work where several processes share a run. `alone`: not among the stages that `tada-loc run`
    does in order.
    """

    name: str
    command: str
    folder: str
    run: str
    reads: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    annotations: Literal["training", "evaluation"] | None = None
    outputs: tuple[str, ...] = ()
    valuable: tuple[str, ...] = ()
    part: str = ""
    who: Literal["all", "main"] = "all"
    alone: bool = False

    @property
    def joint(self) -> bool:
        """Whether any number of processes may work at it together: it is made video by video."""
        return bool(self.part) and not self.alone

    def part_of(self, video: str) -> str:
        """The file of a video, below the stage's folder."""
        return self.part.replace("VIDEO", video)


TRAINED = ("model.pt", "checkpoint.pt")
# Keys of `finetune` that `eval-classifier` depends on, though the section is not among its settings: they make its views.
VIEWED = ("fps", "frames", "interval", "sampling", "short_segments")
STAGES = (
    StageRow(
        name="finetune",
        command="finetune",
        folder="finetune",
        run="pipeline.stages.finetune:run",
        settings=("dataset", "backbone", "finetune"),
        annotations="training",
        outputs=("model.pt",),
        valuable=TRAINED,
    ),
    StageRow(
        name="extract",
        command="extract",
        folder="extract",
        run="pipeline.stages.extract:run",
        reads=("finetune",),
        settings=("extract",),
        part="features/VIDEO.h5",
    ),
    StageRow(
        name="bmn",
        command="bmn",
        folder="bmn",
        run="pipeline.stages.heads.bmn:run",
        reads=("extract",),
        settings=("dataset", "bmn"),
        annotations="training",
        outputs=("model.pt",),
        valuable=TRAINED,
    ),
    StageRow(
        name="proposals",
        command="bmn",
        folder="bmn/proposals",
        run="pipeline.stages.heads.proposals:run",
        reads=("extract", "bmn"),
        settings=("proposals",),
        outputs=("proposals.csv",),
        part="videos/VIDEO.csv",
    ),
    StageRow(
        name="actionformer",
        command="detect",
        folder="actionformer",
        run="pipeline.stages.heads.actionformer:run",
        reads=("extract",),
        settings=("dataset", "actionformer"),
        annotations="training",
        outputs=("model.pt",),
        valuable=TRAINED,
    ),
    StageRow(
        name="segments",
        command="detect",
        folder="actionformer/proposals",
        run="pipeline.stages.heads.detections:propose",
        reads=("extract", "actionformer"),
        settings=("detections",),
        outputs=("proposals.csv",),
        part="videos/VIDEO.csv",
    ),
    StageRow(
        name="detections",
        command="detect",
        folder="actionformer/detections",
        run="pipeline.stages.heads.detections:detect",
        reads=("extract", "actionformer"),
        settings=("detections",),
        outputs=("proposals.csv", "detections.csv"),
        part="videos/VIDEO.csv",
    ),
    StageRow(
        name="classify",
        command="classify",
        folder="classify",
        run="pipeline.stages.classify:run",
        reads=("finetune", "extract", "bmn/proposals"),
        settings=("classify",),
        outputs=("detections.csv",),
        part="videos/VIDEO.npz",
        who="main",
    ),
    StageRow(
        name="eval",
        command="eval",
        folder="eval",
        run="pipeline.stages.evaluate:run",
        reads=("bmn/proposals", "classify"),
        settings=("eval",),
        annotations="evaluation",
        outputs=("results.json",),
        who="main",
    ),
    StageRow(
        name="eval-classifier",
        command="eval-classifier",
        folder="eval-classifier",
        run="pipeline.stages.eval_classifier:run",
        reads=("finetune",),
        settings=("dataset", "views"),
        annotations="evaluation",
        outputs=("results.json",),
        who="main",
        alone=True,
    ),
    StageRow(
        name="import-features",
        command="import-features",
        folder="extract",
        run="pipeline.stages.import_features:run",
        part="features/VIDEO.h5",
        who="main",
        alone=True,
    ),
)


def row(name: str) -> StageRow:
    """The row of a stage."""
    return next(stage for stage in STAGES if stage.name == name)


def maker(folder: str) -> StageRow:
    """The stage of `tada-loc run` that makes a folder."""
    return next(stage for stage in STAGES if stage.folder == folder and not stage.alone)


def of_commands(*commands: str) -> tuple[StageRow, ...]:
    """The stages that some commands do, in order."""
    return tuple(stage for stage in STAGES if stage.command in commands)
