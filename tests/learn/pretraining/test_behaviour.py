"""The material of behaviour: who is fine-tuned on, who is measured, and that they are others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lineament.learn.pretraining import behaviour as module
from lineament.learn.pretraining.behaviour import HUMAN, UNITS, Leak, behaviour
from lineament.learn.pretraining.material import Material, choice_pairs
from lineament.learn.pretraining.tasks import Labelled, Measure, Probed, Verification, balanced
from lineament.learn.recognition.material import Material as Recognition
from lineament.learn.recognition.material import People

RNG = np.random.default_rng(7)


def people(sizes: tuple[int, ...], name: str) -> People:
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)
    pixels = RNG.integers(0, 256, (len(labels), 16, 16, 3)).astype(np.uint8)
    return People(pixels, labels, name)


def celeba(folder: Path, names: list[str]) -> None:
    """A folder of one picture of nobody, as CelebA's are."""
    (folder / "img").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "img" / "000001.jpg")
    (folder / "identity_CelebA.txt").write_text("000001.jpg 1\n")
    flags = " ".join(["1"] * len(names))
    (folder / "list_attr_celeba.txt").write_text(f"1\n{' '.join(names)}\n000001.jpg {flags}\n")


def test_what_is_measured_was_not_learnt_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SUBJECTS", 2)
    monkeypatch.setattr(module, "METRIC", 3)
    train, choose = people((3, 5, 4, 2), "train"), people((2, 2), "choose")
    names = [f"attribute {k}" for k in range(38)]
    names[4:4] = HUMAN
    celeba(tmp_path / "celeba5k", [name.replace(" ", "_") for name in names])
    flags = RNG.integers(0, 2, (6, 40)).astype(np.float32)
    pixels = RNG.integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    faces = Labelled(pixels, flags, np.arange(6))
    attributes = Probed(
        "attributes",
        "CelebA",
        "hash",
        Measure("", balanced),
        faces,
        faces[np.arange(3)],
        faces[np.arange(3, 6)],
    )
    every = train.pixels[np.arange(14)]
    pairs = choice_pairs(choose)
    verified = Verification("recognition", "LFW", "hash", every, train.labels, pairs, pairs)
    material = Material(Recognition(train, choose, ()), (verified, attributes))

    found = behaviour(material, tmp_path, tmp_path / "made")
    # The people of 5 and 4 faces, of whom the last two faces each are kept out.
    assert np.array_equal(found.pixels, every[[3, 4, 5, 8, 9]])
    assert found.subjects.tolist() == [0, 0, 0, 1, 1]
    assert found.count == 2
    assert len(found.unlabelled) == 10
    assert found.units.shape == (5, len(UNITS))

    units, human, known, new = found.material.tasks
    assert isinstance(units, Probed)
    assert np.array_equal(units.train.pixels, found.pixels)
    assert np.array_equal(units.test.pixels, pixels[3:])
    assert units.test.targets.shape == (3, len(UNITS))
    assert isinstance(human, Probed)
    assert np.array_equal(human.test.targets, flags[3:, 4:6])
    assert isinstance(known, Probed)
    assert not known.measure.higher_is_better
    held = np.concatenate([known.choose.pixels, known.test.pixels])
    assert np.array_equal(held, every[[6, 7, 10, 11]])
    assert known.test.targets.argmax(axis=1).tolist() == [0, 1, 1]
    assert isinstance(new, Leak)
    assert len(new.train) == 12
    assert new.labels.max() == 2
