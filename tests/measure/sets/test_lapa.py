"""LaPa's folders of pictures, masks and points."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.lapa import CLASSES, read_lapa_masks, read_lapa_points

POINTS = np.arange(212).reshape(106, 2) / 4
TEXT = "106\n" + "".join(f"{x} {y}\n" for x, y in POINTS)


@pytest.fixture
def folder(tmp_path):
    for place in ("images", "labels", "landmarks"):
        (tmp_path / "test" / place).mkdir(parents=True)
    for name in ("b_0", "a_1"):
        (tmp_path / "test" / "images" / f"{name}.jpg").touch()
        (tmp_path / "test" / "labels" / f"{name}.png").touch()
        (tmp_path / "test" / "landmarks" / f"{name}.txt").write_text(TEXT)
    return tmp_path


def test_a_folder(folder):
    masked, pointed = read_lapa_masks(folder), read_lapa_points(folder)
    assert masked.paths == pointed.paths
    assert [path.name for path in masked.paths] == ["a_1.jpg", "b_0.jpg"]
    assert [path.parts[-2:] for path in masked.masks] == [
        ("labels", f"{n}.png") for n in ("a_1", "b_0")
    ]
    assert (len(CLASSES), CLASSES[10]) == (11, "hair")
    assert masked.colours.tolist() == [[k, k, k] for k in range(11)]
    assert pointed.scheme == "lapa106"
    assert np.array_equal(pointed.points, [POINTS, POINTS])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.replace("106", "68", 1), "a_1.txt:1: '68' is not a whole number of 106 to 106"),
        (TEXT + "1 2\n", "a_1.txt:108: more than 106 points"),
        (TEXT.rsplit("\n", 2)[0] + "\n", "105 points instead of 106"),
        (TEXT.replace("0.0 0.25", "0.0"), "a_1.txt:2: 1 words instead of 2"),
        (TEXT.replace("0.0 0.25", "x 0.25"), "a_1.txt:2: 'x' is not"),
        ("", "0 points"),
    ],
)
def test_hostile_points(folder, content, message):
    (folder / "test" / "landmarks" / "a_1.txt").write_text(content)
    with pytest.raises(BadInput, match=message):
        read_lapa_points(folder)


def test_absent(folder):
    with pytest.raises(MissingFile, match="get it from .*lapa-dataset.*terms: non-commercial"):
        read_lapa_masks(folder, "train")
    with pytest.raises(BadInput, match="none of train, val, test"):
        read_lapa_points(folder, "dev")
    (folder / "test" / "labels" / "b_0.png").unlink()
    with pytest.raises(MissingFile, match="b_0.png"):
        read_lapa_masks(folder)
    (folder / "test" / "landmarks" / "b_0.txt").unlink()
    with pytest.raises(MissingFile, match="b_0.txt"):
        read_lapa_points(folder)
