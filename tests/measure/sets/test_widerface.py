"""WIDER FACE's list and the parts of its evaluation, in their own formats."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.widerface import ATTRIBUTES, read_widerface, read_widerface_part

LIST = """0--Parade/0_Parade_marchingband_1_465.jpg
2
345 211 4 5 2 0 0 0 2 0
331 126 30 40 0 1 1 1 0 1
0--Parade/0_Parade_Parade_0_275.jpg
0
0 0 0 0 0 0 0 0 0 0
1--Handshaking/1_Handshaking_Handshaking_1_35.jpg
1
10 20 30 40 1 0 0 0 0 0
"""


@pytest.fixture
def write(tmp_path):
    def write(text=LIST, split="val"):
        folder = tmp_path / "wider_face_split"
        folder.mkdir(exist_ok=True)
        (folder / f"wider_face_{split}_bbx_gt.txt").write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize("split", ["val", "train"])
def test_a_list(write, split):
    wider = read_widerface(write(split=split), split)
    assert len(wider.names) == 3
    assert wider.path(0).parts[-4:] == (
        f"WIDER_{split}",
        "images",
        "0--Parade",
        "0_Parade_marchingband_1_465.jpg",
    )
    assert wider.starts.tolist() == [0, 2, 2, 3]
    assert wider.boxes.tolist() == [[345, 211, 349, 216], [331, 126, 361, 166], [10, 20, 40, 60]]
    assert wider.boxes[wider.faces(1)].shape == (0, 4)
    assert wider.boxes[wider.faces(2)].tolist() == [[10, 20, 40, 60]]
    assert wider.invalid.tolist() == [False, True, False]
    named = dict(zip(ATTRIBUTES, wider.attributes.T.tolist(), strict=True))
    assert named["blur"] == [2, 0, 1]
    assert named["occlusion"] == [2, 0, 0]
    assert named["pose"] == [0, 1, 0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n2\n", "\n3\n", "gt.txt:5: 1 words instead of 10"),
        ("\n2\n", "\n1\n", "gt.txt:4: the path of a picture expected"),
        ("\n2\n", "\ntwo\n", "gt.txt:2: 'two' is not"),
        ("\n2\n", "\n99999999999\n", "gt.txt:2:"),
        ("345", "3.5", "gt.txt:3: '3.5' is not"),
        ("345", "99999999", "gt.txt:3:"),
        ("4 5 2 0", "4 5 2", "gt.txt:3: 9 words instead of 10"),
        ("0 0 0 0 0 0 0 0 0 0", "0 0 5 5 0 0 0 0 0 0", "gt.txt:5: no faces, and then one"),
        ("0--Parade/0_Parade_m", "../../m", "gt.txt:1: .* inside"),
        ("\n1\n10 20 30 40 1 0 0 0 0 0", "", "gt.txt:8: the list ends before the number"),
        ("\n10 20 30 40 1 0 0 0 0 0", "", "gt.txt:8: the list ends before all 1 faces"),
        (LIST, "", "the list is empty"),
    ],
)
def test_hostile_lists(write, old, new, message):
    assert old in LIST
    with pytest.raises(BadInput, match=message):
        read_widerface(write(LIST.replace(old, new, 1)))


def cells(*items):
    box = np.empty((len(items), 1), object)
    for row, item in enumerate(items):
        box[row, 0] = item
    return box


def part(**changes):
    column = np.asarray([[2]], np.uint8)
    boxes = np.asarray([[345, 211, 4, 5], [331, 126, 30, 40]], np.int32)
    return {
        "event_list": cells("0--Parade", "1--Handshaking"),
        "file_list": cells(
            cells("0_Parade_marchingband_1_465", "0_Parade_Parade_0_275"),
            cells("1_Handshaking_Handshaking_1_35"),
        ),
        "gt_list": cells(cells(column, np.empty((0, 0))), cells(np.asarray([[1.0]]))),
        "face_bbx_list": cells(
            cells(boxes, np.zeros((1, 4), np.int32)), cells(np.asarray([[10, 20, 30, 40]]))
        ),
    } | changes


def test_a_part(write, tmp_path):
    wider = read_widerface(write())
    savemat(tmp_path / "wider_hard_val.mat", part())
    assert read_widerface_part(tmp_path, wider, "hard").tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event_list": cells("0--Parade", "2--Riot")}, "'2--Riot/.*' is not in the list"),
        ({"event_list": cells("0--Parade")}, "not a list of WIDER FACE's parts"),
        ({"file_list": cells(cells("a"), cells("b"))}, "is not in the list|not a list"),
        ({"gt_list": cells(cells("text", "text"), cells("text"))}, "no numbers where"),
        (
            {"gt_list": cells(cells(np.asarray([[3]]), np.empty((0, 0))), cells(np.eye(1)))},
            "counts a face that it does not have",
        ),
        (
            {"gt_list": cells(cells(np.asarray([[0]]), np.empty((0, 0))), cells(np.eye(1)))},
            "counts a face that it does not have",
        ),
        (
            {
                "face_bbx_list": cells(
                    cells(np.ones((2, 4)), np.zeros((1, 4))), cells(np.ones((1, 4)))
                )
            },
            "has other boxes",
        ),
        (
            {
                "event_list": cells("1--Handshaking"),
                "file_list": cells(cells("1_Handshaking_Handshaking_1_35")),
                "gt_list": cells(cells(np.eye(1))),
                "face_bbx_list": cells(cells(np.asarray([[10, 20, 30, 40]]))),
            },
            "1 pictures instead of 3",
        ),
    ],
)
def test_hostile_parts(write, tmp_path, changes, message):
    wider = read_widerface(write())
    savemat(tmp_path / "wider_easy_val.mat", part(**changes))
    with pytest.raises(BadInput, match=message):
        read_widerface_part(tmp_path, wider, "easy")


def test_absent(tmp_path, write):
    with pytest.raises(MissingFile, match="get it from .*WIDERFACE.*terms: non-commercial"):
        read_widerface(tmp_path)
    wider = read_widerface(write())
    with pytest.raises(MissingFile, match="wider_easy_val.mat"):
        read_widerface_part(tmp_path, wider, "easy")
    with pytest.raises(BadInput, match="none of easy, medium, hard"):
        read_widerface_part(tmp_path, wider, "all")
    with pytest.raises(BadInput, match="neither val nor train"):
        read_widerface(tmp_path, "test")
