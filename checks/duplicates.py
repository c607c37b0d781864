"""Code that appears in two places: `python -m checks.duplicates FOLDER...` names each block.

A block is ten or more lines of code in a row that are equal in two places, of two files or of
one. Blank lines, comments, imports and docstrings are left out before lines are compared, and so
are long lists of parameters and arguments that pass a name on (`grid=grid`): these are not code that
could stand elsewhere. Indentation does not count, so code that moved into an `if` is still found.
"""

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LINES = 10
_PASSED_ON = re.compile(r"(\w+)=\1,?")


@dataclass(frozen=True)
class Code:
    """The lines of a file that count: their text, and their numbers in the file."""

    path: Path
    lines: tuple[str, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Block:
    """`length` lines of code that are in `first` from one index on, in `second` from another."""

    first: Code
    first_index: int
    second: Code
    second_index: int
    length: int

    def __str__(self) -> str:
        places = ((self.first, self.first_index), (self.second, self.second_index))
        first, second = (
            f"{code.path}:{code.numbers[index]}-{code.numbers[index + self.length - 1]}"
            for code, index in places
        )
        return f"{first} equals {second}, {self.length} lines of code"


def read_code(path: Path) -> Code:
    """The lines of one Python file that count."""
    text = path.read_text(encoding="utf-8")
    left_out = _lines_left_out(ast.parse(text, str(path)))
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    kept = [
        (line.strip(), number)
        for number, line in enumerate(lines, start=1)
        if line.strip() and number not in left_out and not _PASSED_ON.fullmatch(line.strip())
    ]
    return Code(path, tuple(line for line, _ in kept), tuple(number for _, number in kept))


def find_blocks(codes: Iterable[Code], least: int = LINES) -> Iterator[Block]:
    """Every longest block of at least `least` equal lines, once for each pair of places."""
    places: dict[tuple[str, ...], list[tuple[Code, int]]] = defaultdict(list)
    for code in codes:
        for index in range(len(code.lines) - least + 1):
            window = code.lines[index : index + least]
            for first, first_index in places[window]:
                if first is code and index - first_index < least:
                    continue  # a block does not overlap itself: rows of one table are not a copy
                if not _goes_further_back(first, first_index, code, index):
                    length = _common_length(first, first_index, code, index)
                    yield Block(first, first_index, code, index, length)
            places[window].append((code, index))


def _goes_further_back(first: Code, first_index: int, second: Code, second_index: int) -> bool:
    """Whether this pair of places is inside a longer block, which was found before."""
    if first_index == 0 or second_index == 0:
        return False
    return first.lines[first_index - 1] == second.lines[second_index - 1]


def _common_length(first: Code, first_index: int, second: Code, second_index: int) -> int:
    """How many lines are equal from these two places on."""
    length = 0
    pairs = zip(first.lines[first_index:], second.lines[second_index:], strict=False)
    for first_line, second_line in pairs:
        if first_line != second_line:
            break
        length += 1
    return length


def _lines_left_out(tree: ast.Module) -> set[int]:
    """The numbers of the lines that imports, docstrings and parameters per line each fill."""
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            left_out.update(_span(node))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            left_out.update(range(node.lineno + 1, node.body[0].lineno))
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            left_out.update(_span(node.body[0]))
    return left_out


def _span(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def main(folders: list[str]) -> int:
    """Print each block in the Python files below the folders; 1 if there is one, else 0."""
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    if not paths:
        print(f"checks.duplicates: no Python file below {', '.join(folders) or 'no folder'}")
        return 2
    blocks = list(find_blocks(read_code(path) for path in paths))
    for block in blocks:
        print(block)
    return 1 if blocks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
