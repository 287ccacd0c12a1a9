"""300-W's .pts files and parts."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.w300 import read_300w, read_pts

POINTS = np.arange(136).reshape(68, 2) + 1.25
BODY = "".join(f"{x} {y}\n" for x, y in POINTS)
PTS = f"version: 1\nn_points:  68\n{{\n{BODY}}}\n"


@pytest.fixture
def folder(tmp_path):
    pictures = {
        "afw": ["1_1.jpg", "1_1_mirror.jpg"],
        "helen/trainset": ["2_1.jpg"],
        "helen/testset": ["3_1.jpg", "30_1.jpg"],
        "lfpw/trainset": ["image_0001.png"],
        "lfpw/testset": ["image_0002.png"],
        "ibug": ["image_003_1.jpg"],
        "01_Indoor": ["indoor_001.png"],
        "02_Outdoor": ["outdoor_001.png"],
    }
    for place, names in pictures.items():
        (tmp_path / place).mkdir(parents=True)
        for name in names:
            picture = tmp_path / place / name
            picture.touch()
            picture.with_suffix(".pts").write_text(PTS)
    return tmp_path


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("common", ["30_1.jpg", "3_1.jpg", "image_0002.png"]),
        ("challenging", ["image_003_1.jpg"]),
        ("full", ["30_1.jpg", "3_1.jpg", "image_0002.png", "image_003_1.jpg"]),
        ("train", ["1_1.jpg", "2_1.jpg", "image_0001.png"]),
        ("contest", ["indoor_001.png", "outdoor_001.png"]),
    ],
)
def test_the_parts(folder, part, names):
    faces = read_300w(folder, part)
    assert [path.name for path in faces.paths] == names
    assert all(path.is_file() for path in faces.paths)
    assert faces.scheme == "300w68"
    assert np.array_equal(faces.points, np.tile(POINTS - 1, (len(names), 1, 1)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("68", "51", "x.pts:2: 51 points instead of 68"),
        ("68", "many", "x.pts:2: 'many' is not"),
        ("1.25 2.25\n", "", "67 points in braces instead of 68"),
        ("1.25 2.25\n", "1 2\n1 2\n", "x.pts:72: more than 68 points"),
        ("1.25 2.25", "1.25", "x.pts:4: 1 words instead of 2"),
        ("1.25 2.25", "nan 2.25", "x.pts:4: 'nan' is not"),
        ("}\n", "", "68 points in braces"),
        ("}\n", "}\n1 2\n", "x.pts:73: something after the closing brace"),
        ("{\n", "", "x.pts:3: a title such as n_points: or a brace expected"),
        (PTS, "", "0 points in braces"),
    ],
)
def test_hostile_files(tmp_path, old, new, message):
    path = tmp_path / "x.pts"
    assert old in PTS
    path.write_text(PTS.replace(old, new, 1))
    with pytest.raises(BadInput, match=message):
        read_pts(path, 68)


def test_absent(folder, tmp_path):
    with pytest.raises(BadInput, match="none of common, challenging"):
        read_300w(folder, "easy")
    (folder / "ibug" / "image_003_1.jpg").unlink()
    with pytest.raises(
        MissingFile, match="image_003_1.jpg: needed of 300-W.*terms: non-commercial"
    ):
        read_300w(folder, "full")
    with pytest.raises(MissingFile, match="get it from Imperial"):
        read_300w(tmp_path / "nothing")
