"""FRA, FSFM and FMAE-IAT as a whole, on squares of noise: trained, judged, shipped, taken up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lineament.core.sessions import Session
from lineament.learn.data.augment import still
from lineament.learn.pretraining import fmae_iat, fra, fsfm, trial
from lineament.learn.pretraining.behaviour import Behaviour
from lineament.learn.pretraining.material import Material, choice_pairs
from lineament.learn.pretraining.tasks import (
    Labelled,
    Measure,
    Probed,
    Verification,
    right_class,
)
from lineament.learn.recipes import Comparison, Job, read_recipe
from lineament.learn.recognition.material import Material as Recognition
from lineament.learn.recognition.material import People
from lineament.learn.settings import Settings

RNG = np.random.default_rng(5)
SETTINGS = Settings(steps=2, batch=8, rate=0.001, save_every=1)


def people(count: int, size: int) -> People:
    pixels = RNG.integers(0, 256, (4 * count, size, size, 3)).astype(np.uint8)
    return People(pixels, np.repeat(np.arange(count), 4).astype(np.int64), f"{count} of noise")


def material(size: int) -> Material:
    train, choose, other = people(6, size), people(3, size), people(3, size)
    pairs = choice_pairs(other)
    labels = np.arange(12) % 2
    faces = Labelled(
        other.pixels[np.arange(12)], np.eye(2, dtype=np.float32)[labels], np.arange(12)
    )
    probed = Probed("sides", "noise", "hash", Measure("accuracy", right_class), faces, faces, faces)
    told = Verification(
        "recognition", "noise", "hash", train.pixels[np.arange(24)], train.labels, pairs, pairs
    )
    return Material(Recognition(train, choose, ()), (told, probed))


def job_of(method: str, out: Path) -> Job:
    found = read_recipe(Path(fra.__file__).with_name(f"{method.replace('-', '_')}.py"))
    assert found is not None
    assert found.slug == method
    return Job(recipe=found, settings=SETTINGS, seeds=(0,), out=out / method)


def told(done: Comparison) -> list[str]:
    """Arms and gaps of the table, in order."""
    return list(dict.fromkeys(str(row[0]) for row in done.rows))


def shipped(done: Comparison, arm: trial.Arm, faces: Material, job: Job) -> np.ndarray:
    """What the first file says of four faces, held to the arm taken up from its checkpoint."""
    model = arm.train(faces, SETTINGS, job)
    pixels = faces.people.choose.pixels[np.arange(4)]
    (answer,) = Session(done.files[0], threads=1).run(still(pixels).contiguous().numpy())
    np.testing.assert_allclose(answer, trial.features(arm, model)(pixels), atol=1e-4)
    return answer


def test_fra_as_a_whole(tmp_path: Path):
    job, faces = job_of("fra", tmp_path), material(32)
    arms = fra.arms(job)
    done = trial.run(job, arms, material=faces, shares=(1.0,))
    assert told(done)[:3] == ["FRA", "whole face only", "untrained"]
    assert {r.baseline for r in done.results} == {"whole face only", "untrained"}
    assert shipped(done, arms[0], faces, job).shape == (4, 256)


def test_fsfm_as_a_whole(tmp_path: Path):
    job, faces = job_of("fsfm", tmp_path), material(16)
    labels = RNG.integers(0, 6, (24, 16, 16)).astype(np.uint8)
    arms = fsfm.arms(job, labels)
    done = trial.run(job, arms, material=faces, shares=(1.0,))
    assert told(done)[:3] == ["FSFM", "random masks", "without the slow copy"]
    assert shipped(done, arms[0], faces, job).shape == (4, 96)


@pytest.fixture
def known() -> Behaviour:
    faces = material(16)
    pixels = faces.people.train.pixels[np.arange(24)]
    units = RNG.random((24, 3)) < 0.5
    return Behaviour(pixels, units, faces.people.train.labels, pixels, faces)


def test_fmae_iat_as_a_whole(tmp_path: Path, known: Behaviour):
    job = job_of("fmae-iat", tmp_path)
    arms = fmae_iat.arms(known)
    done = trial.run(job, arms, material=known.material, shares=(1.0,))
    assert told(done)[:2] == ["FMAE-IAT", "FMAE, no adversary"]
    assert shipped(done, arms[0], known.material, job).shape == (4, 96)


def test_both_arms_are_fine_tuned_from_the_same_pre_training(tmp_path: Path, known: Behaviour):
    job = job_of("fmae-iat", tmp_path)
    first = fmae_iat.autoencoder(known, SETTINGS, job).encoder.state_dict()
    again = fmae_iat.autoencoder(known, SETTINGS, job).encoder.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    adversary, none, scratch = (arm.train(known.material, SETTINGS, job)
                                for arm in fmae_iat.arms(known))  # fmt: skip
    for model in (adversary, none, scratch):
        assert isinstance(model, fmae_iat.Behaving)
    weights = [model.state_dict()["encoder.patches.weight"] for model in (adversary, none, scratch)]
    start = first["patches.weight"]
    near = [float((each - start).abs().max()) for each in weights]
    # Two steps of AdamW move a weight by at most about twice the rate.
    assert max(near[:2]) < 0.003
    assert not torch.equal(weights[0], weights[1])


def test_pre_training_begins_where_no_pre_training_does(known: Behaviour):
    torch.manual_seed(0)
    alone = fmae_iat.arms(known)[0].make()
    torch.manual_seed(0)
    whole = fmae_iat.Autoencoder(16).encoder
    ours, theirs = alone.state_dict(), whole.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
