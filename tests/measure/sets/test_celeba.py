"""CelebA in folders made here, in its own layout and in a smaller copy's, and the real one."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput, MissingFile
from lineament.measure.sets.celeba import read_celeba

NAMES = ["Male", "Young", *(f"Trait_{k}" for k in range(38))]


def write(folder, rows, *, count=True, pictures="img", lists="."):
    """Rows: file, person, flags of 40, part."""
    (folder / pictures).mkdir(parents=True)
    (folder / lists).mkdir(parents=True, exist_ok=True)
    lines = [str(len(rows))] if count else []
    lines.append(" ".join(NAMES))
    lines += [f"{name} " + " ".join(f"{flag:2d}" for flag in flags) for name, _, flags, _ in rows]
    (folder / lists / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    identities = "".join(f"{name} {person}\n" for name, person, *_ in rows)
    (folder / lists / "identity_CelebA.txt").write_text(identities)
    for name, *_ in rows:
        (folder / pictures / name).write_bytes(b"picture")


def some(count, seed=0):
    rng = np.random.default_rng(seed)
    flags = rng.choice([-1, 1], (count, 40))
    return [(f"{k:06d}.jpg", int(rng.integers(9)), flags[k], k % 3) for k in range(count)]


@pytest.mark.parametrize("count", [True, False])
def test_attributes_and_people(tmp_path, count):
    rows = some(5)
    write(tmp_path, rows[::-1], count=count)
    faces = read_celeba(tmp_path)
    assert [path.name for path in faces.paths] == [name for name, *_ in rows]
    assert faces.people is not None
    assert faces.people.tolist() == [person for _, person, *_ in rows]
    assert list(faces.labels) == NAMES
    truth = np.stack([flags for *_, flags, _ in rows]) == 1
    assert np.array_equal(np.stack(list(faces.labels.values()), axis=1), truth)
    assert faces.split is None


def test_the_layout_as_it_is_given_out(tmp_path):
    rows = some(6)
    write(tmp_path, rows, pictures="Img/img_align_celeba", lists="Anno")
    (tmp_path / "Eval").mkdir()
    parts = "".join(f"{name} {part}\n" for name, *_, part in rows)
    (tmp_path / "Eval" / "list_eval_partition.txt").write_text(parts)
    (tmp_path / "Img" / "img_align_celeba" / "000003.jpg").unlink()
    faces = read_celeba(tmp_path)
    assert faces.split is not None
    assert faces.split.tolist() == [0, 1, 2, 1, 2]


def test_a_wrong_list_is_refused(tmp_path):
    rows = some(3)
    rows[1][2][7] = 0
    write(tmp_path, rows)
    with pytest.raises(BadInput, match="1 or -1"):
        read_celeba(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text("000000.jpg 1\n")
    with pytest.raises(BadInput, match=r"000001\.jpg is not in the list|1 or -1"):
        read_celeba(tmp_path)


def test_a_picture_that_no_list_knows_is_refused(tmp_path):
    write(tmp_path, some(3))
    (tmp_path / "img" / "000009.jpg").write_bytes(b"picture")
    with pytest.raises(BadInput, match=r"000009\.jpg is not in the list"):
        read_celeba(tmp_path)


def test_what_is_absent_is_named(tmp_path):
    with pytest.raises(MissingFile, match="mmlab.*non-commercial"):
        read_celeba(tmp_path)


def test_the_real_set(shared_data):
    faces = read_celeba(shared_data / "celeba5k")
    assert len(faces.paths) == 5000
    assert len(faces.labels) == 40
    assert faces.people is not None
    male = faces.labels["Male"]
    _, person, counts = np.unique(faces.people, return_inverse=True, return_counts=True)
    share = np.bincount(person, male) / counts
    agree = np.isin(share[counts > 1], (0, 1)).mean()  # labels have errors, but hardly so many
    assert agree > 0.95
