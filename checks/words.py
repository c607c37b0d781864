"""Words that readers would have to look up: `python -m checks.words PATH...` names each, and the word to use.

Readers search for the field's words, and many of them learned English as a second language. Checked are
the comments and strings of Python files, and the whole text of others. A word that is right where it
stands is excused by `words: ok` in its line or in the one before.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# A pattern of a word or phrase (in any case; a space stands for any white space) -> what to write instead.
WORDS = {
    # the field's words
    r"start weights": "initial weights, pretrained weights",
    r"usual form": "baseline",
    r"(the|a|upper) floors?": "lower bound; layers",
    r"joints": "lateral connections",
    r"own part": "shard",
    r"litter(s|ed|ing)?": "temporary files",
    r"beats?": "heartbeat; is better than",
    r"reckon(s|ed|ing)?": "estimate, compute",
    r"representable": "upper-bound recall",
    # plain words
    r"mend(s|ed|ing)?": "fix, correct",
    r"put right": "fix, correct",
    r"told": "reported, given, known, detected",
    r"anew": "again, from scratch",
    r"held against|hold against": "compare with",
    r"unasked": "without being asked, without --force",
    r"whence|whomever": "from where; by any process",
    r"spelt": "spelled",
    r"hinder(s|ed|ing)?": "prevent",
    # plain grammar
    r"a few lines each": "short",
    r"as good as": "nearly; the same as",
    r"of its own accord": "by itself",
    r"without more": "directly",
    r"(go|goes) without|gone with": "leave out, skip; removed with",
    r"(otherwise|others) now": "different now",
    r"next to nothing": "almost nothing",
    r"(comes?|stands?|is there) twice": "appears twice",
    r"(lies?|lay) (beside|there)|where (it|they) lies?": "is, are",
    r"behind (the|its|his|their)( \S+)? ends?": "after the end",
    r"(no|makes?|making) room": "space; free some space",
    r"(the )?same command goes on|goes on from": "run the same command again to resume",
}
_PATTERNS = [
    (re.compile(rf"\b({words})\b".replace(" ", r"\s+"), re.IGNORECASE), instead)
    for words, instead in WORDS.items()
]
_EXCUSED = "words: ok"
_SUFFIXES = {".py", ".md", ".yaml", ".yml", ".j2", ".css", ".js", ".toml", ".sh", ""}
_CODE = "\0"  # stands for what is no prose: no phrase goes on across it


@dataclass(frozen=True)
class Finding:
    """A word in a file, its line, and what to write instead."""

    path: Path
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r}: write {self.instead}"


def find_words(path: Path) -> Iterator[Finding]:
    """Every word of WORDS in a file that is not excused, in the order of WORDS."""
    text = path.read_text(encoding="utf-8")
    prose = python_prose(text) if path.suffix == ".py" else text
    lines = text.splitlines()
    for pattern, instead in _PATTERNS:
        for match in pattern.finditer(prose):
            line = prose.count("\n", 0, match.start()) + 1
            if not any(_EXCUSED in before for before in lines[max(line - 2, 0) : line]):
                yield Finding(path, line, " ".join(match.group().split()), instead)


def python_prose(text: str) -> str:
    """The text with all but its comments and strings replaced: as long, with the same lines.

    Strings that follow one another are one, as they are for Python; fields of f-strings are code.
    """
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    prose = re.sub(r"\S", _CODE, text)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        first = starts[token.start[0] - 1] + token.start[1]
        shown = _prose_of(token)
        if shown is not None:
            prose = prose[:first] + shown + prose[first + len(shown) :]
    return prose


def _prose_of(token: tokenize.TokenInfo) -> str | None:
    """A token as prose, of the same length; None if it is code."""
    name = tokenize.tok_name[token.type]
    if name == "FSTRING_MIDDLE":
        return token.string
    if name in ("FSTRING_START", "FSTRING_END"):
        return " " * len(token.string)
    if name == "COMMENT":
        return token.string.replace("#", " ")
    if name != "STRING":
        return None
    prefix = re.match(r"[a-zA-Z]*", token.string)
    letters = prefix.group() if prefix else ""
    shown = " " * len(letters) + token.string[len(letters) :]
    if "f" in letters.lower():
        shown = re.sub(r"\{[^{}]*\}", lambda field: re.sub(r"\S", _CODE, field.group()), shown)
    return re.sub(
        r"^(\s*)(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$", lambda m: " " * len(m.group()), shown
    )


def files_below(paths: Iterable[str]) -> list[Path]:
    """The files to check: those named, and those below the folders named, sorted."""
    found: set[Path] = set()
    for path in map(Path, paths):
        below = path.rglob("*") if path.is_dir() else [path]
        found.update(file for file in below if file.is_file() and file.suffix in _SUFFIXES)
    return sorted(file for file in found if "__pycache__" not in file.parts)


def main(paths: list[str]) -> int:
    """Print each word that is found in the files; 1 if there is one, else 0."""
    files = files_below(paths)
    if not files:
        print(f"checks.words: no file to check in {', '.join(paths) or 'no folder'}")
        return 2
    others = (file for file in files if file.resolve() != Path(__file__).resolve())
    findings = [finding for file in others for finding in find_words(file)]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
