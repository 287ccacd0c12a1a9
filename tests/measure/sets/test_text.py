"""Lines of lists, and what is refused in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.text import MAX_LINE, Line, read_lines


def test_lines_keep_their_numbers(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfa 1\r\n\r\n  b\t 2 \n\n")
    assert [(line.number, line.words) for line in read_lines(path)] == [
        (1, ("a", "1")),
        (3, ("b", "2")),
    ]
    path.write_text("x , y z,\n")
    assert [line.words for line in read_lines(path, ",")] == [("x", "y z", "")]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"ok\n\xff\xfe\n", "UTF-8"), (b"ok\n" + b"a" * (MAX_LINE + 1), "list.txt:2: longer than")],
)
def test_what_is_no_list(tmp_path, content, message):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message):
        list(read_lines(path))


def test_an_absent_list(tmp_path):
    with pytest.raises(MissingFile, match="list.txt"):
        list(read_lines(tmp_path / "list.txt"))


@pytest.mark.parametrize("word", ["1.5", "x", "", "9" * 5000, "-1", "11", "0x1", "1e1"])
def test_whole_numbers(word):
    line = Line(Path("list.txt"), 7, (word, "+10", "0"))
    assert (line.integer(1, 0, 10), line.integer(2, 0, 10)) == (10, 0)
    with pytest.raises(BadInput, match="list.txt:7: .* is not a whole number of 0 to 10"):
        line.integer(0, 0, 10)


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "1e999", "x", ""])
def test_finite_numbers(word):
    line = Line(Path("list.txt"), 7, ("1.5", "-2e1", word))
    assert line.floats(0, 2) == [1.5, -20]
    with pytest.raises(BadInput, match="list.txt:7: .* is not a finite number"):
        line.floats(0, 3)
    with pytest.raises(BadInput, match="list.txt:7: 3 words; one more"):
        line.floats(0, 4)


@pytest.mark.parametrize(
    "word", ["../up.jpg", "a/../../b", "/etc/passwd", "", ".", "a\0b", "..\\up"]
)
def test_names_stay_inside(word):
    line = Line(Path("list.txt"), 7, (word, "a/b/../c.jpg", "a//b.jpg"))
    assert line.name(2) == "a/b.jpg"
    for index in (0, 1):
        with pytest.raises(BadInput, match="list.txt:7: .* inside the set's folder"):
            line.name(index)


def test_the_number_of_words():
    line = Line(Path("list.txt"), 7, ("a", "b"))
    line.expect(1, 2)
    with pytest.raises(BadInput, match="list.txt:7: 2 words instead of 3 or 4"):
        line.expect(3, 4)
