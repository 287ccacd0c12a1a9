"""Generalists' recipes, whole, on a few faces of every set; figures of answers that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.core.sessions import Session
from lineament.core.trained import Trained
from lineament.learn.generalists import sets, trial
from lineament.learn.generalists.augment import see
from lineament.learn.generalists.figures import MEASURES, Bench
from lineament.learn.generalists.material import KEPT, Labelled
from lineament.learn.recipes import Comparison, Job, recipe

RNG = np.random.default_rng(3)
FEW = {
    "ucla68": (("images", "*.jpg", 10), ("landmarks", "*.mat", 10)),
    "celeba5k": (("img", "*.jpg", 20), (".", "*.txt", 9)),
    "utkface": ((".", "*.jpg", 16),),
    "aflw2000_16": (("TestImages/AFLW2000", "*.*", 6),),
    "fasseg": (
        ("V2/Train_RGB", "*.jpg", 99),
        ("V2/Train_Labels", "1.png", 1),
        ("V2/Test_RGB", "*.jpg", 99),
        ("V2/Test_Labels", "1.png", 1),
        ("V3/Train_RGB/0", "*.jpg", 999),
        ("V3/Train_labels/0", "*.png", 2),
        ("V3/Test_RGB/0", "*.jpg", 999),
        ("V3/Test_labels/0", "*.png", 2),
    ),
}


@pytest.fixture(scope="module")
def few(shared_data, tmp_path_factory) -> Path:
    """A folder of test sets with a few pictures of each."""
    data = tmp_path_factory.mktemp("data")
    for name, parts in FEW.items():
        for folder, pattern, count in parts:
            here = data / name / folder
            here.mkdir(parents=True, exist_ok=True)
            for path in sorted((shared_data / name / folder).glob(pattern))[:count]:
                (here / path.name).symlink_to(path)
    return data


def run(slug: str, out: Path, data: Path) -> Comparison:
    entry = recipe(slug)
    settings = replace(entry.recipe.settings, steps=1, batch=16)
    job = Job(recipe=entry.recipe, settings=settings, seeds=(0,), out=out, data=data)
    return entry.load()(job)


def test_both_recipes_run_on_the_same_faces(few, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "_CHOSEN_ON", 4)
    monkeypatch.setattr(trial, "_ROUNDS", 20)
    own = {"facexformer": "FaceXFormer", "faceptor": "layer attention"}
    arms = {
        "facexformer": {"no tokens", "one way", "single task"},
        "faceptor": {"last layer tuned", "first stage", "standard heads"},
    }
    for slug in ("facexformer", "faceptor"):
        out = tmp_path / slug
        if slug == "faceptor":
            out.mkdir()
            (out / "made").symlink_to(tmp_path / "facexformer" / "made")
        done = run(slug, out, few)
        table = {row[0]: row[1:] for row in done.rows}
        assert {own[slug], "constant", "specialist"} | arms[slug] <= set(table)
        baselines = {result.baseline for result in done.results}
        assert arms[slug] | {"constant", "lineament-68", "age-v1", "pnp-pose"} <= baselines
        assert "of all tasks" not in done.title
        found = {(r.metric, r.baseline): r for r in done.results}
        points = found[("NME of 68 points over inter-pupil distance, beside lineament-68",
                        "lineament-68")]  # fmt: skip
        assert points.baseline_value is not None
        assert 0.02 < points.baseline_value < 0.09  # a landmarker that works
        assert points.ours > points.baseline_value  # and one of a single step
        (file,) = done.files
        session = Session(file)
        about = Trained.of(session.metadata, str(file))
        assert about.method == slug
        assert [o.name for o in about.outputs] == list(session.outputs)
    assert len(list((tmp_path / "facexformer" / "made").glob("*.npz"))) == 1


def test_a_generalist_needs_labelled_sets(tmp_path):
    known = recipe("faceptor").recipe
    for data, faces in ((None, None), (tmp_path, tmp_path)):
        job = Job(recipe=known, settings=known.settings, seeds=(0,), out=tmp_path, data=data,
                  faces=faces)  # fmt: skip
        with pytest.raises(BadInput, match="labelled sets"):
            sets.gather(job)


def test_figures_of_known_answers():
    """Answers that are the truth, and answers that are off by what is known."""
    count = 8
    truth = Labelled.of(
        RNG.integers(0, 256, (count, KEPT, KEPT, 3), dtype=np.uint8),
        points=RNG.uniform(-0.2, 0.2, (count, 68, 2)).astype(np.float32),
        masks=np.repeat(RNG.integers(0, 6, (count, KEPT, 1)), KEPT, axis=2).astype(np.uint8),
        pose=RNG.normal(0, 0.2, (count, 3)).astype(np.float32),
        attributes=RNG.integers(0, 2, (count, 40)).astype(np.float32),
        age=RNG.uniform(20, 60, count).astype(np.float32),
        sex=RNG.integers(0, 2, count).astype(np.float32),
    )
    names = ("ucla68", "aflw2000", "celeba5k", "utkface", "fasseg")
    bench = Bench(dict.fromkeys(names, truth), np.full(40, 0.3, np.float32))
    seen = see(truth, np.random.default_rng(0))
    right = {
        "landmarks": seen.points.numpy(),
        "pose": truth.pose,
        "attributes": truth.attributes,
        "age": truth.age,
        "sex": np.eye(2, dtype=np.float32)[truth.sex.astype(int)],
        "parsing": seen.masks.numpy(),
        "visibility": bench.batches["visibility"].visible.numpy(),
    }
    best = {m.name: m.of(bench.records(right)[m.task]) for m in MEASURES}
    for measure in MEASURES:
        expected = 1 if measure.higher else 0
        assert best[measure.name] == pytest.approx(
            expected, abs=1e-5 if measure.percent else 1e-3
        ), measure.name
    off = {
        "age": truth.age + 3,
        "pose": truth.pose + np.asarray([0, 0, 0.1], np.float32),
        "attributes": 0.4 * truth.attributes,  # never above a half, but above the base rate
        "sex": 1 - right["sex"],
    }
    worse = {m.name: m.of(bench.records(off)[m.task]) for m in MEASURES if m.task in off}
    assert worse["age MAE, years"] == pytest.approx(3, abs=1e-4)
    assert worse["geodesic pose error, degrees"] == pytest.approx(np.degrees(0.1), abs=1e-3)
    assert worse["mean balanced accuracy of 40 attributes"] == pytest.approx(1)
    no = 1 - truth.attributes.mean()
    assert worse["mean accuracy of 40 attributes"] == pytest.approx(no, abs=1e-3)
    assert worse["sex accuracy"] == 0
