"""JSON text read a piece at a time, so that no large file is ever held whole.

Values, and what is wrong with them and where, are those of `json.loads`; lists of one form may be given a faster decoder.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

PIECE = 8 << 20  # bytes read at once
_SLACK = 64  # characters before the end of what is read: a number or a word there may go on
_SPACE = re.compile(r"[ \t\n\r]*")
# Of a list of objects; in what else it stands, no decoder takes what is cut there.
_LIST_END = re.compile(r"\}[ \t\n\r]*\]")
# The beginning of a list of objects, and of what is left of one whose first items are taken.
_LIST, _REST = (re.compile(rf"\[{taken}(?=[ \t\n\r]*\{{)") for taken in ("", r"0[ \t\n\r]*,"))
_CUTS = 4  # places where a long list is tried to be cut

# The list that a text is, None if it may be something else.
Decode = Callable[[str], list[Any] | None]


class NotTextError(ValueError):
    """Bytes that are not text."""


class NotJSONError(ValueError):
    """Text that is not JSON, with the line and column of the whole text."""


class JSONStream:
    """The values of a JSON text, taken in their order.

    read: gives up to as many bytes as asked for, none at the end. Methods raise NotTextError, NotJSONError, RecursionError
    for what is nested too deep, ValueError for whole numbers of too many digits, and what `read` raises.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read, self._decode = read, json.JSONDecoder().raw_decode
        self._text, self._at, self._ended = "", 0, False
        # Of the text before `_text`: bytes, characters, line ends, and characters since the last of these.
        self._bytes, self._chars, self._lines, self._column = 0, 0, 0, 0
        piece = read(PIECE)
        encoding = json.detect_encoding(piece)
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._add(piece)

    def peek(self) -> str:
        """The first character of what comes next, empty at the end."""
        while True:
            if found := _SPACE.match(self._text, self._at):
                self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more()

    def value(self) -> Any:
        """The value that comes next, whole."""
        self.peek()
        while not (found := self._whole()):
            self._more()
        return found[0]

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; each one's value has to be taken before the next key."""
        self._at += 1
        if self.peek() == "}":
            self._at += 1
            return
        sign = ","
        while sign == ",":
            if self.peek() != '"':
                raise self._error("Expecting property name enclosed in double quotes")
            key = self.value()
            if self.peek() != ":":
                raise self._error("Expecting ':' delimiter")
            self._at += 1
            self.peek()
            yield key
            if (sign := self.peek()) not in {",", "}"}:
                raise self._error("Expecting ',' delimiter")
            self._at += 1

    def parts(self, decode: Decode) -> Iterator[list[Any]]:
        """The list that comes next, in parts where it is longer than what is read at once.

        What `decode` does not take is left to the standard library, and so is what is wrong in it.
        """
        known = 0  # 1 where the text was made to begin with an item of ours
        while True:
            if part := self._decoded(decode, _REST if known else _LIST):
                yield part[0]
            elif (not known or self._ended) and (found := self._whole()):
                yield found[0][known:]
                return
            elif part := self._part():
                yield part[0][known:]
            else:
                self._more()
                continue
            if part[1]:
                return
            known = 1

    def end(self) -> None:
        """Nothing but white space comes next. Raises NotJSONError otherwise."""
        if self.peek():
            raise self._error("Extra data")

    def _whole(self) -> tuple[Any, ...]:
        """The value here, alone in a tuple; an empty one where it goes on after what is read."""
        try:
            value, end = self._decode(self._text, self._at)
        except json.JSONDecodeError as error:
            begun = error.msg.startswith("Unterminated string")
            if self._ended or (error.pos + _SLACK < len(self._text) and not begun):
                raise self._error(error.msg, error.pos) from None
            return ()
        if end + _SLACK > len(self._text) and not self._ended:
            return ()
        self._at = end
        return (value,)

    def _part(self) -> tuple[list[Any], bool] | None:
        """The first items of the list here, and whether they are all; None if more text is needed.

        The text up to the end of some object and a bracket is a list only where that object is one of its items.
        """
        cut = len(self._text)
        for _ in range(_CUTS):
            cut = self._text.rfind("}", self._at, cut)
            if cut < 0:
                return None
            piece = self._text[self._at : cut + 1] + "]"
            try:
                items, end = self._decode(piece)
            except json.JSONDecodeError:
                continue
            if end < len(piece):
                self._at += end
                return items, True
            self._keep_rest(cut + 1)
            return items, False
        return None

    def _decoded(self, decode: Decode, beginning: re.Pattern[str]) -> tuple[list[Any], bool] | None:
        """As `_part`, without the item of ours, by another decoder; None too where that does not take it."""
        if not (begin := beginning.match(self._text, self._at)):
            return None
        found = _LIST_END.search(self._text, self._at)
        end = found.end() if found else self._text.rfind("}", self._at) + 1
        if end <= begin.end():
            return None
        items = decode(f"[{self._text[begin.end() : end]}{'' if found else ']'}")
        if items is None:
            return None
        if found:
            self._at = end
        else:
            self._keep_rest(end)
        return items, found is not None

    def _keep_rest(self, place: int) -> None:
        """Go on at a place of a list, after an item: what is left is a list too, with one to stand for those before."""
        self._at = place
        self._drop()
        self._text = "[0 " + self._text  # the space: what follows makes no other number of it
        self._chars, self._column = self._chars - 3, self._column - 3

    def _more(self) -> None:
        self._drop()
        self._add(self._read(max(PIECE, len(self._text))))

    def _drop(self) -> None:
        """Forget the text that is taken."""
        taken, self._text, self._at = self._text[: self._at], self._text[self._at :], 0
        self._chars += len(taken)
        self._lines += taken.count("\n")
        last = taken.rfind("\n")
        self._column = len(taken) - last - 1 if last >= 0 else self._column + len(taken)

    def _add(self, piece: bytes) -> None:
        self._ended = not piece
        before = self._bytes - len(self._decoder.getstate()[0])
        self._bytes += len(piece)
        try:
            self._text += self._decoder.decode(piece, final=self._ended)
        except UnicodeDecodeError as error:
            first, last = before + error.start, before + error.end - 1
            what = f"byte 0x{error.object[error.start]:02x} in position {first}"
            if last > first:
                what = f"bytes in position {first}-{last}"
            raise NotTextError(
                f"{error.encoding!r} codec can't decode {what}: {error.reason}"
            ) from None

    def _error(self, message: str, place: int | None = None) -> NotJSONError:
        """What is wrong at a place of `_text`, said as the standard library says it of the whole text."""
        place = self._at if place is None else place
        lines = self._text.count("\n", 0, place)
        column = place - self._text.rfind("\n", 0, place) if lines else self._column + place + 1
        where = f"line {self._lines + lines + 1} column {column} (char {self._chars + place})"
        return NotJSONError(f"{message}: {where}")
