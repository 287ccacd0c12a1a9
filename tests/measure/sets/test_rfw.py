"""RFW's lists of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.rfw import GROUPS, read_rfw

LINES = [f"m.0a{k}\t1\t2" if k % 2 == 0 else f"m.0a{k}\t3\tm.1b{k}\t14" for k in range(20)]


@pytest.fixture
def write(tmp_path):
    def write(changed=None, lines=LINES):
        for group in GROUPS:
            folder = tmp_path / "txts" / group
            folder.mkdir(parents=True, exist_ok=True)
            chosen = lines if group == changed else LINES
            (folder / f"{group}_pairs.txt").write_text("\n".join(chosen) + "\n")
        return tmp_path

    return write


def test_a_folder(write):
    rfw = read_rfw(write())
    assert len(rfw.pairs) == 80
    assert rfw.group.tolist() == np.repeat(range(4), 20).tolist()
    assert rfw.fold.tolist() == np.tile(np.repeat(range(10), 2), 4).tolist()
    assert rfw.same.tolist() == [True, False] * 40
    assert len(set(rfw.paths)) == len(rfw.paths) == 160
    a, b = rfw.pairs[41]
    assert rfw.paths[a].parts[-3:] == ("Caucasian", "m.0a1", "m.0a1_0003.jpg")
    assert rfw.paths[b].parts[-3:] == ("Caucasian", "m.1b1", "m.1b1_0014.jpg")
    people = rfw.people[rfw.pairs]
    assert np.array_equal(people[:, 0] == people[:, 1], rfw.same)
    # Who bears one name in two groups is two people.
    assert rfw.people[rfw.pairs[0, 0]] != rfw.people[rfw.pairs[20, 0]]


def test_a_picture_in_two_pairs_is_one_picture(write):
    rfw = read_rfw(write("Asian", ["m.0\t1\t2", "m.0\t2\tm.1\t1"] * 10))
    ours = rfw.pairs[rfw.group == GROUPS.index("Asian")]
    assert len(np.unique(ours)) == 3


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*LINES[:19], "m.0 1"], "Indian_pairs.txt:20: 2 words instead of 3 or 4"),
        (["m.0 x 2"] * 10, "Indian_pairs.txt:1: 'x' is not"),
        (["m.0 1 10000"] * 10, "Indian_pairs.txt:1:"),
        (["../m 1 2"] * 10, "Indian_pairs.txt:1: .* inside"),
        (["a/b 1 2"] * 10, "Indian_pairs.txt:1: 'a/b' is not a person"),
        (["m.0 1 m.0 2"] * 10, "Indian_pairs.txt:1: two pictures of one person"),
        (LINES[:19], "19 pairs, which are not 10 equal folds"),
        ([""], "0 pairs"),
    ],
)
def test_hostile_lists(write, lines, message):
    with pytest.raises(BadInput, match=message):
        read_rfw(write("Indian", lines))


def test_absent(tmp_path):
    with pytest.raises(MissingFile, match="African_pairs.txt: needed of RFW.*terms: non-"):
        read_rfw(tmp_path)
