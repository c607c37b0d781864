"""Which stages run again after another value of a key: it follows from THE table of stages."""

from __future__ import annotations

from pipeline.runs.graph import STAGES, VIEWED, StageRow, row
from pipeline.runs.ways import HEADS
from pipeline.tools.config.facts import KeyFacts

# Where what a key selects goes in, which is compared by content. The stages that depend on segments are in the table.
_SELECTING = {
    "videos": ("finetune", "extract"),
    "initial weights": ("finetune",),
    "class scores": ("classify",),
}
# What follows only sometimes.
_BESIDES = {
    "eval.ignore_labels": "If segments have such a label, the trainings on them run again too.",
    "finetune.seed": "With `dataset.hold_out` it also draws the videos that the head is not trained on.",
}
_HEADS = {name for names in HEADS.values() for name in names}


def first_stages(facts: KeyFacts) -> tuple[str, ...]:
    """The stages whose own inputs a key is among, in order; none where nothing runs again."""
    if facts.changes:
        section = facts.key.partition(".")[0]
        return tuple(
            stage.name
            for stage in STAGES
            if section in stage.settings
            or (
                stage.name == "eval-classifier"
                and facts.section == "finetune"
                and facts.name in VIEWED
            )
        )
    if facts.selects == "segments":
        return tuple(stage.name for stage in STAGES if stage.annotations)
    return _SELECTING.get(facts.selects, ())


def following(stages: tuple[str, ...]) -> tuple[str, ...]:
    """The stages that read what some stages leave, and so on; in order, without those that are asked for alone."""
    made = {name: row(name) for name in stages}
    for stage in STAGES:
        if (
            not stage.alone
            and stage.name not in made
            and any(_feeds(one, stage) for one in made.values())
        ):
            made[stage.name] = stage
    return tuple(stage.name for stage in STAGES if stage.name in made and stage.name not in stages)


def effect(facts: KeyFacts) -> str:
    """What another value of a key leads to, in sentences."""
    first = first_stages(facts)
    if facts.key == "detector.name":
        return "Changes results: the stages of the other head are done, and evaluated. What the first one made stays."
    if facts.changes:
        return " ".join(["Changes results.", _again(first), *_besides(facts)])
    if facts.selects:
        return (
            f"The value itself changes no result. The {facts.selects} that it selects are compared by content: "
            f"if they are others, {_begin(first)}."
        )
    return "Changes no result: nothing runs again."


def _again(first: tuple[str, ...]) -> str:
    after = _names(following(first))
    said = f"Run again: {_names(first)}" + (f", then {after}." if after else ".")
    if any(row(name).valuable for name in first):
        said += " A finished training is kept until `--force` is given."
    return said


def _besides(facts: KeyFacts) -> list[str]:
    return [_BESIDES[facts.key]] if facts.key in _BESIDES else []


def _names(stages: tuple[str, ...]) -> str:
    """Stages in one line; a run has those of one head."""
    names = list(stages)
    if {"bmn", "actionformer"} <= set(names):
        place = min(names.index("bmn"), names.index("actionformer"))
        names = [name for name in names if name not in _HEADS]
        names.insert(place, "the head")
    elif {"segments", "detections"} <= set(names):
        names.remove("segments")
        names[names.index("detections")] = "segments or detections"
    return ", ".join(names)


def _begin(first: tuple[str, ...]) -> str:
    return f"{_names(first)} and the stages after {'it' if len(first) == 1 else 'them'} run again"


def _feeds(stage: StageRow, other: StageRow) -> bool:
    """Whether a stage leaves what another reads; the table has the folders of BMN's run, and either head may take their place."""
    stands_for = {
        row("proposals").folder: "proposals.csv",
        row("classify").folder: "detections.csv",
    }
    if stands_for.get(other.folder, "") in stage.outputs:
        return False  # it takes the other's place
    return any(
        folder == stage.folder or stands_for.get(folder, "") in stage.outputs
        for folder in other.reads
    )
