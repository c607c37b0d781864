"""Changes of the videos."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from truth import footage
from truth.change import Change
from truth.world import ROWS, T0, T1, V0, V1, World, remove, write_rows

Act = Callable[[Path], object]


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _copied(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def _prefix(path: Path) -> None:
    path.rename(path.with_name(f"v_{path.name}"))


def _deeper(path: Path) -> None:
    (path.parent / "deeper").mkdir()
    path.rename(path.parent / "deeper" / path.name)


# What leaves a video what it is.
HARMLESS: dict[str, Act] = {
    "touched": footage.touch,
    "copied": _copied,
    "v_ put before its name": _prefix,
    "moved into a folder below": _deeper,
    "linked": footage.link,
    "remuxed": lambda path: footage.remux(path, movflags="faststart"),
    "remuxed to mkv": lambda path: footage.remux(path, ".mkv"),
}
# A file of features names the bytes it was made of, and Matroska rounds the times of frames to
# milliseconds: these files would not be the same from scratch.
REMUXED = ("remuxed", "remuxed to mkv")
# What makes another video of it.
OTHER: dict[str, Act] = {
    "re-encoded": footage.reencode,
}
# What leaves nothing that could be decoded.
BROKEN: dict[str, Act] = {
    "truncated": footage.cut,
    "emptied": _empty,
}
GONE: dict[str, Act] = {
    "deleted": lambda path: path.unlink(),
    "a folder": _folder,
}


def _on(act: Act, video: str) -> Callable[[World], object]:
    return lambda world: act(world.video(video))


def _replaced(video: str) -> Callable[[World], object]:
    return lambda world: shutil.copy(world.spare, world.video(video))


def _shorter(video: str) -> Callable[[World], object]:
    """Its first seconds, all of its segments and nothing more."""
    return lambda world: footage.shorten(world.video(video), seconds=6.0)


def _too_short(video: str) -> Callable[[World], object]:
    return lambda world: footage.shorten(world.video(video), seconds=1.0)


def _allowed_too_short(video: str) -> Callable[[World], object]:
    def apply(world: World) -> None:
        _too_short(video)(world)
        world.settings["dataset.allow_beyond"] = "1"

    return apply


def _swapped(one: str, other: str) -> Callable[[World], object]:
    return lambda world: footage.swap(world.video(one), world.video(other))


def _moved(world: World) -> None:
    world.videos.rename(world.data / "elsewhere")
    world.settings["dataset.videos"] = str(world.data / "elsewhere")


def _addressed(world: World) -> None:
    world.settings["dataset.videos"] = f"file://{world.videos}"
    world.settings["dataset.cache"] = str(world.data / "cache")


def _linked_folder(world: World) -> None:
    world.videos.rename(world.data / "elsewhere")
    world.videos.symlink_to(world.data / "elsewhere")


def _added(name: str, rows: list[list[str]]) -> Callable[[World], object]:
    def apply(world: World) -> None:
        shutil.copy(world.spare, world.video(name))
        write_rows(world.table, ROWS + rows)

    return apply


def _broken_rows(world: World) -> None:
    world.video("validation_009").write_bytes(b"no video")
    write_rows(world.table, [*ROWS, ["validation_009", "1", "2", "grow", "validation"]])


def _no_folder(world: World) -> None:
    remove(world.videos)


NEW_VAL = [["validation_009", "1.000", "3.500", "grow", "validation"]]
NEW_TRAIN = [["training_009", "1.000", "3.500", "grow", "training"]]
STOP = {"outcome": "stops", "first": ("finetune",)}
TAKEN = ("extract",)

CHANGES: list[Change] = []
for _video, _kind in ((V0, "validation"), (T0, "training")):
    _is_other = (
        {"first": ("extract",), "videos": (V0,), "says": (V0,)}
        if _kind == "validation"
        else {**STOP, "says": (T0,)}
    )
    for _what, _act in HARMLESS.items():
        _kept = "base" if _what in REMUXED else "now"
        CHANGES.append(
            Change(f"{_kind} video {_what}", _on(_act, _video), videos=(), scratch=_kept)
        )
    for _what, _act in OTHER.items():
        CHANGES.append(
            Change(f"{_kind} video {_what}", _on(_act, _video), must_differ=True, **_is_other)
        )
    CHANGES.append(
        Change(f"{_kind} video replaced", _replaced(_video), must_differ=True, **_is_other)
    )
    CHANGES.append(
        Change(f"{_kind} video shortened", _shorter(_video), must_differ=True, **_is_other)
    )
    CHANGES.append(
        Change(
            f"{_kind} video shorter than its segments",
            _too_short(_video),
            "refused",
            says=(_video,),
        )
    )
    for _what, _act in BROKEN.items():
        CHANGES.append(
            Change(f"{_kind} video {_what}", _on(_act, _video), "refused", says=(_video,))
        )
    for _what, _act in GONE.items():
        CHANGES.append(
            Change(f"{_kind} video {_what}", _on(_act, _video), videos=(), scratch="base")
        )
CHANGES += [
    Change(
        "validation video with a bit changed",
        _on(footage.flip_bit, V0),
        first=("extract",),
        videos=(V0,),
        says=(V0,),
    ),
    Change("training video with a bit changed", _on(footage.flip_bit, T1), **STOP, says=(T1,)),
    Change(
        "two validation videos swapped",
        _swapped(V0, V1),
        first=("extract",),
        videos=(V0, V1),
        says=(V0,),
        must_differ=True,
    ),
    Change(
        "validation video shorter than its segments, allowed",
        _allowed_too_short(V0),
        first=("extract",),
        videos=(V0,),
        says=(V0,),
        must_differ=True,
    ),
    Change("two training videos swapped", _swapped(T0, T1), **STOP, says=(T0, T1)),
    Change("a training and a validation video swapped", _swapped(T0, V0), **STOP, says=(T0,)),
    Change("folder of videos moved", _moved, videos=()),
    Change("folder of videos with an address", _addressed, videos=()),
    Change("folder of videos linked", _linked_folder, videos=()),
    Change("folder of videos gone", _no_folder, "safe", scratch="base"),
    Change(
        "new validation video",
        _added("validation_009", NEW_VAL),
        first=("extract", "proposals", "classify", "eval"),
        videos=("validation_009",),
        says=("validation_009",),
        must_differ=True,
    ),
    Change(
        "new training video",
        _added("training_009", NEW_TRAIN),
        **STOP,
        says=("training_009",),
        must_differ=True,
    ),
    Change("new video without rows", _added("validation_009", []), videos=()),
    Change(
        "new validation video that is broken", _broken_rows, "refused", says=("validation_009",)
    ),
    Change(
        "the same name twice",
        lambda world: shutil.copy(world.video(V0), world.videos / f"{V0}.mkv"),
        "refused",
        says=(V0,),
    ),
]
