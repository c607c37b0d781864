"""Changes of videos that are folders of frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from truth import footage
from truth.change import Change
from truth.world import FRAMES, T0, TRAIN, V0, VAL, World

OTHER = "flow_x_%05d.jpg"


def _on(video: str, act: Callable[[Path], object]) -> Callable[[World], object]:
    return lambda world: act(world.videos / video)


def _renamed(folder: Path) -> None:
    footage.renumber(folder, "frame_%010d.jpg", 1)


def _from_0(folder: Path) -> None:
    footage.renumber(folder, "%d.jpeg", 0)


def _left_behind(folder: Path) -> None:
    for name in ("Thumbs.db", ".DS_Store", "._img_00001.jpg", "notes.txt"):
        (folder / name).write_bytes(b"x")


def _without_the_last(folder: Path) -> None:
    max(folder.iterdir()).unlink()


def _with_a_gap(folder: Path) -> None:
    (folder / (FRAMES % 7)).unlink()


def _first_redrawn(folder: Path) -> None:
    Image.new("RGB", (48, 36), "red").save(folder / (FRAMES % 1))


def _second_set(folder: Path) -> None:
    """As many frames of other names: mirrored in the first validation video, the same elsewhere."""
    for path in sorted(folder.glob("img_*.jpg")):
        with Image.open(path) as picture:
            other = ImageOps.mirror(picture) if folder.name == V0 else picture
            other.save(folder / path.name.replace("img_", "flow_x_"), quality=95)


def _copied_set(folder: Path) -> None:
    for path in sorted(folder.glob("img_*.jpg")):
        (folder / path.name.replace("img_", "flow_x_")).write_bytes(path.read_bytes())


def _everywhere(
    settings: Mapping[str, str], act: Callable[[Path], object] | None = None
) -> Callable[[World], object]:
    def apply(world: World) -> None:
        world.settings.update(settings)
        for video in (*TRAIN, *VAL) if act is not None else ():
            (act if video != V0 else _second_set)(world.videos / video)  # type: ignore[misc]

    return apply


IS_OTHER: dict[str, Any] = {
    "first": ("extract",),
    "videos": (V0,),
    "says": (V0,),
    "must_differ": True,
}
STOPS: dict[str, Any] = {"outcome": "stops", "first": ("finetune",), "says": (T0,)}
CHANGES = [
    Change(f"frames: {name}", apply, base="frames", **more)
    for name, apply, more in (
        ("a training video renamed and counted from 0", _on(T0, _from_0), {"videos": ()}),
        ("a validation video renamed", _on(V0, _renamed), {"videos": ()}),
        ("other files beside them", _on(T0, _left_behind), {"videos": ()}),
        ("the last of a validation video gone", _on(V0, _without_the_last), IS_OTHER),
        (
            "the last of a training video gone",
            _on(T0, _without_the_last),
            {**STOPS, "may": ("extract",)},
        ),
        ("the first of a validation video redrawn", _on(V0, _first_redrawn), IS_OTHER),
        ("one in the middle gone", _on(V0, _with_a_gap), {"outcome": "refused", "says": (V0,)}),
        ("a second set", _on(V0, _second_set), {"outcome": "refused", "says": (V0, OTHER)}),
        ("the pattern said", _everywhere({"dataset.frames": FRAMES}), {"videos": ()}),
        (
            "a second set, and the first asked for",
            _everywhere({"dataset.frames": FRAMES}, _copied_set),
            {"videos": ()},
        ),
        (
            "a second set asked for that is another in one video",
            _everywhere({"dataset.frames": OTHER}, _copied_set),
            IS_OTHER,
        ),
        (
            "a pattern that is not there",
            _everywhere({"dataset.frames": "x_%d.jpg"}),
            {"outcome": "safe", "scratch": "base"},
        ),
        ("another rate", _everywhere({"dataset.frame_fps": "12"}), STOPS),
    )
]
