"""FER-2013 in both of its layouts made here, and the real folders."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.fer2013 import EXPRESSIONS, read_fer2013, read_fer2013_csv


def folders(folder, *names):
    for expression in EXPRESSIONS:
        (folder / expression).mkdir()
        for name in names:
            (folder / expression / name).write_bytes(b"picture")


def table(folder, *rows):
    path = folder / "fer2013.csv"
    path.write_text("\n".join(("emotion,pixels,Usage", *rows)) + "\n")
    return path


def test_folders(tmp_path):
    folders(tmp_path, "PublicTest_1.jpg", "PrivateTest_2.jpg")
    faces = read_fer2013(tmp_path)
    assert faces.labels["expression"].tolist() == [k // 2 for k in range(14)]
    assert faces.split is not None
    assert faces.split.tolist() == [2, 1] * 7
    assert faces.paths[2].parent.name == faces.classes["expression"][1] == "disgust"


def test_names_that_say_no_part_give_no_split(tmp_path):
    folders(tmp_path, "im0.png", "PublicTest_1.jpg")
    assert read_fer2013(tmp_path).split is None


def test_the_original_file(tmp_path):
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48))
    rows = [
        f"{label},{' '.join(map(str, face.ravel()))},{part}"
        for label, face, part in zip(
            (0, 6, 3), faces, ("Training", "PrivateTest", "PublicTest"), strict=True
        )
    ]
    found = read_fer2013_csv(table(tmp_path, *rows))
    assert np.array_equal(found.pixels, faces)
    assert found.expression.tolist() == [0, 6, 3]
    assert found.split.tolist() == [0, 2, 1]


GOOD = " ".join(["7"] * 48**2)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"7,{GOOD},Training", "whole number of 0 to 6"),
        (f"0,{GOOD} 7,Training", "2304 whole numbers"),
        (f"0,{GOOD[:-1]}x,Training", "2304 whole numbers"),
        (f"0,{GOOD[:-1]}256,Training", "brighter"),
        (f"0,{GOOD},Test", "no part"),
        (f"0,{GOOD}", "2 words"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path, row, said):
    with pytest.raises(BadInput, match=said):
        read_fer2013_csv(table(tmp_path, row))


def test_wrong_titles_and_nothing_below_them_are_refused(tmp_path):
    with pytest.raises(BadInput, match="empty"):
        read_fer2013_csv(table(tmp_path))
    (tmp_path / "other.csv").write_text("a,b,c\n")
    with pytest.raises(BadInput, match="titles"):
        read_fer2013_csv(tmp_path / "other.csv")


def test_what_is_absent_is_named(tmp_path):
    with pytest.raises(MissingFile, match="angry.*Kaggle"):
        read_fer2013(tmp_path)
    with pytest.raises(MissingFile, match="Kaggle"):
        read_fer2013_csv(tmp_path / "fer2013.csv")


def test_the_real_set(shared_data):
    faces = read_fer2013(shared_data / "fer2013")
    assert len(faces.paths) == 1892
    assert faces.split is not None
    assert np.bincount(faces.split).tolist() == [0, 966, 926]
