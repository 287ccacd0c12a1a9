"""TinyFace's lists, written by scipy as MATLAB writes them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.tinyface import read_tinyface


def cells(names):
    box = np.empty((len(names), 1), object)
    for row, name in enumerate(names):
        box[row, 0] = name
    return box


@pytest.fixture
def write(tmp_path):
    def write(**changes):
        folder = tmp_path / "tinyface" / "Testing_Set"
        (folder / "Gallery_Distractor").mkdir(parents=True)
        for name in ("9.jpg", "10.jpg", "list.txt"):
            (folder / "Gallery_Distractor" / name).touch()
        content = {
            "probe_set": cells(["7_1.jpg", "9_1.jpg"]),
            "probe_ids": np.asarray([[7], [9]], np.uint16),
            "gallery_set": cells(["7_2.jpg", "7_3.jpg", "9_2.jpg"]),
            "gallery_ids": np.asarray([[7], [7], [9]], np.float64),
        } | changes
        for file, field in (("probe", "probe"), ("gallery_match", "gallery")):
            fields = {k: v for k, v in content.items() if k.startswith(field) and v is not None}
            savemat(folder / f"{file}_img_ID_pairs.mat", fields, do_compression=True)
        return tmp_path / "tinyface"

    return write


def test_a_folder(write):
    folder = write()
    tiny = read_tinyface(folder)
    assert tiny.folder == folder / "Testing_Set"
    assert tiny.probes == ("Probe/7_1.jpg", "Probe/9_1.jpg")
    assert tiny.probe_people.tolist() == [7, 9]
    assert tiny.gallery == tuple(f"Gallery_Match/{n}.jpg" for n in ("7_2", "7_3", "9_2"))
    assert tiny.gallery_people.tolist() == [7, 7, 9]
    assert tiny.distractors == ("Gallery_Distractor/10.jpg", "Gallery_Distractor/9.jpg")
    assert read_tinyface(folder / "Testing_Set").probes == tiny.probes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probe_set": None}, "probe_img_ID_pairs.mat: probe_set is not a list of names"),
        ({"probe_set": cells([np.eye(2), "b.jpg"])}, "not a list of names"),
        ({"probe_set": cells(["../a.jpg", "b.jpg"])}, "inside the set's folder"),
        ({"probe_ids": None}, "probe_ids is not a list of numbers"),
        ({"probe_ids": "ab"}, "probe_ids is not a list of numbers"),
        ({"probe_ids": np.asarray([[7]])}, "1 people for 2 pictures"),
        ({"probe_ids": np.asarray([[7], [8.5]])}, "not whole numbers"),
        ({"probe_ids": np.asarray([[7], [np.nan]])}, "not whole numbers"),
        ({"probe_ids": np.asarray([[7], [8]])}, "person 8 has probes and no gallery"),
    ],
)
def test_hostile_lists(write, changes, message):
    with pytest.raises(BadInput, match=message):
        read_tinyface(write(**changes))


def test_absent(tmp_path, write):
    with pytest.raises(MissingFile, match="get it from .*qmul-tinyface.*terms: non-commercial"):
        read_tinyface(tmp_path)
    folder = write()
    for path in (folder / "Testing_Set" / "Gallery_Distractor").iterdir():
        path.unlink()
    (folder / "Testing_Set" / "Gallery_Distractor").rmdir()
    with pytest.raises(MissingFile, match="Gallery_Distractor"):
        read_tinyface(folder)
