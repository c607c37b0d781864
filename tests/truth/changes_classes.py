"""Changes of what names classes: a file of class scores, and a linear classifier on imported features."""

from __future__ import annotations

from collections.abc import Callable

from truth.change import Change
from truth.changes_table import CHANGES as OF_TABLE
from truth.world import V0, World, write_scores

SCORES = "scores.csv"


def _scores(edit: Callable[[list[str]], list[str]]) -> Callable[[World], object]:
    """The file of class scores with other lines."""

    def apply(world: World) -> None:
        path = world.data / SCORES
        path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")

    return apply


def _key(name: str, value: str) -> Callable[[World], object]:
    return lambda world: world.settings.update({name: value})


def _spelt_otherwise(lines: list[str]) -> list[str]:
    return [line.replace("slide left", "Slide_Left") for line in lines]


def _of_file(name: str, apply: Callable[[World], object], **more: object) -> Change:
    return Change(f"class scores: {name}", apply, base="scored", **more)  # type: ignore[arg-type]


def _linear(name: str, apply: Callable[[World], object], **more: object) -> Change:
    return Change(f"linear classifier: {name}", apply, base="linear", **more)  # type: ignore[arg-type]


def _table(name: str) -> Callable[[World], object]:
    return next(change.apply for change in OF_TABLE if change.name == f"table: {name}")


CHANGES = [
    _of_file(
        "another one of a video",
        lambda world: write_scores(world.data / SCORES, **{V0: "0.9"}),
        first=("classify",),
        videos=(V0,),
        says=(V0,),
        must_differ=True,
    ),
    _of_file("in another order", _scores(lambda lines: [lines[0], *lines[:0:-1]]), videos=()),
    _of_file("labels spelled differently", _scores(_spelt_otherwise), videos=()),
    _of_file("without the heading", _scores(lambda lines: lines[1:]), videos=()),
    _of_file(
        "a video without",
        _scores(lambda lines: [x for x in lines if V0 not in x]),
        outcome="refused",
    ),
    _of_file(
        "a class without",
        _scores(lambda lines: [x for x in lines if "grow" not in x]),
        outcome="refused",
    ),
    _of_file("damaged", _scores(lambda lines: ["{", *lines]), outcome="refused"),
    _of_file("deleted", lambda world: (world.data / SCORES).unlink(), outcome="refused"),
    _of_file("not asked for", _key("classify.scores", "null"), first=("classify",)),
    _of_file("one class of each", _key("classify.top", "1"), first=("classify",), must_differ=True),
    _of_file("a key of the classifier", _key("classify.positions", "3"), videos=()),
    _linear(
        "another dropout",
        _key("backbone.dropout", "0.5"),
        outcome="stops",
        first=("finetune",),
        says=("backbone.dropout",),
    ),
    _linear(
        "another seed",
        _key("finetune.seed", "3"),
        outcome="stops",
        first=("finetune",),
        says=("finetune.seed",),
    ),
    _linear("a key of clips", _key("finetune.crop", "24"), videos=()),
    _linear("a key of the network", _key("backbone.width", "8"), videos=()),
    _linear(
        "fewer positions", _key("classify.positions", "1"), first=("classify",), must_differ=True
    ),
    _linear(
        "a training time moved",
        _table("a training time moved"),
        outcome="stops",
        first=("finetune", "bmn"),
    ),
    _linear(
        "a validation label corrected", _table("a validation label corrected"), first=("eval",)
    ),
    _linear(
        "model.pt deleted",
        lambda world: (world.run / "finetune/model.pt").unlink(),
        outcome="trains",
        first=("finetune",),
        on_run=True,
    ),
]
