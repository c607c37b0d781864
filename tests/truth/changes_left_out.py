"""Videos that the user leaves out, or that cannot be used and are allowed to fail."""

from __future__ import annotations

from collections.abc import Callable

from truth.change import Change
from truth.changes_table import SAME
from truth.world import ROWS, T0, V0, World, write_rows

BROKEN = "validation_009"
ROW = [BROKEN, "1.000", "3.500", "grow", "validation"]


def _skip(*videos: str) -> Callable[[World], object]:
    def apply(world: World) -> None:
        path = world.data / "skip.txt"
        path.write_text("".join(f"{video}\n" for video in videos))
        world.settings["runtime.skip"] = str(path)

    return apply


def _allowed(number: int) -> Callable[[World], object]:
    def apply(world: World) -> None:
        world.settings["runtime.allow_failures"] = str(number)

    return apply


def _broken(world: World) -> None:
    """A new video that cannot be read, and is allowed to fail."""
    world.video(BROKEN).write_bytes(b"no video")
    write_rows(world.table, [*ROWS, ROW])
    _allowed(1)(world)


def _not_there(world: World) -> None:
    write_rows(world.table, [*ROWS, ROW])
    _allowed(1)(world)


def _broken_and_skipped(world: World) -> None:
    world.video(BROKEN).write_bytes(b"no video")
    write_rows(world.table, [*ROWS, ROW])
    _skip(BROKEN)(world)


TABLES = ("proposals", "classify", "eval")
CHANGES = [
    Change(
        "a validation video skipped",
        _skip(V0),
        first=TABLES,
        videos=(),
        says=(V0,),
        must_differ=True,
    ),
    Change(
        "a training video skipped",
        _skip(T0),
        "stops",
        first=("finetune",),
        says=(T0,),
        must_differ=True,
    ),
    Change("both kinds skipped", _skip(T0, V0), "stops", first=("finetune",), says=(T0,)),
    Change("an unknown video skipped", _skip("nobody"), videos=()),
    Change(
        "a validation video skipped where the epoch is chosen by it",
        _skip(V0),
        "stops",
        first=("finetune",),
        may=("bmn", *TABLES),
        says=(V0,),
        base="best",
    ),
    Change("failures allowed where there are none", _allowed(3), videos=()),
    Change(
        "a new validation video that is broken, allowed",
        _broken,
        first=("eval",),
        may=(*TABLES, "extract"),
        videos=(),
    ),
    Change(
        "a new validation video that is not there, allowed",
        _not_there,
        first=("eval",),
        may=(*TABLES, "extract"),
        videos=(),
    ),
    Change(
        "a new validation video that is broken, skipped",
        _broken_and_skipped,
        first=("eval",),
        may=TABLES,
        videos=(),
    ),
    Change(
        "rows mixed, and failures allowed",
        lambda world: (SAME["rows mixed"](world), _allowed(1)(world)),
        videos=(),
    ),
]
