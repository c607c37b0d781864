"""CVAT's XML, for video 1.1 and for images 1.1: a track is a segment while it is there, tags while frames follow.

Frames count from 0 through the whole video. The box that ends a track is `outside` in the first frame without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from pipeline.data.annotations.foreign.found import Found
from pipeline.data.annotations.foreign.opening import OpenedFile, number
from pipeline.data.annotations.parts.names import is_media, plain_id
from pipeline.errors import UserError

_FRAME = re.compile(r"(\d+)(?:\.[A-Za-z]+)?$")
_SHAPES = frozenset(
    {"box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton"}
)


def recognises(file: OpenedFile) -> bool:
    """Whether a file is CVAT's XML."""
    root = file.xml
    return root is not None and root.tag == "annotations"


def read(file: OpenedFile) -> Found:
    """The segments of an export. Raises UserError naming track and value."""
    found, root = Found(file.path), file.xml
    if root is None or root.tag != "annotations":
        raise UserError(f"{file.path}: not CVAT XML (whose root is `annotations`)")
    tasks = _tasks(root)
    step = max([_step(task) for task in tasks] or [1])
    only = _source(tasks[0]) if len(tasks) == 1 else None
    by_id = {_text(task, "id"): _source(task) for task in tasks}
    for source in (source for source in by_id.values() if source):
        found.video(source)
    for track in root.iter("track"):
        where = f"{file.path}, track {track.get('id', '?')}"
        source = by_id.get(track.get("task_id", "")) or only or _own_name(found, tasks)
        video = found.video(source)
        for first, after in _visible(track, step, where):
            found.add_frames(video, first, after, track.get("label", ""), where)
    _images(found, root, only, tasks, step)
    return found


def _tasks(root: Element) -> list[Element]:
    """What the export says of its tasks: of one, of a job's or of those of a project."""
    meta = root.find("meta")
    if meta is None:
        return []
    found = [*meta.iterfind("task"), *meta.iterfind("job"), *meta.iterfind("project/tasks/task")]
    return found


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _source(task: Element) -> str | None:
    """The video of a task: its source, else its name where that names a video file."""
    source = _text(task, "source") or _text(task, "../source")
    if source:
        return source
    name = _text(task, "name")
    return name if is_media(name) else None


def _step(task: Element) -> int:
    """Frames from one annotated frame to the next (`step=5`)."""
    told = re.search(r"step\s*=\s*(\d{1,6})", _text(task, "frame_filter"))
    return max(int(told.group(1)), 1) if told else 1


def _own_name(found: Found, tasks: Iterable[Element]) -> str:
    """The annotation file's own name, where it names no video. Raises UserError if it has several."""
    if len(list(tasks)) > 1:
        raise UserError(f"{found.file}: a task names no source video; export each task alone")
    found.notes["files that name no video, matched to a video by file name"] = 1
    return Path(found.file).stem


def _visible(track: Element, step: int, where: str) -> Iterator[tuple[float, float]]:
    """The runs of frames in which a track is not outside."""
    shapes = [
        (number(shape.get("frame"), where), shape.get("outside") == "1")
        for shape in track
        if shape.tag in _SHAPES
    ]
    begun: float | None = None
    last = 0.0
    for frame, outside in sorted(shapes):
        if begun is not None and outside:
            yield begun, frame
            begun = None
        elif begun is None and not outside:
            begun = frame
        last = frame
    if begun is not None:
        yield begun, last + step


def _images(found: Found, root: Element, only: str | None, tasks: list[Element], step: int) -> None:
    """Tags of single frames (CVAT for images): frames that follow one another are a segment."""
    frames: dict[tuple[str, str], list[float]] = {}
    shapes = 0
    for image in root.iter("image"):
        where = f"{found.file}, image {image.get('name', image.get('id', '?'))}"
        shapes += sum(child.tag in _SHAPES for child in image)
        tags = [child.get("label", "") for child in image if child.tag == "tag"]
        if not tags:
            continue
        video = found.video(_folder_of(image) or only or _own_name(found, tasks))
        at = _FRAME.search(plain_id(image.get("name", "")))
        frame = number(at.group(1) if at else image.get("id"), where)
        for label in tags:
            frames.setdefault((video, label), []).append(frame)
    if shapes:
        found.notes["boxes and shapes of single frames, which are not segments, left out"] = shapes
    for (video, label), numbers in frames.items():
        for first, after in _runs(numbers, step):
            found.add_frames(video, first, after, label, f"{found.file}, tag {label}")


def _folder_of(image: Element) -> str | None:
    """The video of a frame in a folder of its own: v06/frame_000022.jpg."""
    folder = image.get("name", "").replace("\\", "/").rpartition("/")[0]
    return folder or None


def _runs(numbers: Iterable[float], step: int) -> Iterator[tuple[float, float]]:
    ordered = sorted(set(numbers))
    begun = before = ordered[0]
    for frame in ordered[1:]:
        if frame > before + step:
            yield begun, before + step
            begun = frame
        before = frame
    yield begun, before + step
