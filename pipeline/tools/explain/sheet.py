"""The sheet: of each moment some frames in a row, and below them the same with each class's map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.printing import printable
from pipeline.run_folder.files import atomic_path
from pipeline.tools.explain.colours import legend, painted, scales_of
from pipeline.tools.explain.looking import Explained
from pipeline.tools.explain.targets import Target
from pipeline.writers.overlay.fonts import fitted, font_for

COLUMNS = 8
_TILE = 150  # pixels per frame's height or width at most
_LEFT, _GAP, _TEXT = 150, 6, 13
_INK, _FAINT, _PAPER = (20, 20, 20), (110, 110, 110), (255, 255, 255)


def write_sheet(path: Path, title: str, explained: Sequence[Explained]) -> None:
    """Write the PNG of a video's moments under its title. Raises UserError if it cannot be written."""
    blocks = [_block(number, one) for number, one in enumerate(explained, start=1)]
    width = max(block.width for block in blocks)
    head = 3 * _TEXT
    sheet = Image.new("RGB", (width, head + sum(block.height for block in blocks)), _PAPER)
    _text(ImageDraw.Draw(sheet), (_GAP, head // 2), title, width - 2 * _GAP, _TEXT + 3)
    top = head
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    with atomic_path(path) as temporary:
        sheet.save(temporary, "PNG")


def headline(number: int, one: Explained) -> str:
    """What a moment is: its number, class, score and time."""
    moment = one.moment
    score = "" if moment.score is None else f", score {moment.score:.3f}"
    when = (
        f"{moment.start:.2f} to {moment.end:.2f} s"
        if moment.end > moment.start
        else f"at {moment.start:.2f} s"
    )
    return f"{number}. {moment.name}{score}, {when}"


def row_title(target: Target) -> str:
    """The text beside a class's row."""
    return f"against {target.name}" if target.against else target.name


def columns_of(one: Explained, count: int = COLUMNS) -> np.ndarray:
    """The numbers of frames that a row shows: evenly spread over the moment's."""
    shown = min(count, len(one.times))
    places: np.ndarray = np.unique(np.linspace(0, len(one.times) - 1, shown).round().astype(int))
    return places


def _block(number: int, one: Explained) -> Image.Image:
    """A moment: its headline, a row of frames, a row per class, the times."""
    height, width = one.frames.shape[1:3]
    zoom = _TILE / max(height, width)
    tile = max(1, round(width * zoom)), max(1, round(height * zoom))
    columns, scales = columns_of(one), scales_of(one)
    rows = 1 + len(one.moment.targets)
    line = 2 * _TEXT
    size = (
        _LEFT + len(columns) * (tile[0] + _GAP) + _GAP,
        line + rows * (tile[1] + _GAP) + 2 * line,
    )
    block = Image.new("RGB", (max(size[0], 640), size[1]), _PAPER)
    draw = ImageDraw.Draw(block)
    _text(draw, (_GAP, line // 2), headline(number, one), block.width - 2 * _GAP, _TEXT + 1)
    for place, column in enumerate(columns):
        left, frame = _LEFT + place * (tile[0] + _GAP), one.frames[column]
        block.paste(_resized(frame, tile), (left, line))
        for row, maps in enumerate(one.maps, start=1):
            picture = painted(np.asarray(_resized(frame, tile)), maps[column], scales[row - 1])
            block.paste(Image.fromarray(picture), (left, line + row * (tile[1] + _GAP)))
        text = f"{one.times[column]:.2f} s"
        _text(draw, (left, line + rows * (tile[1] + _GAP) + line // 2), text, tile[0], _TEXT)
    _row_titles(draw, one, line, tile[1])
    block.paste(Image.fromarray(legend(_LEFT - 60, 10)), (_GAP + 14, size[1] - 2 * line + 8))
    _text(draw, (_GAP, size[1] - 2 * line + 13), "0", 12, _TEXT - 2, _FAINT)
    _text(draw, (_LEFT - 40, size[1] - 2 * line + 13), "most", 40, _TEXT - 2, _FAINT)
    return block


def _row_titles(draw: ImageDraw.ImageDraw, one: Explained, top: int, height: int) -> None:
    room = _LEFT - 2 * _GAP
    _text(draw, (_GAP, top + height // 2), "frames", room, _TEXT, _FAINT)
    for row, target in enumerate(one.moment.targets):
        middle = top + (row + 1) * (height + _GAP) + height // 2
        _text(draw, (_GAP, middle - _TEXT // 2 - 2), row_title(target), room, _TEXT)
        text = f"probability {one.probability[row]:.2f}"
        _text(draw, (_GAP, middle + _TEXT // 2 + 4), text, room, _TEXT - 2, _FAINT)


def _resized(frame: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)


def _text(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    room: int,
    size: int,
    ink: tuple[int, int, int] = _INK,
) -> None:
    """A line of text that begins at a place and is centred on its height."""
    shown = printable(text)
    font = font_for(shown, size)
    draw.text(place, fitted(shown, font, room), ink, font, anchor="lm")
