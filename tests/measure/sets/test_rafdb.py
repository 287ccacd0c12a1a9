"""RAF-DB's list of labels."""

from __future__ import annotations

import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.rafdb import read_rafdb

LIST = "train_00001.jpg 5\ntest_0001.jpg 1\ntest_0002.jpg 7\n"


@pytest.fixture
def write(tmp_path):
    def write(text=LIST):
        labels = tmp_path / "basic" / "EmoLabel"
        labels.mkdir(parents=True, exist_ok=True)
        (labels / "list_patition_label.txt").write_text(text)
        return tmp_path

    return write


def test_the_parts(write):
    folder = write()
    test, train = read_rafdb(folder), read_rafdb(folder / "basic", "train")
    aligned = folder / "basic" / "Image" / "aligned"
    assert test.paths == (aligned / "test_0001_aligned.jpg", aligned / "test_0002_aligned.jpg")
    names = test.classes["expression"]
    assert [names[k] for k in test.labels["expression"]] == ["surprise", "neutral"]
    assert train.paths == (aligned / "train_00001_aligned.jpg",)
    assert [names[k] for k in train.labels["expression"]] == ["sadness"]
    original = read_rafdb(folder, aligned=False)
    assert original.paths[0] == folder / "basic" / "Image" / "original" / "test_0001.jpg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("test_0001.jpg\n", "label.txt:1: 1 words instead of 2"),
        ("test_0001.jpg 8\n", "label.txt:1: '8' is not a whole number of 1 to 7"),
        ("test_0001.jpg 0\n", "label.txt:1: '0' is not"),
        ("dev_0001.jpg 1\n", "label.txt:1: .* not a picture of either part"),
        ("../test_1.jpg 1\n", "label.txt:1: .* inside"),
        ("train_00001.jpg 5\n", "no pictures for test"),
    ],
)
def test_hostile_lists(write, text, message):
    with pytest.raises(BadInput, match=message):
        read_rafdb(write(text))


def test_absent(tmp_path):
    with pytest.raises(MissingFile, match="get it from its authors.*terms: non-commercial"):
        read_rafdb(tmp_path)
    with pytest.raises(BadInput, match="neither train nor test"):
        read_rafdb(tmp_path, "val")
