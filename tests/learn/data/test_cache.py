"""What was made once and kept: a file that was damaged since is one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.learn.data import cache
from lineament.learn.landmarks import faces


def archive(folder: Path) -> None:
    cache.kept(folder, "it", ["key"], lambda: {"rows": np.arange(3)})


def crops(folder: Path) -> None:
    one = faces.PointedCrops(
        np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 68, 2), np.float32), np.zeros(1, int), "h"
    )
    faces.kept(folder, (8, []), lambda: one)


@pytest.mark.parametrize("keep", [archive, crops])
@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"no archive", lambda b: b""]
)
def test_a_damaged_file_is_named(tmp_path, keep, damage):
    keep(tmp_path)
    keep(tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInput, match=r"not an? (archive|file) of") as caught:
        keep(tmp_path)
    assert path.name in str(caught.value)
