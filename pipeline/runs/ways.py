"""How a run comes by features, segments and classes, and what its stages read and in which order they come for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.configuration.settings import Config
from pipeline.runs.graph import STAGES, StageRow, maker, row

# The stages of each head, in order. What ActionFormer finds has classes (`detections`) or none (`segments`).
HEADS: Mapping[str, tuple[str, ...]] = {
    "bmn": ("bmn", "proposals"),
    "actionformer": ("actionformer", "segments"),
    "actionformer with classes": ("actionformer", "detections"),
}


@dataclass(frozen=True)
class Ways:
    """How a run comes by its features and its classes, which decides what its stages read.

    `imported`: the features were made elsewhere. `head_on_features`: the classifier is trained on them.
    `given_scores`: a file names the classes, and no classifier does. `head`: which of HEADS finds the actions.
    """

    imported: bool = False
    head_on_features: bool = False
    given_scores: bool = False
    head: str = "bmn"

    @property
    def own_classes(self) -> bool:
        """Whether the head names the classes of what it finds, and `classify` is not a stage of the run."""
        return "detections" in HEADS[self.head]

    @property
    def training(self) -> str:
        """The stage that trains the head."""
        return HEADS[self.head][0]

    @property
    def proposing(self) -> str:
        """The stage that leaves proposals.csv, whose recall is measured."""
        return HEADS[self.head][1]

    @property
    def detecting(self) -> str:
        """The stage that leaves detections.csv."""
        return "detections" if self.own_classes else "classify"


USUAL = Ways()


def ways_of(config: Config, *, imported: bool) -> Ways:
    """The ways of a run with this configuration."""
    classify = config.classify
    given = classify is not None and classify.scores is not None
    own = config.names_own_classes
    head = "actionformer with classes" if own else config.detector.name
    return Ways(imported, config.finetune.source == "features", given and not own, head)


def reads_of(stage: StageRow, ways: Ways = USUAL) -> tuple[str, ...]:
    """The folders per stage reads in a run of these ways."""
    found = row(ways.proposing).folder
    if stage.name == "extract" and ways.imported:
        return ()
    if stage.name == "finetune" and ways.imported and ways.head_on_features:
        return ("extract",)
    if stage.name == "classify" and ways.given_scores:
        return (found,)
    # The table has the folders of BMN's run.
    theirs = {row("proposals").folder: found, row("classify").folder: row(ways.detecting).folder}
    return tuple(dict.fromkeys(theirs.get(folder, folder) for folder in stage.reads))


def in_order(ways: Ways = USUAL) -> tuple[StageRow, ...]:
    """The stages of a run of these ways, each after what it reads; as `tada-loc run` does them.

    Without a classifier where nothing reads one.
    """
    waiting = [stage for stage in STAGES if not stage.alone and stage.name not in _left_to(ways)]
    done: list[StageRow] = []
    while waiting:
        made = {stage.folder for stage in done}
        following = next(stage for stage in waiting if made.issuperset(reads_of(stage, ways)))
        waiting.remove(following)
        done.append(following)
    return tuple(done)


def _left_to(ways: Ways) -> set[str]:
    """The stages that are none of a run of these ways."""
    needless = ways.imported and (ways.given_scores or ways.own_classes)
    return of_other_heads(ways) | ({"finetune"} if needless else set())


def of_other_heads(ways: Ways) -> set[str]:
    """The stages that only runs with another head than that of these ways have."""
    others = {name for stages in HEADS.values() for name in stages} - set(HEADS[ways.head])
    return others | ({"classify"} if ways.own_classes else set())


def of_head(ways: Ways) -> tuple[StageRow, ...]:
    """The stages of the head of a run of these ways, in order."""
    return tuple(map(row, HEADS[ways.head]))


def needed_by(stages: Sequence[StageRow], ways: Ways = USUAL) -> tuple[StageRow, ...]:
    """The stages that some stages read in a run of these ways, directly or not, in order, without themselves."""
    found: set[str] = set()
    waiting = [source for stage in stages for source in reads_of(stage, ways)]
    while waiting:
        stage = maker(waiting.pop())
        if stage.name not in found:
            found.add(stage.name)
            waiting += reads_of(stage, ways)
    own = {stage.name for stage in stages}
    return tuple(stage for stage in in_order(ways) if stage.name in found - own)
