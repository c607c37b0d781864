"""Words to avoid are found in comments, strings and documents, and nowhere else."""

from __future__ import annotations

import pytest

from checks import words


def found(folder, name, text):
    path = folder / name
    path.write_text(text)
    return [(one.line, one.word) for one in words.find_words(path)]


def test_a_word_is_named_with_its_line_and_what_to_write(tmp_path, capsys):
    path = tmp_path / "page.md"
    path.write_text("# A page\n\nThe file is made Anew.\n")  # words: ok
    assert words.main([str(tmp_path)]) == 1
    line = f"{path}:3: 'Anew': write {words.WORDS['anew']}\n"  # words: ok
    assert capsys.readouterr().out == line
    path.write_text("# A page\n\nThe file is made again.\n")
    assert words.main([str(tmp_path)]) == 0 and capsys.readouterr().out == ""


def test_code_is_not_prose(tmp_path):
    code = (
        'told = {"a b": 1}["a b"]\nprint(f"{told} of {max(told, 2)} and {{more}}")\n'  # words: ok
    )
    assert found(tmp_path, "code.py", code) == []


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # told\n",  # words: ok
        '"""A line.\n\nAs told.\n"""\n',  # words: ok
        'say(f"{x}: told")\n',  # words: ok
        "say(rb'told')\n",  # words: ok
    ],
)
def test_comments_and_strings_are_prose(tmp_path, text):
    ((line, word),) = found(tmp_path, "code.py", text)
    assert word == "told" and "told" in text.splitlines()[line - 1]  # words: ok


def test_a_phrase_goes_on_over_lines_and_joined_strings(tmp_path):
    phrase = "put right"  # words: ok
    first, last = phrase.split()
    joined = f'x = (\n    "it is {first} "\n    "{last}"\n)\n'
    assert found(tmp_path, "a.py", joined) == [(2, phrase)]
    assert found(tmp_path, "b.py", f"# it is {first}\n# {last}\n") == [(1, phrase)]
    assert found(tmp_path, "c.py", f'x = ["{first}", "{last}"]\n') == []
    assert found(tmp_path, "d.md", f"it is {first}\n{last}\n") == [(1, phrase)]


def test_whole_words_alone(tmp_path):
    text = "Amending, untold, a mended floorboard"  # words: ok
    assert found(tmp_path, "page.md", text) == [(1, text.split()[3])]


def test_a_word_is_excused_in_its_line_or_the_one_before(tmp_path):
    excused = "# told  words: ok\nx = 1\n# words: ok\n# told\n\n# told\n"  # words: ok
    assert found(tmp_path, "code.py", excused) == [(6, "told")]  # words: ok


def test_files_of_other_kinds_are_not_read(tmp_path, capsys):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.py").write_text("# told\n")  # words: ok
    (tmp_path / "picture.png").write_bytes(b"told\xff")  # words: ok
    assert words.main([str(tmp_path)]) == 2
    assert "no file to check" in capsys.readouterr().out
