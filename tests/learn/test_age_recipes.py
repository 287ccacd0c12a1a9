"""The recipes of age, whole, on a few real faces: what they make runs, and the evidence is in
place. The figures mean nothing here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.attributes import aged_faces, fp_age
from lineament.learn.recipes import Job, recipe

PICTURES = {"utkface": 30, "celeba5k/img": 12}


@pytest.fixture(scope="module")
def few(shared_data, tmp_path_factory) -> Path:
    """A folder of test sets with few pictures."""
    folder = tmp_path_factory.mktemp("sets")
    for name, count in PICTURES.items():
        (folder / name).mkdir(parents=True)
        every = sorted((shared_data / name).glob("*.jpg"))
        for path in every[:: len(every) // count][:count]:
            (folder / name / path.name).symlink_to(path)
    for path in (shared_data / "celeba5k").glob("*.txt"):
        (folder / "celeba5k" / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """Where both recipes work: they share what was found."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize(
    ("slug", "arms", "conditions", "outputs"),
    [("fp-age", 3, 2, ("age",)), ("mivolo", 4, 3, ("age", "sex"))],
)
def test_a_recipe_runs(slug, arms, conditions, outputs, few, out, monkeypatch):
    monkeypatch.setenv("LINEAMENT_ACCEPT_RESEARCH", "1")
    monkeypatch.setattr(fp_age, "PARSED", 2)
    monkeypatch.setattr(fp_age, "AGREED", 2)
    monkeypatch.setattr(aged_faces, "ALIKE", 1.1)
    entry = recipe(slug)
    settings = replace(entry.recipe.settings, steps=2, batch=4, measure_every=0)
    job = Job(recipe=entry.recipe, settings=settings, seeds=(0,), out=out / slug, data=few)
    done = entry.load()(job)
    assert len(done.files) == arms
    for file in done.files:
        about = Trained.of(Session(file, threads=1).metadata, str(file))
        assert about.method == slug
        assert tuple(output.field for output in about.outputs) == outputs
    # The blind answer and two other methods stand beside the arms, on faces as they are.
    assert len(done.rows) == arms * conditions + 3
    assert {row[1] for row in done.rows if row[0].startswith("human")} == {done.rows[0][1]}
    assert all(np.isfinite(result.ours) and result.note for result in done.results)
    keys = [result.key for result in done.results]
    assert len(set(keys)) == len(keys)
    assert f"{len(aged_faces.split(PICTURES['utkface'])['test'])} test faces" in done.title
