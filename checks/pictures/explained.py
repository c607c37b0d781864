"""The picture of docs/how-to/explain.md, of the best detection of a class in a finished demo."""

import io
import tempfile
from pathlib import Path

from PIL import Image

from pipeline.prediction.choosing import Choice
from pipeline.tools.explain.running import PLOT, SHEET, Request, explain

VIDEO, LABEL, AGAINST = "validation_004", "shrink", "grow"  # as the document says
WIDTH, COLOURS = 900, (176, 80)  # pixels across, and colours of both parts: some 100 KB


def take_picture(run: Path) -> bytes:
    """The sheet and the plot of the best detection of LABEL as one picture, a PNG."""
    with tempfile.TemporaryDirectory() as place:
        choice = Choice(top=1, classes=(LABEL,))
        asked = Request(run, VIDEO, choice, against=(AGAINST,), folder=Path(place))
        folder = explain(asked).folder
        parts = [_scaled(Image.open(folder / name).convert("RGB")) for name in (SHEET, PLOT)]
    whole = Image.new("RGB", (WIDTH, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    buffer = io.BytesIO()
    whole.quantize(palette=_palette(parts), dither=Image.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()


def _palette(parts: list[Image.Image]) -> Image.Image:
    """The colours of both parts, so that the lines of the plot keep theirs."""
    colours: list[int] = []
    methods = Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE  # shades, and lines
    for part, count, method in zip(parts, COLOURS, methods, strict=True):
        colours += (part.quantize(count, method).getpalette() or [])[: 3 * count]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours)
    return palette


def _scaled(picture: Image.Image) -> Image.Image:
    height = round(picture.height * WIDTH / picture.width)
    return picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
