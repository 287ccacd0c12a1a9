"""WFLW's lists of 207 words a line."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.wflw import ATTRIBUTES, read_wflw

POINTS = np.round(np.random.default_rng(0).random((2, 98, 2)) * 500, 6)
BOXES = [[182, 268, 231, 330], [10, 20, 30, 40]]
FLAGS = [[1, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 1]]
NAMES = ["37--Soccer/37_Soccer_soccer_ball_37_45.jpg", "37--Soccer/37_Soccer_soccer_ball_37_45.jpg"]
LINES = [
    " ".join(map(str, [*points.ravel(), *box, *flags, name]))
    for points, box, flags, name in zip(POINTS, BOXES, FLAGS, NAMES, strict=True)
]


@pytest.fixture
def write(tmp_path):
    def write(lines=LINES, split="test"):
        folder = tmp_path / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"list_98pt_rect_attr_{split}.txt").write_text("\n".join(lines) + "\n")
        return tmp_path

    return write


@pytest.mark.parametrize("split", ["test", "train"])
def test_a_list(write, split):
    folder = write(split=split)
    faces = read_wflw(folder, split)
    assert faces.paths == tuple(folder / "WFLW_images" / name for name in NAMES)
    assert faces.scheme == "wflw98"
    assert np.array_equal(faces.points, POINTS.astype(np.float32))
    assert np.array_equal(faces.labels["box"], BOXES)
    assert [[int(faces.labels[name][row]) for name in ATTRIBUTES] for row in (0, 1)] == FLAGS


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 3", "test.txt:2: 3 words instead of 207"),
        (LINES[1].replace(" 0 0 0 1 0 1 ", " 0 0 0 2 0 1 "), "test.txt:2: '2' is not"),
        ("inf" + LINES[1][LINES[1].index(" ") :], "test.txt:2: 'inf' is not"),
        (LINES[1].replace("37--Soccer/", "../../"), "test.txt:2: .* inside"),
    ],
)
def test_hostile_lists(write, line, message):
    with pytest.raises(BadInput, match=message):
        read_wflw(write([LINES[0], line]))


def test_absent(write, tmp_path):
    with pytest.raises(MissingFile, match="get it from .*WFLW.*terms: research"):
        read_wflw(tmp_path)
    with pytest.raises(BadInput, match="the list is empty"):
        read_wflw(write([]))
    with pytest.raises(BadInput, match="neither test nor train"):
        read_wflw(tmp_path, "val")
