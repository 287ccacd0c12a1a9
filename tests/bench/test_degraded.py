"""The protocol's parts by hand, its crops against the usual alignment, and a small run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lineament.bench import degraded
from lineament.bench.context import Context, Outcome, protocol
from lineament.bench.degraded_cells import Cell, Figures, judge
from lineament.bench.degraded_ladders import CALIBRATED, EVERY, OWN, ladder_results, ladders
from lineament.bench.plots import Curve
from lineament.core.crops import ARCFACE_112, align
from lineament.core.image import Image
from lineament.core.landmarks import Landmarks
from lineament.know.embed.dlib_resnet import DLIB_150
from lineament.measure.degrade.suites import SUITES, suite
from lineament.measure.interval import Interval
from lineament.measure.sets.lfw import LabeledFaces


def few_people() -> LabeledFaces:
    """Two folds of four pairs of one person and four of two; person k has pictures 2k, 2k + 1."""
    same = [(2 * k, 2 * k + 1) for k in range(8)]
    other = [(2 * k, (2 * k + 3) % 16) for k in range(8)]
    pairs = [*same[:4], *other[:4], *same[4:], *other[4:]]
    return LabeledFaces(
        tuple(Path(f"{i}.jpg") for i in range(16)),
        np.repeat(np.arange(8), 2),
        np.asarray(pairs, np.int64),
        np.asarray([True, False, True, False]).repeat(4),
        np.asarray([0, 1]).repeat(8),
    )


def test_the_part_of_lfw_is_spread_evenly_over_folds_and_pairs():
    part = degraded.genuine_pairs(few_people(), 2)
    # Of four pairs the first and the third: people 0 and 2, then 4 and 6.
    assert [path.stem for path in part.paths] == ["0", "1", "4", "5", "8", "9", "12", "13"]
    assert part.pairs.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert part.people.tolist() == [0, 0, 2, 2, 4, 4, 6, 6]
    assert part.same.all()
    assert part.fold.tolist() == [0, 0, 1, 1]


def test_figures_by_hand():
    people = np.asarray([3, 5, 5, 9, 11, 12])  # the second and third pair are of one person
    scores = np.full((6, 6), 0.1)
    np.fill_diagonal(scores, [0.9, 0.4, 0.8, -1.0, 0.9, 0.9])
    scores[1, 2] = scores[2, 1] = 0.9  # one person's, and so no false matches
    scores[0, 3], scores[0, 2] = 0.6, 0.2
    scores[3] = -1.0  # no face found in this probe
    figures = judge(scores, people, 0.5, 5 / 6)
    assert figures.tar == 4 / 6
    assert figures.fmr == pytest.approx(1 / 28)  # 0.6; 30 off the diagonal, two of one person
    assert figures.tar_interval.low <= figures.tar <= figures.tar_interval.high
    assert figures.fmr_interval.low <= figures.fmr <= figures.fmr_interval.high
    # From 0.2 to 0.4 one pair of six is refused, and 2 of 28 pass; at 0.1 all pass but the five
    # refused, 23 of 28. The line between them is level at 1 / 6, and there the rates meet.
    assert figures.eer == pytest.approx(1 / 6)
    assert figures.found == 5 / 6
    assert figures.passes.tolist() == [True, False, True, False, True, True]
    # One in a thousand of 28 strangers is none of them: the threshold lies just above 0.6.
    assert figures.passes_own.tolist() == [True, False, True, False, True, True]


def test_perfect_scores_are_perfect():
    figures = judge(np.eye(20) * 2 - 1, np.arange(20), 0.5, 1.0)
    assert (figures.tar, figures.fmr, figures.eer) == (1, 0, 0)
    assert figures.tar_interval.pair == (1, 1)
    assert figures.fmr_interval.pair == (0, 0)


def test_one_person_more_or_less_moves_the_interval_as_far_as_it_should():
    """With one pair a person the bootstrap's spread is the binomial's."""
    accepted = np.arange(400) < 300
    scores = np.where(np.eye(400, dtype=bool), np.where(accepted, 0.9, 0.1)[:, None], 0.0)
    low, high = judge(scores, np.arange(400), 0.5, 1.0).tar_interval.pair
    spread = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.75 - spread, 0.75 + spread), abs=0.008)


def _cell(slug: str, name: str, level: float | None, passes: list[int], eer: float) -> Cell:
    known, none = suite(name), Interval(0, 0)
    truth = np.asarray(passes, bool)
    figures = Figures(truth.mean(), none, eer / 2, none, eer, 1.0, truth, np.ones(4, bool))
    return Cell(slug, known, level, figures)


def test_ladders_by_hand():
    """Two severities of one suite, one of another; suites weigh the same, and clean counts not."""
    cells = [
        _cell("sface", "gamma", None, [0, 0, 0, 0], 0.9),
        _cell("sface", "gamma", 2, [1, 1, 0, 0], 0.2),
        _cell("sface", "gamma", 3, [1, 0, 0, 0], 0.4),
        _cell("sface", "resolution", 14, [1, 1, 1, 0], 0.1),
        _cell("other", "gamma", 2, [1, 1, 1, 0], 0.2),
        _cell("other", "gamma", 3, [1, 1, 1, 0], 0.2),
        _cell("other", "resolution", 14, [1, 1, 1, 0], 0.2),
    ]
    found = {(each.slug, each.suite): each for each in ladders(cells)}
    assert found["sface", "gamma"].passes[CALIBRATED].tolist() == [1, 0.5, 0, 0]
    assert found["sface", EVERY].passes[CALIBRATED].tolist() == [1, 0.75, 0.5, 0]
    assert found["sface", "gamma"].eer == pytest.approx(0.3)
    assert found["sface", EVERY].eer == pytest.approx(0.2)
    assert found["sface", EVERY].fmr == pytest.approx(0.1)
    results = {
        (r.method, r.metric): r
        for r in ladder_results(list(found.values()), np.asarray([0, 1, 1, 2]), "data", "hash")
    }
    ours = results["other", f"mean over severities of {CALIBRATED}, {EVERY}"]
    assert (ours.ours, ours.baseline, ours.baseline_value) == (0.75, "sface", 0.5625)
    assert ours.note.startswith("Less sface: +18.75 (")
    assert ours.interval is not None
    assert ours.interval[0] <= 0.75 <= ours.interval[1]
    same = results["other", f"mean over severities of {OWN}, {EVERY}"]
    assert same.note == "Less sface: +0.00 (+0.00 to +0.00) points."
    assert results["sface", f"mean over severities of {CALIBRATED}, {EVERY}"].baseline is None


@pytest.mark.parametrize("template", [ARCFACE_112, DLIB_150], ids=lambda t: t.name)
def test_crops_cut_from_the_canvas_are_those_of_alignment(template):
    random = np.random.default_rng(3)
    coarse = random.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    image = Image(
        np.asarray(Pillow.fromarray(coarse).resize((240, 240), Pillow.Resampling.BICUBIC))
    )
    turn = 1.1 * np.asarray([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    points = (np.asarray(ARCFACE_112.points) - 56) @ turn + (118, 121)
    points = Landmarks(points[None].astype(np.float32), "5")
    cut = degraded.cut(align(image, points, degraded.CANVAS).pixels, template)
    direct = align(image, points, template)
    assert cut.template == direct.template == template.name
    apart = np.abs(cut.pixels.astype(int) - direct.pixels)
    if template is ARCFACE_112:  # the same pixels, rounded down once more
        assert apart.max() <= 2
        assert apart.mean() < 1
    else:  # sampled twice, and so a little softer
        assert apart.mean() < 2


def test_every_template_lies_on_the_canvas():
    """A white canvas gives crops without a dark pixel: nothing is missing at their edges."""
    side = degraded.CANVAS.size
    white = np.full((1, side, side, 3), 255, np.uint8)
    for template in (ARCFACE_112, DLIB_150):
        assert np.all(degraded.cut(white, template).pixels == 255)


def test_points_share_the_first_clean_one():
    points = [(s.name, level) for s, level in degraded.points_of(SUITES[:2])]
    assert points[0] == ("resolution", None)
    assert points[1:6] == [("resolution", level) for level in SUITES[0].levels]
    assert points[6:] == [("gaussian blur", level) for level in SUITES[1].levels]


def few_data(outcome: Outcome) -> str:
    """The data of aligned probes, in the words of the run."""
    return next(r.data for r in outcome.results if "aligned probe" in r.data)


def test_a_small_run_is_evidence(shared_data, monkeypatch):
    """Fewer pairs and points; the rest is the protocol as it stands."""
    hard = suite("gaussian noise")
    few = type(hard)(hard.name, hard.unit, (60,), 0, hard.degrade)
    turned = degraded.CHAIN[1]
    upside = type(turned)(turned.name, turned.unit, (180,), 0, turned.degrade)
    monkeypatch.setattr(degraded, "SUITES", (few,))
    monkeypatch.setattr(degraded, "CHAIN", (upside,))
    monkeypatch.setattr(degraded, "PAIRS_A_FOLD", 1)
    monkeypatch.setattr(degraded, "CHAIN_PAIRS_A_FOLD", 1)
    outcome = protocol("degraded-lfw").run(Context(data=shared_data, methods=("sface",)))
    figures = {(r.method, r.data, r.metric): r for r in outcome.results}
    points, means = 2 * 2 * 2 * 3, 2 * 2 * 2 * 4
    assert len(figures) == len(outcome.results) == points + means

    def tar(slug: str, where: str, label: str) -> float:
        name = f"TAR at calibrated FMR 1e-3, {label}"
        (found,) = (r for (s, d, m), r in figures.items() if (s, m) == (slug, name) and where in d)
        assert (found.baseline is None) == (slug == "dlib-resnet")
        assert found.interval is not None
        return found.ours

    for slug in ("sface", "dlib-resnet"):
        assert tar(slug, "aligned probe", "clean") >= 0.8
        assert tar(slug, "aligned probe", "gaussian noise sigma 60 of 255") <= 0.5
        # The upright search finds a picture that stands on its head.
        assert tar(slug, "whole probe", "whole picture, rotation 180 degrees") >= 0.7
    aligned, whole, summary, curves = outcome.tables
    assert [row[0] for row in aligned.rows] == ["dlib-resnet", "sface"]
    assert len(whole.rows[0]) == len(whole.headings)
    ours = figures["sface", few_data(outcome), f"mean over severities of {CALIBRATED}, {EVERY}"]
    assert ours.ours == tar("sface", "aligned probe", "gaussian noise sigma 60 of 255")
    assert [row[0] for row in summary.rows] == ["gaussian noise", "whole picture, rotation"]
    assert len(curves.rows) == 8
    assert all(len(row) == len(curves.headings) for row in curves.rows)
    assert len(outcome.plots) == 2
    for plot in outcome.plots:
        assert isinstance(plot, Curve)
        assert list(plot.series) == list(plot.intervals) == ["dlib-resnet", "sface"]


def test_the_page_has_every_ladder(root):
    page = (root / "docs" / "degradations.md").read_text(encoding="utf-8")
    for each in (*SUITES, *degraded.CHAIN):
        ladder = each.unit.format(", ".join(f"{level:g}" for level in each.levels))
        assert f"| {each.name} | {ladder} |" in page
    assert f"{degraded.PAIRS_A_FOLD} pairs of one person" in page
    assert f"({degraded.CHAIN_PAIRS_A_FOLD} where whole pictures are damaged)" in page
