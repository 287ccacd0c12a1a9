"""CAST: faults that are known, what cleaning finds of them, and the rounds as a whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from lineament.core.sessions import Session
from lineament.learn.data.cleaning import GONE
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import cast, figures
from lineament.learn.recognition.cast import BY_OUTSIDE, FLAWLESS, NAMES, cleaned, staying
from lineament.learn.recognition.faulty import (
    Collection,
    found_and_missed,
    gathered_blindly,
    joins,
)
from lineament.learn.recognition.material import Material, People, every_pair

SIDE, GRID = 64, 4


def people(count: int, each: int, seed: int = 0, noise: float = 20) -> People:
    """Faces of patches, whose colours are the person's."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), each)
    own = rng.uniform(40, 215, (count, GRID, GRID, 3))[labels]
    own = own + rng.normal(0, noise, own.shape)
    pixels = own.repeat(SIDE // GRID, axis=1).repeat(SIDE // GRID, axis=2)
    return People(pixels.clip(0, 255).astype(np.uint8), labels, f"people {seed}")


def patches(pixels: np.ndarray) -> np.ndarray:
    """A teacher that needs no training: the colours of the patches."""
    cells = pixels.reshape(len(pixels), GRID, SIDE // GRID, GRID, SIDE // GRID, 3)
    flat = cells.mean(axis=(2, 4)).reshape(len(pixels), -1).astype(np.float32) - 127.5
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_faults_are_as_many_as_asked_for_and_known():
    known = people(40, 6)
    faulty = gathered_blindly(known, 3, strangers=0.25, halved=0.2)
    truth, folders = known.labels, faulty.people.labels
    assert faulty.people.pixels is known.pixels
    assert faulty.foreign.sum() == 10 * 6
    np.testing.assert_array_equal(faulty.owner[folders] != truth, faulty.foreign)
    assert not set(truth[faulty.foreign]) & set(faulty.owner.tolist()), "they have no folder"
    assert folders.max() + 1 == len(np.unique(folders)) == len(faulty.owner) == 30 + 6
    owners, times = np.unique(faulty.owner, return_counts=True)
    assert len(owners) == 30
    assert sorted(times.tolist())[-7:] == [1, 2, 2, 2, 2, 2, 2]
    flawless = faulty.flawless()
    np.testing.assert_array_equal(flawless[~faulty.foreign], truth[~faulty.foreign])
    assert (flawless[faulty.foreign] == GONE).all()


def test_faults_follow_from_the_seed():
    known = people(40, 6)
    one, again, other = (gathered_blindly(known, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.people.labels, again.people.labels)
    assert not np.array_equal(one.foreign, other.foreign)
    assert one.people.digest() != other.people.digest()
    none = gathered_blindly(known, 1, strangers=0, halved=0)
    np.testing.assert_array_equal(none.people.labels, known.labels)


def test_what_was_found_is_counted_by_hand():
    out = np.asarray([True, True, True, False, False])
    foreign = np.asarray([True, False, False, True, True])
    assert found_and_missed(out, foreign) == (1 / 3, 1 / 3)
    assert found_and_missed(~out, foreign) == (1.0, 2 / 3)
    assert found_and_missed(out & ~out, foreign) == (0.0, 0.0)


def test_joins_are_counted_by_hand():
    """Folders 0 and 1 are halves of one person, 2 and 3 of another, 4 stands alone."""
    folders = np.asarray([0, 0, 1, 2, 3, 4])
    faces = People(np.zeros((6, 4, 4, 3), np.uint8), folders, "")
    faulty = Collection(faces, np.zeros(6, bool), np.asarray([7, 7, 5, 5, 9]))
    assert joins(faulty, folders) == (0, 0, 2)
    assert joins(faulty, np.asarray([0, 0, 0, 2, 3, 4])) == (1, 1, 2)
    # 0, 1 and 4 are three pairs; folder 3 went as a whole.
    assert joins(faulty, np.asarray([0, 0, 0, 2, GONE, 0])) == (3, 1, 2)
    assert joins(faulty, faulty.flawless()) == (2, 2, 2)


def test_a_good_teacher_finds_what_was_put_in():
    faulty = gathered_blindly(people(60, 8), 5)
    faces = faulty.people.pixels[np.arange(len(faulty.people))]
    labels = cleaned(patches(faces), faulty.people.labels)
    precision, recall = found_and_missed(labels == GONE, faulty.foreign)
    assert precision > 0.9
    assert recall > 0.8
    joined, rightly, halves = joins(faulty, labels)
    assert halves == 9
    assert rightly >= 5
    assert joined - rightly <= 1


def test_a_teacher_that_sees_nothing_finds_nothing():
    """Where embeddings are noise, strangers' faces go no more often than others."""
    faulty = gathered_blindly(people(60, 8), 5)
    vectors = np.random.default_rng(0).normal(size=(len(faulty.people), 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    out = cleaned(vectors, faulty.people.labels) == GONE
    assert 0 < out.sum() < len(out)
    by_chance = out.mean() * faulty.foreign.mean()
    assert (out & faulty.foreign).mean() == pytest.approx(by_chance, abs=0.03)


def test_those_who_stay_are_numbered_anew():
    known = people(3, 2)
    kept = staying(known, np.asarray([2, 2, GONE, 5, 5, GONE]), "some")
    assert kept.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(kept.pixels, known.pixels[[0, 1, 3, 4]])
    assert kept.digest() != staying(known, np.asarray([2, 2, GONE, 5, 5, GONE]), "x").digest()


class Named(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def test_each_round_is_taught_by_the_one_before(tmp_path, monkeypatch):
    """And cleans what was gathered, not what the last teacher left."""
    faces = people(6, 3)
    taught, learnt = [], []

    def learn(job, material, kept, name, seed):
        learnt.append((name, len(kept)))
        return Named(name)

    def clean(vectors, folders):
        assert len(folders) == len(faces)
        labels = folders.copy()
        labels[: 1 + len(taught)] = GONE
        return labels

    def embed(teacher, pixels):
        taught.append(teacher.name)
        return patches(pixels)

    for name, fake in (("_learn", learn), ("cleaned", clean), ("embed", embed)):
        monkeypatch.setattr(cast, name, fake)
    material = Material(faces, faces, ())
    labels, models = cast._by_turns(job(tmp_path), material, faces, 0, {FLAWLESS: faces.labels})
    assert taught == ["as gathered", "cleaned once"]
    assert learnt == [("as gathered", 18), ("cleaned once", 16), ("CAST", 15), (FLAWLESS, 18)]
    assert (labels["CAST"] == GONE).sum() == 3
    assert list(models) == [*NAMES, FLAWLESS]


def job(out: Path) -> Job:
    known = recipe("webface260m").recipe
    settings = replace(known.settings, steps=2, batch=8, warm_up=0, measure_every=0)
    return Job(recipe=known, settings=settings, seeds=(0,), out=out)


def test_rounds_as_a_whole(tmp_path, monkeypatch):
    """Two steps of real training; the cleaning between them is the real one."""
    material = Material(people(24, 6), people(4, 4, 1), (every_pair("test", people(9, 3, 2)),))
    monkeypatch.setattr(cast, "gather", lambda job: material)
    monkeypatch.setattr(figures, "ROUNDS", 5)
    found = cast.run(job(tmp_path / "cast"))
    arms = [row[0] for row in found.rows]
    assert arms == [
        *NAMES, BY_OUTSIDE, FLAWLESS, "raw pixels", "CAST less as gathered",
        "CAST less cleaned once", f"{BY_OUTSIDE} less as gathered",
        "without faults less as gathered",
    ]  # fmt: skip
    for name in (*NAMES[1:], BY_OUTSIDE):
        assert f"{name}: " in found.title
    rounds = {r.metric: r for r in found.results if "taken out" in r.metric}
    assert len(rounds) == 6
    faulty = gathered_blindly(material.train, 0)
    for metric, result in rounds.items():
        assert result.interval is not None
        assert 0 <= result.interval[0] <= result.ours <= result.interval[1] <= 1
        if metric.startswith("precision"):
            assert result.baseline_value == pytest.approx(faulty.foreign.mean())
    file = found.files[0]
    assert Session(file).run(np.zeros((2, 3, SIDE, SIDE), np.float32))[0].shape == (2, 128)
    again = cast.run(job(tmp_path / "cast"))  # what is trained is not trained again
    assert [r.ours for r in again.results] == [r.ours for r in found.results]
