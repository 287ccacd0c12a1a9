"""CelebAMask-HQ: masks merged in the official order."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.celebamask import CLASSES, read_celebamask

MAPPING = """idx     orig_idx        orig_file
0       119613          119614.jpg
1       99094           099095.jpg
2001    200121          200122.jpg
"""
PARTITION = "119614.jpg 0\n099095.jpg 1\n200122.jpg 2\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text(MAPPING)
    (tmp_path / "list_eval_partition.txt").write_text(PARTITION)
    return tmp_path


def mask(folder, number, name, rows, mode="RGB", size=512):
    place = folder / "CelebAMask-HQ-mask-anno" / str(number // 2000)
    place.mkdir(parents=True, exist_ok=True)
    grey = np.zeros((size, size), np.uint8)
    grey[rows] = 255
    Image.fromarray(grey).convert(mode).save(place / f"{number:05d}_{name}.png")


@pytest.mark.parametrize(
    ("split", "numbers"), [("train", [0]), ("val", [1]), ("test", [2001]), (None, [0, 1, 2001])]
)
def test_the_parts(folder, split, numbers):
    masked = read_celebamask(folder, split)
    assert masked.numbers.tolist() == numbers
    assert masked.path(0).parts[-2:] == ("CelebA-HQ-img", f"{numbers[0]}.jpg")


def test_all_without_a_partition(folder):
    (folder / "list_eval_partition.txt").unlink()
    assert len(read_celebamask(folder, None).numbers) == 3
    with pytest.raises(MissingFile, match="list_eval_partition.txt"):
        read_celebamask(folder, "test")


def test_where_masks_overlap_the_later_class_wins(folder):
    mask(folder, 2001, "skin", slice(0, 400))
    mask(folder, 2001, "hair", slice(0, 100), "L")
    mask(folder, 2001, "nose", slice(50, 200), "1")
    merged = read_celebamask(folder).mask(0)
    expected = np.zeros((512, 512), int)
    expected[:400], expected[50:200], expected[:100] = 1, 2, 13
    assert np.array_equal(merged, expected)
    assert (CLASSES[1], CLASSES[2], CLASSES[13], len(CLASSES)) == ("skin", "nose", "hair", 19)


def test_masks_that_are_absent_or_of_another_size(folder):
    masked = read_celebamask(folder, None)
    with pytest.raises(BadInput, match="picture 1 has no masks"):
        masked.mask(1)
    mask(folder, 1, "skin", slice(0, 4), size=256)
    with pytest.raises(BadInput, match="00001_skin.png: a mask of 256 x 256"):
        masked.mask(1)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("CelebA-HQ-to-CelebA-mapping.txt", "0 1\n", "mapping.txt:1: 2 words instead of 3"),
        (
            "CelebA-HQ-to-CelebA-mapping.txt",
            "30000 1 200122.jpg\n",
            "mapping.txt:1: '30000' is not",
        ),
        ("CelebA-HQ-to-CelebA-mapping.txt", "5 1 1.jpg\n", "mapping.txt:1: '1.jpg' is not in list"),
        ("CelebA-HQ-to-CelebA-mapping.txt", "5 1 200122.jpg\n" * 2, "one of them twice"),
        ("CelebA-HQ-to-CelebA-mapping.txt", "", "no pictures"),
        ("list_eval_partition.txt", "200122.jpg 3\n", "partition.txt:1: '3' is not"),
    ],
)
def test_hostile_lists(folder, file, content, message):
    (folder / file).write_text(content)
    with pytest.raises(BadInput, match=message):
        read_celebamask(folder)


def test_absent(tmp_path):
    with pytest.raises(MissingFile, match="get it from .*CelebAMask-HQ.*terms: non-commercial"):
        read_celebamask(tmp_path)
    with pytest.raises(BadInput, match="none of train, val, test"):
        read_celebamask(tmp_path, "dev")
