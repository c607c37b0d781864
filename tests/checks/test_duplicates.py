"""Blocks that appear twice are found, and only those."""

from __future__ import annotations

import pytest

from checks import duplicates

TEN = [f"value_{number} = work({number})" for number in range(10)]


def written(folder, **files):
    for name, lines in files.items():
        (folder / f"{name}.py").write_text("\n".join(lines) + "\n")
    return folder


def found(folder):
    paths = sorted(folder.glob("*.py"))
    return list(duplicates.find_blocks(duplicates.read_code(path) for path in paths))


def test_ten_equal_lines_in_two_files(tmp_path, capsys):
    written(tmp_path, one=["first = 1", *TEN], two=["", "# a comment", *TEN, "last = 2"])
    assert duplicates.main([str(tmp_path)]) == 1
    said = f"{tmp_path}/one.py:2-11 equals {tmp_path}/two.py:3-12, 10 lines of code\n"
    assert capsys.readouterr().out == said


def test_nine_are_none(tmp_path):
    written(tmp_path, one=TEN[:9], two=TEN[:9])
    assert found(tmp_path) == [] and duplicates.main([str(tmp_path)]) == 0


def test_a_longer_block_is_one(tmp_path):
    lines = [*TEN, "more = 1", "most = 2"]
    written(tmp_path, one=lines, two=lines)
    (block,) = found(tmp_path)
    assert (block.first_index, block.second_index, block.length) == (0, 0, 12)


def test_blank_lines_comments_and_indentation_hide_nothing(tmp_path):
    moved = ["if ready:", *(f"    {line}  # as there" for line in TEN[:5])]
    moved += ["", "    # the rest", *(f"    {line}" for line in TEN[5:])]
    written(tmp_path, one=TEN, two=moved)
    (block,) = found(tmp_path)
    assert str(block).endswith("two.py:2-13, 10 lines of code")


def test_imports_and_docstrings_do_not_count(tmp_path):
    imports = ["from there import (", *(f"    name_{number}," for number in range(12)), ")"]
    text = ['"""First line.', *(f"Line {number} of the text." for number in range(12)), '"""']
    function = ["def work():", *(f"    {line}" for line in text), "    return 1"]
    lines = [*text, *imports, *function]
    written(tmp_path, one=lines, two=lines)
    assert found(tmp_path) == []


def test_parameters_and_arguments_passed_on_do_not_count(tmp_path):
    names = [f"name_{number}" for number in range(12)]
    passing = ["def work(", *(f"    {name}: int = 0," for name in names), "):", "    return make("]
    passing += [*(f"        {name}={name}," for name in names), "    )"]
    written(tmp_path, one=passing, two=passing)
    assert found(tmp_path) == []
    passing[-2:-1] = [f"        {name}={name} + 1," for name in names]
    written(tmp_path, one=passing, two=passing)
    assert len(found(tmp_path)) == 1


def test_a_hash_in_a_text_is_no_comment(tmp_path):
    one, two = ([f"value_{n} = '#{name}'" for n in range(10)] for name in ("one", "two"))
    written(tmp_path, one=one, two=two)
    assert found(tmp_path) == []
    written(tmp_path, two=one)
    assert len(found(tmp_path)) == 1


def test_within_one_file_too_but_not_a_table_with_itself(tmp_path):
    written(tmp_path, one=[*TEN, "between = 0", *TEN], rows=["row(1)"] * 15)
    (block,) = found(tmp_path)
    assert block.first is block.second and (block.first_index, block.second_index) == (0, 11)


@pytest.mark.parametrize("folders", [[], ["nowhere"]])
def test_no_file_is_no_success(folders, capsys):
    assert duplicates.main(folders) == 2
    assert "no Python file below" in capsys.readouterr().out
