"""The recipe of the small embedder that is shipped, and that of fewer faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lineament.core.cards import weights  # noqa: E402
from lineament.core.errors import BadInput  # noqa: E402
from lineament.core.weights import fetch  # noqa: E402
from lineament.learn import checkpoint  # noqa: E402
from lineament.learn.embedders import lineament_s, lineament_s_data  # noqa: E402
from lineament.learn.embedders.distil import agreement, embed  # noqa: E402
from lineament.learn.embedders.material import Faces, unit  # noqa: E402
from lineament.learn.embedders.sface_torch import Head, read_sface, restored  # noqa: E402
from lineament.learn.recipes import Job, recipe  # noqa: E402
from small_chains import chain, normal  # noqa: E402


def test_every_other_face_that_is_solved_on_is_worse():
    draw = np.random.default_rng(3)
    squares = draw.integers(0, 256, (70, 128, 128, 3), np.uint8)
    faces = Faces(squares, unit(draw.normal(size=(70, 5)).astype(np.float32)), "hash")
    seen = lineament_s.half_worse(faces)
    np.testing.assert_array_equal(seen[::2], faces.crops[::2])
    changed = (seen[1::2] != faces.crops[1::2]).reshape(35, -1).any(axis=1)
    assert changed.all()
    np.testing.assert_array_equal(seen, lineament_s.half_worse(faces))


def test_the_recipe_asks_for_faces_and_for_lfw(tmp_path):
    known = recipe("lineament-s").recipe
    job = Job(recipe=known, settings=known.settings, seeds=(0,), out=tmp_path)
    with pytest.raises(BadInput, match="lfw"):
        lineament_s.run(job)
    with pytest.raises(BadInput, match="--faces"):
        lineament_s.run(replace(job, data=tmp_path))


def test_first_units_are_kept_as_they_are():
    student = read_sface(fetch(weights()["sface"]))
    lineament_s.freeze(student)
    learns = [all(p.requires_grad for p in unit.parameters()) for unit in student]
    assert learns == [False] * lineament_s.FROZEN + [True] * (len(learns) - lineament_s.FROZEN)


def test_the_recipe_of_fewer_faces_is_that_of_the_shipped_one(tmp_path):
    known = recipe("lineament-s-data").recipe
    assert known.settings == recipe("lineament-s").recipe.settings
    job = Job(recipe=known, settings=known.settings, seeds=(0,), out=tmp_path)
    with pytest.raises(BadInput, match="lfw"):
        lineament_s_data.run(job)
    with pytest.raises(BadInput, match="--faces"):
        lineament_s_data.run(replace(job, data=tmp_path))


def test_a_smaller_part_lies_in_a_larger_one():
    small, large, every = (lineament_s_data.part(40, count, 3) for count in (5, 20, 40))
    assert set(small) < set(large)
    assert len(small) == 5
    assert small.tolist() == sorted(small)
    assert every.tolist() == list(range(40))  # so a run with all faces is that of `lineament_s`
    assert small.tolist() != lineament_s_data.part(40, 5, 4).tolist()


def test_the_network_is_made_in_four_steps(tmp_path, monkeypatch):
    """A small chain through all of it: solved, taught by one step, halfway back, in bytes."""
    draw = np.random.default_rng(18)
    teacher = chain(draw)
    for name, value in (("WIDTHS", (6, 10, 12)), ("MIXED", 8), ("FROZEN", 1)):
        monkeypatch.setattr(lineament_s, name, value)
    squares = draw.integers(0, 256, (24, 128, 128, 3), np.uint8)
    faces = Faces(squares, unit(draw.normal(size=(24, 5)).astype(np.float32)), "hash")
    teacher.head = Head(normal(draw, 5, 12, 28, 28), normal(draw, 5))
    learn, choose = faces[np.arange(16)], faces[np.arange(16, 24)]
    known = recipe("lineament-s").recipe
    settings = replace(known.settings, steps=1, batch=4, rate=0.01, warm_up=0, average=0.0)
    job = Job(recipe=known, settings=settings, seeds=(0,), out=tmp_path)
    made = lineament_s.make(teacher, learn, choose, 0, tmp_path / "run", job)
    again = lineament_s.make(teacher, learn, choose, 0, tmp_path / "run", job)
    assert made.taught.path.read_bytes() == again.taught.path.read_bytes()  # taken up
    assert made.taught.path.stat().st_size < made.narrow.path.stat().st_size
    state = checkpoint.load(tmp_path / "run" / "narrow.pt")
    assert state is not None
    solved = embed(restored(state, [each.stride for each in teacher]), choose.crops)
    np.testing.assert_allclose(made.narrow(choose.crops), solved, atol=1e-3)
    assert agreement(made.taught(choose.crops), solved) > 0.9
    assert np.abs(made.taught(choose.crops) - solved).max() > 1e-4


def test_the_curve_on_held_out_faces_names_its_baseline(tmp_path):
    known = recipe("lineament-s-data").recipe
    job = Job(recipe=known, settings=known.settings, seeds=(0,), out=tmp_path)
    taught = {"SFace": (1.0, 0.8), "2 faces": (0.6, 0.5), "9 faces": (0.9, 0.7)}
    solved = {"2 faces": (0.4, 0.3), "9 faces": (0.85, 0.6)}
    found = list(lineament_s_data._agreed(taught, solved, "hash", job))
    assert [each.ours for each in found] == [0.6, 0.5, 0.9, 0.7]
    assert [each.baseline_value for each in found] == [0.9, 0.7, None, None]
    assert [each.baseline for each in found] == ["9 faces", "9 faces", None, None]
    assert "closed form alone: 0.4000" in found[0].note
    assert len({each.key for each in found}) == 4
