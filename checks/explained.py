"""The picture of docs/how-to/explain.md from a finished demo: `python -m checks.explained [RUN_DIR]`. Look at it before it lands."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from pipeline.prediction.choosing import Choice
from pipeline.run_folder.manifests import read_manifest
from pipeline.tools.explain.running import PLOT, SHEET, Request, explain

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "explain.png"
DEMO = Path("runs/demo/tada2d")
VIDEO, AGAINST = "validation_004", "grow"
WIDTH, COLOURS = 900, (176, 80)  # pixels across, and colours of both parts: some 100 KB


def take_picture(run: Path, picture: Path) -> int:
    """Write the sheet and the plot of a demo's best detection as one picture; gives its bytes."""
    with tempfile.TemporaryDirectory() as place:
        choice = Choice(top=1)
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
    picture.write_bytes(buffer.getvalue())
    return len(buffer.getvalue())


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


def main(arguments: list[str]) -> int:
    """Take the picture; without a finished demo it stays as it is, which is reported."""
    run = Path(arguments[0]) if arguments else DEMO
    manifest = read_manifest(run / "classify")
    if manifest is None or not manifest.complete:
        print(f"checks.explained: no finished demo in {run}; {PICTURE.name} stays as it is")
        return 0
    print(f"checks.explained: {PICTURE}, {take_picture(run, PICTURE)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
