"""ORL in a folder made here, and the real one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.orl import read_orl, read_pgm


def test_people_and_shots_come_in_order_of_number(tmp_path):
    for person in range(1, 41):
        (tmp_path / f"s{person}").mkdir()
        for shot in range(1, 11):
            Pillow.new("L", (92, 112), person).save(tmp_path / f"s{person}" / f"{shot}.pgm")
    orl = read_orl(tmp_path)
    assert orl.people is not None
    assert np.bincount(orl.people).tolist() == [10] * 40
    assert [path.parent.name for path in orl.paths[10:30:10]] == ["s2", "s3"]
    assert [path.stem for path in orl.paths[:10]] == [str(shot) for shot in orl.labels["shot"][:10]]
    assert [int(read_pgm(path)[0, 0]) - 1 for path in orl.paths] == orl.people.tolist()


def test_an_absent_picture_says_where_to_get_the_set(tmp_path):
    with pytest.raises(MissingFile, match=r"s1.1\.pgm.*cam-orl.*credited"):
        read_orl(tmp_path)


@pytest.mark.parametrize(
    "header", [b"P5\n3 2\n255\n", b"P5 3 2 255 ", b"P5\n# a note\n# more\n3 2\n# note\n255\n"]
)
def test_pgm_is_read_as_pillow_reads_it(tmp_path, header):
    path = tmp_path / "a.pgm"
    path.write_bytes(
        header + bytes([10, 35, 32, 9, 0, 255])
    )  # a sign, a blank and a tab among them
    with Pillow.open(path) as picture:
        assert read_pgm(path).tolist() == np.asarray(picture).tolist()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P2\n1 1\n255\n0",
        b"P5\n2 2\n255\n123",
        b"P5\n2 2\n255\n12345",
        b"P5\n1 1\n999\n1",
        b"P5\n0 0\n255\n",
    ],
)
def test_what_is_no_pgm_is_refused(tmp_path, data):
    path = tmp_path / "a.pgm"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"a\.pgm"):
        read_pgm(path)


def test_the_real_set(shared_data):
    orl = read_orl(shared_data / "orl")
    assert len(orl.paths) == 400
    assert {read_pgm(path).shape for path in orl.paths[::37]} == {(112, 92)}
