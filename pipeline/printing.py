"""Text on its way to a terminal: what names and files contain cannot control it."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text in one line: line ends and all that is not printable (ESC, bidi marks) as Python writes it, `\x1b`."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def printable_lines(text: str) -> str:
    """As `printable`, but for the line ends: of text whose lines we have put together, of printable fields."""
    return "\n".join(map(printable, text.split("\n")))


def percent(share: float) -> str:
    """A share of one in percent, with two digits, never as a power of ten."""
    value = 100 * share
    return f"{value:.0f}" if value >= 9.95 else f"{value:.2g}"
