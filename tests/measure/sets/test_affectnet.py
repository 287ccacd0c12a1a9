"""AffectNet's two forms: lists, and files of labels."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.affectnet import read_affectnet

TITLES = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)
POINTS = ";".join(f"{k}.25" for k in range(136))
LINES = [
    TITLES,
    f"689/737db.jpg,134,134,899,899,{POINTS},1,0.785714,-0.055556",
    f"392/c4db.JPG,10,20,30,40,{POINTS},0,-0.017253,0.004313",
    f"468/2134.jpg,10,20,30,40,{POINTS},10,-2,-2",
]


@pytest.mark.parametrize(("split", "file"), [("val", "validation.csv"), ("train", "training.csv")])
def test_the_lists(tmp_path, split, file):
    (tmp_path / file).write_text("\n".join(LINES) + "\n")
    faces = read_affectnet(tmp_path, split)
    pictures = tmp_path / "Manually_Annotated_Images"
    names = ("689/737db.jpg", "392/c4db.JPG", "468/2134.jpg")
    assert faces.pictures.paths == tuple(pictures / name for name in names)
    assert faces.pictures.labels["expression"].tolist() == [1, 0, 10]
    named = [faces.pictures.classes["expression"][k] for k in (0, 1, 7)]
    assert named == ["neutral", "happy", "contempt"]
    assert np.allclose(faces.valence[:2], [0.785714, -0.017253])
    assert np.allclose(faces.arousal[:2], [-0.055556, 0.004313])
    assert np.isnan([faces.valence[2], faces.arousal[2]]).all()


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "val_set" / "annotations"
    folder.mkdir(parents=True)
    for number, label in ((10, "4"), (9, "7")):
        np.save(folder / f"{number}_exp.npy", np.asarray(label))  # text, as most of them
        np.save(folder / f"{number}_val.npy", np.asarray("-0.5"))
        np.save(folder / f"{number}_aro.npy", np.asarray(0.25))
        np.save(folder / f"{number}_lnd.npy", np.zeros(136))
    return tmp_path


def test_the_files(files):
    faces = read_affectnet(files)
    assert [path.name for path in faces.pictures.paths] == ["9.jpg", "10.jpg"]
    assert faces.pictures.paths[0].parent == files / "val_set" / "images"
    assert faces.pictures.labels["expression"].tolist() == [7, 4]
    assert faces.valence.tolist() == [-0.5, -0.5]
    assert faces.arousal.tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    ("file", "value", "message"),
    [
        ("9_exp.npy", "happy", "9_exp.npy: one number expected"),
        ("9_exp.npy", [1, 2], "9_exp.npy: one number expected"),
        ("9_exp.npy", "11", "9_exp.npy: 11.0 is not an expression"),
        ("9_exp.npy", "1.5", "9_exp.npy: 1.5 is not an expression"),
        ("9_exp.npy", "nan", "9_exp.npy: nan is not an expression"),
        ("9_val.npy", "1.5", "go from -1 to 1, not to 1.5"),
        ("9_aro.npy", np.nan, "not to nan"),
    ],
)
def test_hostile_files(files, file, value, message):
    np.save(files / "val_set" / "annotations" / file, np.asarray(value))
    with pytest.raises(BadInput, match=message):
        read_affectnet(files)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.jpg,1", "validation.csv:2: 2 words instead of 9"),
        ("a.jpg,1,2,3,4,p,11,0,0", "validation.csv:2: '11' is not"),
        ("a.jpg,1,2,3,4,p,1,x,0", "validation.csv:2: 'x' is not"),
        ("a.jpg,1,2,3,4,p,1,0,1.01", "validation.csv:2: valence and arousal go"),
        ("../a.jpg,1,2,3,4,p,1,0,0", "validation.csv:2: .* inside"),
    ],
)
def test_hostile_lists(tmp_path, line, message):
    (tmp_path / "validation.csv").write_text(f"{TITLES}\n{line}\n")
    with pytest.raises(BadInput, match=message):
        read_affectnet(tmp_path)


def test_absent(tmp_path, files):
    with pytest.raises(MissingFile, match="get it from its authors.*terms: non-commercial"):
        read_affectnet(tmp_path, "train")
    (files / "val_set" / "annotations" / "9_val.npy").unlink()
    with pytest.raises(MissingFile, match="9_val.npy"):
        read_affectnet(files)
    (tmp_path / "validation.csv").write_text(TITLES)
    with pytest.raises(BadInput, match="no labels"):
        read_affectnet(tmp_path)
    with pytest.raises(BadInput, match="neither val nor train"):
        read_affectnet(tmp_path, "test")
