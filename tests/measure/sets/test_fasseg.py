"""FASSEG in a folder made here, and the real one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.fasseg import CLASSES, COLOURS, read_fasseg, read_mask


def write(folder, place, labels, name, size=(6, 4), mask_size=None):
    for part, suffix, shape in (("RGB", "jpg", size), (labels, "png", mask_size or size)):
        home = folder / place.format(part)
        home.mkdir(parents=True, exist_ok=True)
        Pillow.new("RGB", shape, (255, 0, 0)).save(home / f"{name}.{suffix}")


def test_version_2_in_order_of_number(tmp_path):
    for name in ("10", "9", "1"):
        write(tmp_path, "V2/Test_{}", "Labels", name)
    faces = read_fasseg(tmp_path, "V2", "Test")
    assert [path.name for path in faces.paths] == ["1.jpg", "9.jpg", "10.jpg"]
    assert [path.name for path in faces.masks] == ["1.png", "9.png", "10.png"]


def test_version_3_says_person_and_pan_and_leaves_out_masks_of_another_size(tmp_path):
    write(tmp_path, "V3/Train_{}/-15", "labels", "personne01140+0-15")
    write(tmp_path, "V3/Train_{}/+60", "labels", "personne12250+0+60")
    write(tmp_path, "V3/Train_{}/+60", "labels", "personne13250+0+60", mask_size=(5, 4))
    faces = read_fasseg(tmp_path, "V3", "Train")
    assert faces.labels["person"].tolist() == [1, 12]
    assert faces.labels["pan"].tolist() == [-15, 60]


@pytest.mark.parametrize("seed", range(10))
def test_a_pixel_is_of_the_class_whose_colour_is_nearest(tmp_path, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(CLASSES), (9, 7))
    noise = rng.integers(-24, 25, (9, 7, 3))  # colours are at least 127 apart
    blurred = np.clip(COLOURS[truth].astype(int) + noise, 0, 255).astype(np.uint8)
    Pillow.fromarray(blurred).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), truth)


def test_what_is_wrong_or_absent_is_named(tmp_path):
    with pytest.raises(BadInput, match="V1 Test"):
        read_fasseg(tmp_path, "V1", "Test")
    with pytest.raises(MissingFile, match=r"massimomauro.*citing"):
        read_fasseg(tmp_path, "V2", "Test")
    write(tmp_path, "V3/Test_{}/0", "labels", "somebody")
    with pytest.raises(BadInput, match="personne"):
        read_fasseg(tmp_path, "V3", "Test")
    write(tmp_path, "V2/Train_{}", "Labels", "1", mask_size=(1, 1))
    with pytest.raises(BadInput, match="no mask"):
        read_fasseg(tmp_path, "V2", "Train")


def test_the_real_set(shared_data):
    sizes = {
        (version, part): len(read_fasseg(shared_data / "fasseg", version, part).paths)
        for version in ("V2", "V3")
        for part in ("Train", "Test")
    }
    assert list(sizes.values()) == [20, 50, 182, 92]
    train, test = (read_fasseg(shared_data / "fasseg", "V3", part) for part in ("Train", "Test"))
    assert not set(train.labels["person"].tolist()) & set(test.labels["person"].tolist())
    mask = read_mask(read_fasseg(shared_data / "fasseg", "V2", "Train").masks[0])
    middle = mask[mask.shape[0] // 2, mask.shape[1] // 2]
    assert CLASSES[middle] in ("nose", "skin")
    assert CLASSES[mask[0, 0]] in ("background", "hair")
