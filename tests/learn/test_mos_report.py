"""MOS's comparison: what is said of ideas left out, and the evidence that comes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineament.learn.detection.material import Material
from lineament.learn.detection.measured import AP, POINTS, POSE, TAUGHT, MeanError, Precision
from lineament.learn.detection.mos import IDEAS, LONGEST
from lineament.learn.detection.report import compare
from lineament.learn.detection.trial import Run
from lineament.learn.recipes import Job, recipe

RNG = np.random.default_rng(0)


def precise(share: float) -> Precision:
    """40 scenes of ten faces, so many of which are found, and nothing else."""
    found = int(10 * share)
    scores = [np.linspace(0.9, 0.5, found) for _ in range(40)]
    return Precision(scores, [np.ones(found, bool)] * 40, np.full(40, 10))


def errors(level: float, missed: int = 0) -> MeanError:
    values = level + RNG.normal(0, 0.01, 30)
    values[:missed] = np.nan
    return MeanError(values)


def run(share: float, level: float, posed: bool = True, missed: int = 0) -> Run:
    figures = {AP: precise(share)}
    if posed:
        figures |= {name: errors(level, missed) for name in (TAUGHT, POINTS, POSE)}
    return Run(Path(), figures)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    entry = recipe("mos").recipe
    job = Job(recipe=entry, settings=entry.settings, seeds=(0, 1), out=tmp_path_factory.mktemp("o"))
    figures = [str(name) for name in (AP, TAUGHT, POINTS, POSE)]
    names = dict.fromkeys(figures, "some data")
    material = Material([], [], [], [], [], [], names, names, "Learnt from something")
    runs = {
        LONGEST: [run(0.9, 0.1)],
        "MOS": [run(0.6, 0.2), run(0.8, 0.2)],
        "equal weights": [run(0.5, 0.5), run(0.5, 0.5)],
        "no feedback": [run(0.8, 0.2, missed=20), run(0.8, 0.2)],
        "detection only": [run(0.7, 0.0, posed=False)] * 2,
    }
    beside = {
        "itself": Run(Path(), {}, milliseconds=5.0),
        "YuNet": Run(Path(), {AP: precise(1.0)}, milliseconds=2.5),
    }
    return compare(job, material, runs, beside, LONGEST)


def test_the_title_says_what_leaving_an_idea_out_does(done):
    said = {part.split(": ")[0]: part for part in done.title.split("same steps: ")[1].split("; ")}
    assert set(said) == set(IDEAS) - {"MOS"}
    assert f"{AP} -20.00 (worse)" in said["equal weights"]
    assert said["equal weights"].count("worse") == 4
    assert f"{AP} +10.00 (better)" in said["no feedback"]
    assert f"{POINTS}" in said["no feedback"]
    assert said["detection only"] == f"detection only: {AP} +0.00 (no effect)"


def test_every_figure_that_both_have_is_evidence(done):
    results = {result.metric: result for result in done.results}
    assert len(results) == 4 + 4 + 1 + 1 + 1
    mine = results[f"{AP}, beside equal weights"]
    assert (mine.ours, mine.baseline_value) == pytest.approx((0.7, 0.5))
    assert mine.higher_is_better
    assert "By seed, %: 60.00, 80.00; equal weights: 50.00, 50.00; less: +20.00" in mine.note
    other = results[f"{POSE}, beside no feedback"]
    assert not other.higher_is_better
    assert other.interval is not None
    assert other.interval[0] < other.ours < other.interval[1]
    assert "Faces found, of 30: 30, 30; no feedback: 10, 30." in other.note
    against = results[f"{AP}, beside YuNet"]
    assert (against.ours, against.baseline_value) == pytest.approx((0.9, 1.0))
    spent = results["ms a scene, beside YuNet"]
    assert (spent.ours, spent.baseline_value) == (5.0, 2.5)


def test_the_table_has_a_row_an_arm(done):
    rows = {row[0]: row for row in done.rows}
    assert list(rows) == [LONGEST, *IDEAS, "YuNet"]
    assert rows["MOS"][1] == "70.00"
    assert rows["detection only"][2:5] == ("", "", "")
    assert rows["no feedback"][4].endswith("(10 of 30)")
