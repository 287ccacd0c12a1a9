"""Every loss of the margin family trains on real faces, from files to figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.curve import read_curve
from lineament.learn.losses import table
from lineament.learn.recipes import Job, recipe
from lineament.learn.recognition import figures, trial
from lineament.learn.recognition.material import SIZE, Material, every_pair, read_faces
from lineament.measure.sets.lfw import read_lfw

PEOPLE, EACH = 12, 4


@pytest.fixture(scope="module")
def material(shared_data, tmp_path_factory) -> Material:
    """Some people of LFW in folders of their own, a third of them to be measured on."""
    lfw = read_lfw(shared_data / "lfw")
    folder: Path = tmp_path_factory.mktemp("people")
    for person in np.flatnonzero(np.bincount(lfw.people) >= EACH)[:PEOPLE]:
        (folder / f"{person}").mkdir()
        for row in np.flatnonzero(lfw.people == person)[:EACH]:
            (folder / f"{person}" / lfw.paths[row].name).symlink_to(lfw.paths[row])
    faces = read_faces(folder, folder / "made", SIZE)
    assert (len(faces), faces.count) == (PEOPLE * EACH, PEOPLE)
    learnt = np.arange(PEOPLE) % 3 > 0
    test = every_pair("some of LFW", faces.of(~learnt))
    return Material(faces.of(learnt), faces.of(~learnt), (test,))


def test_the_table_of_losses(material, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "ROUNDS", 20)
    monkeypatch.setattr(trial, "gather", lambda job: material)
    known = recipe("losses").recipe
    settings = replace(known.settings, steps=3, batch=8, warm_up=1)
    job = Job(recipe=known, settings=settings, seeds=(0,), out=tmp_path / "losses")
    done = table.run(job)
    arms = [row[0] for row in done.rows]
    names = ["softmax of cosines", "plain softmax", "SphereFace", "CosFace", "ArcFace", "AdaFace"]
    assert arms[:7] == [*names, "raw pixels"]
    assert arms[7:] == [
        "softmax of cosines less plain softmax",
        *(f"{name} less softmax of cosines" for name in names[2:]),
    ]
    assert len(done.results) == 5 * len(figures.figures(material.tests))
    curves = sorted((tmp_path / "runs").glob("*/curve.csv"))
    assert len(curves) == 6
    losses = [float(read_curve(path)[1]["loss"]) for path in curves]
    assert np.isfinite(losses).all()
    assert len(set(losses)) == 6
    assert [path.name for path in done.files] == ["softmax-of-cosines-0.onnx"]
    session = Session(done.files[0], threads=1)
    assert Trained.of(session.metadata, "it").outputs[0].field == "embeddings"
    faces = material.tests[0].gallery[:3].astype(np.float32).transpose(0, 3, 1, 2)
    assert session.run((faces / 255 - 0.5) / 0.5)[0].shape == (3, 128)


def test_all_recipes_of_the_family_share_one_budget():
    """Their runs are taken over from one another, so nothing of it may differ."""
    slugs = ("softmax", "sphereface", "cosface", "arcface", "adaface")
    known = recipe("losses").recipe
    assert known.of == slugs
    for slug in slugs:
        assert recipe(slug).recipe.settings == known.settings
        assert recipe(slug).recipe.sets == known.sets
