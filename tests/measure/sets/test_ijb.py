"""IJB's lists, in the form that the published figures were measured with."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.ijb import read_ijb

MEDIA = ["1.jpg 1 10", "2.jpg 1 10", "3.jpg 2 11", "4.jpg 5 12"]
POINTS = [
    f"{name}.jpg " + " ".join(f"{10 * name + k}.5" for k in range(10)) + f" 0.9{name}"
    for name in range(1, 5)
]
PAIRS = ["1 2 1", "1 5 0", "2 5 0"]
TITLES = "TEMPLATE_ID,SUBJECT_ID,FILENAME"


@pytest.fixture
def write(tmp_path):
    def write(name="ijbc", **changes):
        meta = tmp_path / "meta"
        meta.mkdir(exist_ok=True)
        first, second = ("G1", "G2") if name == "ijbc" else ("S1", "S2")
        lists = {
            "face_tid_mid.txt": MEDIA,
            "name_5pts_score.txt": POINTS,
            "template_pair_label.txt": PAIRS,
            f"1N_gallery_{first}.csv": [TITLES, "1,100,img/1.png", "1,100,img/2.png"],
            f"1N_gallery_{second}.csv": [TITLES, "5,300,img/4.png"],
            "1N_probe_mixed.csv": [TITLES, "2,100,img/3.png"],
        }
        for file, lines in (lists | changes).items():
            (meta / f"{name}_{file}").write_text("\n".join(lines) + "\n")
        return tmp_path

    return write


@pytest.mark.parametrize("name", ["ijbb", "ijbc"])
def test_a_folder(write, name):
    ijb = read_ijb(write(name), name)
    assert ijb.names == ("1.jpg", "2.jpg", "3.jpg", "4.jpg")
    assert ijb.path(2).parts[-2:] == ("loose_crop", "3.jpg")
    assert ijb.templates.tolist() == [1, 1, 2, 5]
    assert ijb.media.tolist() == [10, 10, 11, 12]
    assert np.allclose(ijb.points[1], 20.5 + np.arange(10).reshape(5, 2))
    assert np.allclose(ijb.scores, [0.91, 0.92, 0.93, 0.94])
    assert ijb.pairs.tolist() == [[1, 2], [1, 5], [2, 5]]
    assert ijb.same.tolist() == [True, False, False]
    assert [(g.templates.tolist(), g.subjects.tolist()) for g in ijb.galleries] == [
        ([1], [100]),
        ([5], [300]),
    ]
    assert ijb.probes is not None
    assert ijb.probes.subjects.tolist() == [100]


def test_without_the_lists_of_1n(write):
    folder = write()
    for path in folder.glob("meta/*1N*"):
        path.unlink()
    ijb = read_ijb(folder)
    assert ijb.galleries == ()
    assert ijb.probes is None


@pytest.mark.parametrize(
    ("file", "lines", "message"),
    [
        ("face_tid_mid.txt", ["1.jpg 1"], r"face_tid_mid.txt:1: 2 words instead of 3"),
        ("face_tid_mid.txt", ["1.jpg 1 1", "2.jpg x 1"], "face_tid_mid.txt:2: 'x' is not"),
        ("face_tid_mid.txt", ["../1.jpg 1 1"], "face_tid_mid.txt:1: .* inside"),
        ("face_tid_mid.txt", ["1.jpg 1 3000000000"], "face_tid_mid.txt:1:"),
        ("face_tid_mid.txt", [""], "the list is empty"),
        ("name_5pts_score.txt", POINTS[:3], "3 pictures; the list of media has 4"),
        ("name_5pts_score.txt", [*POINTS, POINTS[0]], "name_5pts_score.txt:5: not the picture"),
        ("name_5pts_score.txt", POINTS[::-1], "name_5pts_score.txt:1: not the picture"),
        ("name_5pts_score.txt", [POINTS[0].replace("10.5", "nan")], "txt:1: 'nan' is not"),
        ("template_pair_label.txt", ["1 2 1", "1 2"], "pair_label.txt:2: 2 words"),
        ("template_pair_label.txt", ["1 2 1", "1 x 0"], "pair_label.txt:2: 'x' is not"),
        ("template_pair_label.txt", ["1 2 1", "1 5000000000 0"], "pair_label.txt:2:"),
        ("template_pair_label.txt", ["1 2 1", "1 9 0"], "pair 1, 9, 0: a template without"),
        ("template_pair_label.txt", ["1 2 7"], "pair 1, 2, 7"),
        ("template_pair_label.txt", ["1 2"], "pair_label.txt:1: 2 words"),
        ("1N_gallery_G1.csv", [TITLES, "1,100", "1,101"], "G1.csv:3: template 1 is of two"),
        ("1N_gallery_G1.csv", [TITLES, "9,100"], "G1.csv:2: template 9 has no pictures"),
        ("1N_gallery_G2.csv", [TITLES], "G2.csv: the list is empty"),
        ("1N_probe_mixed.csv", [TITLES, "2,?"], r"mixed.csv:2: '\?' is not"),
    ],
)
def test_hostile_lists(write, file, lines, message):
    folder = write(**{file: lines})
    with pytest.raises(BadInput, match=message):
        read_ijb(folder)


def test_an_empty_list_of_pairs(write):
    with pytest.raises(BadInput, match="the list is empty"):
        read_ijb(write(**{"template_pair_label.txt": [""]}))


def test_absent(tmp_path, write):
    with pytest.raises(MissingFile, match="get it from NIST.*terms: research"):
        read_ijb(tmp_path)
    with pytest.raises(BadInput, match="neither ijbb nor ijbc"):
        read_ijb(write(), "ijba")
