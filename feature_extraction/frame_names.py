"""How still frames are named: a pattern such as img_%05d.jpg, found in the names of a folder or given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Endings of pictures, and the name of their format in PIL.
PICTURES: Mapping[str, str] = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".webp": "WEBP",
    ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM",
}  # fmt: skip
_ENDINGS = "|".join(ending[1:] for ending in PICTURES)
# Text, the last number of the name, and what follows it.
_NUMBERED = re.compile(rf"(.*[^0-9]|)([0-9]+)([^0-9.]*\.(?:{_ENDINGS}))", re.IGNORECASE | re.DOTALL)
_PARTS = re.compile(r"%%|%(?:0([1-9][0-9]?))?d|[^%]+|%", re.DOTALL)  # of a pattern

_LIKE = "write it as ffmpeg does: img_%05d.jpg (five digits), %d.png (as many as it takes)"
# What file managers leave behind.
_LEFT_BEHIND = frozenset({"Thumbs.db", "thumbs.db", "desktop.ini", "Desktop.ini"})


@dataclass(frozen=True)
class FramePattern:
    """Names of frames: text, a number of at least `width` digits, and what follows, the ending included."""

    before: str
    width: int
    after: str

    def __str__(self) -> str:
        """As ffmpeg writes it: img_%05d.jpg."""
        number = "%d" if self.width == 1 else f"%0{self.width}d"
        before, after = (text.replace("%", "%%") for text in (self.before, self.after))
        return before + number + after

    def name(self, number: int) -> str:
        """The name of a frame."""
        return f"{self.before}{number:0{self.width}d}{self.after}"

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The numbers of those names that are of this pattern, ascending."""
        start, end = len(self.before), -len(self.after)
        found = []
        for name in names:
            if name.startswith(self.before) and name.endswith(self.after):
                digits = name[start:end]
                if digits.isascii() and digits.isdigit() and self.name(int(digits)) == name:
                    found.append(int(digits))
        return sorted(found)


@dataclass(frozen=True)
class FrameSet:
    """The frames of one pattern in a folder: their numbers, ascending; a range where none is missing."""

    pattern: FramePattern
    numbers: Sequence[int]

    @property
    def missing(self) -> int:
        """How many numbers are missing between the first and the last."""
        return self.numbers[-1] - self.numbers[0] + 1 - len(self.numbers)

    @property
    def first_missing(self) -> str:
        """The name of the first frame that is missing."""
        known = enumerate(self.numbers, self.numbers[0])
        return self.pattern.name(next(n for n, there in known if n != there))


def parse_pattern(text: str) -> FramePattern:
    """A pattern as ffmpeg writes it, `img_%05d.jpg`. Raises ValueError that says what is wrong."""
    sides: list[str] = [""]
    widths: list[int] = []
    for part in _PARTS.finditer(text):
        if part[0] == "%":
            widths.clear()
            break
        if part[0] != "%%" and part[0][0] == "%":
            widths.append(int(part[1] or 1))
            sides.append("")
        else:
            sides[-1] += part[0].replace("%%", "%")
    if len(widths) != 1:
        raise ValueError(f"{text!r} is not a pattern of names with one number; {_LIKE}")
    if "/" in text or "\\" in text:
        raise ValueError(
            f"{text!r} names a folder; give only the pattern of the names: the folder that contains "
            "the frames has the name of the video"
        )
    before, after = sides
    if not after.lower().endswith(tuple(PICTURES)):
        raise ValueError(f"{text!r} has no image file extension ({' '.join(PICTURES)}); {_LIKE}")
    if before[-1:].isdigit() or after[:1].isdigit():
        raise ValueError(f"{text!r}: a digit is next to the number; {_LIKE}")
    return FramePattern(before, widths[0], after)


def is_numbered_picture(name: str) -> bool:
    """Whether a file's name is that of a picture with a number, as frames have."""
    return not name.startswith(".") and _NUMBERED.fullmatch(name) is not None


def frame_sets(names: Iterable[str]) -> tuple[list[FrameSet], list[str]]:
    """The sets of numbered pictures among the names of a folder, the largest first, and the other names.

    Hidden files (`._img_00001.jpg`) and what file managers leave (Thumbs.db) count as nothing.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    others: list[str] = []
    before, after, digits_of = "\0", "\0", [""]
    for name in names:
        # most names are like the one before: no need to take them apart
        if name.startswith(before) and name.endswith(after):
            digits = name[len(before) : -len(after)]
            if digits.isascii() and digits.isdigit():
                digits_of.append(digits)
                continue
        if name.startswith(".") or name in _LEFT_BEHIND:
            continue
        if (found := _NUMBERED.fullmatch(name)) is None:
            others.append(name)
            continue
        before, digits, after = found.groups()
        digits_of = groups.setdefault((before, after), [])
        digits_of.append(digits)
    sets = [
        one for (before, after), digits in groups.items() for one in _sets(before, digits, after)
    ]
    return sorted(sets, key=lambda one: (-len(one.numbers), str(one.pattern))), others


def _sets(before: str, digits: list[str], after: str) -> list[FrameSet]:
    """Numbers that differ in nothing but how many leading zeros they have."""
    lengths = {len(text) for text in digits}
    padded = {len(text) for text in digits if text[0] == "0" and len(text) > 1}
    if len(lengths) == 1:
        return [_set(before, lengths.pop(), after, digits)]
    if not padded or (len(padded) == 1 and min(lengths) >= min(padded)):
        return [_set(before, min(padded, default=1), after, digits)]
    sets = [
        _set(before, width, after, [text for text in digits if len(text) == width])
        for width in sorted(padded)
    ]
    rest = [text for text in digits if len(text) not in padded]
    return [*sets, _set(before, 1, after, rest)] if rest else sets


def _set(before: str, width: int, after: str, digits: list[str]) -> FrameSet:
    return FrameSet(FramePattern(before, width, after), compact(sorted(map(int, digits))))


def compact(numbers: list[int]) -> Sequence[int]:
    """Ascending numbers, as a range where none is missing: folders hold hundred thousands of frames."""
    whole = bool(numbers) and numbers[-1] - numbers[0] + 1 == len(numbers)
    return range(numbers[0], numbers[-1] + 1) if whole else tuple(numbers)
