"""UTKFace in a folder made here, and the real one."""

from __future__ import annotations

import pytest

from lineament.core.errors import MissingFile
from lineament.measure.sets.utkface import read_utkface


@pytest.mark.parametrize("inner", [".", "UTKFace"])
def test_names_hold_the_labels(tmp_path, inner):
    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    for name in (
        "1_0_2_20161219154354285.jpg.chip.jpg",
        "116_1_4_20170112213500903.jpg",
        "24_0_1_20170116220224657 .jpg.chip.jpg",
        "39_1_20170116174525125.jpg.chip.jpg",  # the original has three such, without the group
        "notes.jpg",
    ):
        (folder / name).write_bytes(b"picture")
    faces = read_utkface(tmp_path)
    assert faces.labels["age"].tolist() == [116, 1, 24]
    assert [faces.classes["sex"][k] for k in faces.labels["sex"]] == ["female", "male", "male"]
    groups = [faces.classes["group"][k] for k in faces.labels["group"]]
    assert groups == ["Others", "Asian", "Black"]


def test_what_is_absent_is_named(tmp_path):
    with pytest.raises(MissingFile, match=r"UTKFace.*susanqq.*non-commercial"):
        read_utkface(tmp_path)


def test_the_real_set(shared_data):
    faces = read_utkface(shared_data / "utkface")
    assert len(faces.paths) == 1500
    assert faces.labels["age"].min() > 0
    assert faces.labels["age"].max() <= 116
