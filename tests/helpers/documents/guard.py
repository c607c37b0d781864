"""What a document may make a test do: nothing outside the page's folder, no network, no installing.

A line that is not marked as needing something is run on the machine of whoever runs the tests. So only
programs of a short list are started, and a path that leaves the folder is refused before anything starts.
"""

from __future__ import annotations

import re
import shlex

PROGRAMS = frozenset({
    "tada-loc", "python", "cat", "cmp", "cp", "cut", "diff", "echo", "grep", "head", "ls", "mkdir", "mv",
    "printf", "rm", "sed", "sort", "tail", "test", "touch", "uniq", "unzip", "wc",
})  # fmt: skip
MODULES = frozenset({"pipeline", "json.tool"})  # of python -m; a script must lie in the folder
ENDS = re.compile(r"[|&;]+")
OUTSIDE = re.compile(r"(?:^|=)(?:/(?!dev/null$)|~|(?:[^=]*/)?\.\.(?:/|$))|://|\$")


def refusal(text: str) -> str | None:
    """Why a line is not run; None where it may be."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|;&><()")
    lexer.whitespace_split, lexer.commenters = True, ""
    first = True
    words = list(lexer)
    for place, word in enumerate(words):
        if ENDS.fullmatch(word):
            first = True
        elif first and re.match(r"\w+=", word):
            continue
        elif first:
            first = False
            if word not in PROGRAMS:
                return f"{word} is not run here: mark the block (<!-- needs: ... -->), or see {__name__}"
            if word == "python" and (said := _python(words[place + 1 :])):
                return said
        if OUTSIDE.search(word) or "`" in word or (set(word) <= set("<()>&") and "(" in word):
            return f"{word} may lie outside the page's folder: mark the block, or name a path in it"
    return None


def _python(words: list[str]) -> str | None:
    if words[:1] == ["-m"] and words[1:2] and words[1] in MODULES:
        return None
    if words and words[0].endswith(".py"):
        return None
    return f"python {' '.join(words[:2])} is not run here: mark the block, or see {__name__}"
