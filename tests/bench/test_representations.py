"""Embedders judged by tasks: a table each, evidence of each figure, no torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lineament.bench.context import Context, protocol
from lineament.bench.representations import judged
from lineament.bench.sets import MissingSet
from lineament.learn.pretraining import figures
from lineament.learn.pretraining.material import Material, recognition
from lineament.learn.pretraining.tasks import Labelled, Measure, Probed, years_off
from lineament.learn.recognition.material import Material as Recognition
from lineament.learn.recognition.material import People, every_pair


def people(count: int, first: int) -> People:
    """Squares of one colour a person, with noise."""
    rng = np.random.default_rng(first)
    labels = np.repeat(np.arange(count), 3)
    own = rng.uniform(40, 215, (count, 3))[labels]
    faces = own[:, None, None] + rng.normal(0, 10, (len(labels), 64, 64, 3))
    return People(faces.clip(0, 255).astype(np.uint8), labels, f"people from {first}")


@pytest.fixture
def material() -> Material:
    def part(first: int) -> Labelled:
        some = people(8, first)
        pixels = some.pixels[np.arange(len(some))]
        years = pixels.mean(axis=(1, 2, 3), dtype=np.float32)[:, None] / 4
        return Labelled(pixels, years, some.labels)

    off = Measure("mean error, years", years_off, higher_is_better=False, percent=False)
    age = Probed("age", "made faces", "hash", off, part(1), part(2), part(3))
    known = Recognition(people(12, 4), people(4, 5), (every_pair("pairs", people(8, 6)),))
    return Material(known, (recognition(known), age))


def test_embedders_stand_beside_the_pixels_in_a_table_for_each_task(material, monkeypatch):
    monkeypatch.setattr(figures, "ROUNDS", 10)
    outcome = judged(Context(methods=("lineament-s",)), material)
    assert [table.title.partition(":")[0] for table in outcome.tables] == ["recognition", "age"]
    for table in outcome.tables:
        assert [row[0] for row in table.rows] == ["raw pixels", "lineament-s"]
        assert table.headings[1:] == tuple(f"{s} % of the labels#" for s in (1, 10, 100))
    assert len({result.key for result in outcome.results}) == len(outcome.results) == 6
    age = outcome.results[-1]
    assert age.method == "lineament-s"
    assert not age.higher_is_better
    assert age.interval is not None
    assert age.interval[0] < age.ours < age.interval[1]
    # Mean light is what the pixels say best.
    assert age.baseline_value is not None
    assert age.baseline_value != age.ours


def test_the_protocol_says_which_set_is_missing(tmp_path):
    with pytest.raises(MissingSet, match="celeba64_train"):
        protocol("representations").run(Context(data=tmp_path))


def test_judging_representations_needs_no_torch():
    code = "import sys, lineament.bench.representations; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
