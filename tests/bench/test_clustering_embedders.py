"""Clustering by several embedders: figures by hand, and the album as a whole."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

from lineament.bench.clustering import Album
from lineament.bench.clustering_embedders import (
    BCUBED,
    PAIRS,
    Grouping,
    by_embedder,
    measure,
    pair_errors,
)
from lineament.bench.context import Context, protocol
from lineament.bench.faces import embedded_faces
from lineament.core.cards import method
from lineament.core.crops import Crops
from lineament.core.errors import BadInput
from lineament.measure.sets.lfw import read_lfw
from lineament.measure.verification import equal_error_rate


def people_apart(slug: str, noise: float, count: int = 24, each: int = 4) -> Album:
    """Faces around one direction a person, in a space that is calibrated: the more noise, the
    harder they are to tell apart."""
    draw = np.random.default_rng(0)
    people = np.arange(count).repeat(each)
    vectors = np.eye(128)[people] + noise * draw.normal(size=(len(people), 128)) / np.sqrt(128)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    space = method(slug, "embed").load()().space
    return Album(
        "faces", "hash", vectors.astype(np.float32), np.arange(len(people)), people, space, slug
    )


def test_pairs_are_all_pairs_once():
    """Against every pair gone through one by one."""
    album = people_apart("lineament-s", 2.0, count=8, each=3)
    both = list(combinations(range(len(album.people)), 2))
    scores = np.asarray([float(album.vectors[i] @ album.vectors[j]) for i, j in both])
    same = np.asarray([album.people[i] == album.people[j] for i, j in both])
    value, (low, high) = pair_errors(album.vectors, album.people)
    assert value == pytest.approx(equal_error_rate(scores, same), abs=1e-6)
    assert value > 0
    assert low <= value <= high


def test_embedders_side_by_side():
    good, bad = people_apart("sface", 0.1), people_apart("lineament-s", 3.0)
    table, results = by_embedder([good, bad])
    assert [row[0] for row in table.rows] == ["sface", "lineament-s"]
    assert all(len(row) == len(table.headings) for row in table.rows)
    found = {(r.method, r.metric): r for r in results}
    assert len(found) == 4
    sure = found["sface", BCUBED]
    assert (sure.ours, sure.interval, sure.baseline) == (1.0, (1.0, 1.0), None)
    assert found["sface", PAIRS].ours == 0
    other = found["lineament-s", BCUBED]
    assert other.ours < 1
    assert (other.baseline, other.baseline_value) == ("sface", 1.0)
    assert other.interval is not None
    assert other.interval[0] <= other.ours <= other.interval[1]
    assert other.note.startswith(f"Less sface: {100 * (other.ours - 1):+.2f} (")
    worse = found["lineament-s", PAIRS]
    assert worse.ours > 0.05
    assert not worse.higher_is_better


def test_a_grouping_is_judged_face_by_face():
    grouping = Grouping.of(people_apart("sface", 0.1, count=5))
    assert len(np.unique(grouping.labels)) == 5
    assert grouping.agreement().f == 1
    halves = np.tile([1.0, 0.5], 10)
    mixed = Grouping(grouping.album, grouping.labels, halves, halves[::-1])
    assert (mixed.agreement().precision, mixed.agreement().recall) == (0.75, 0.75)
    assert mixed.agreement(np.asarray([0, 0])).f == pytest.approx(2 / 3)


def test_other_faces_are_refused():
    with pytest.raises(BadInput, match="same faces"):
        by_embedder([people_apart("sface", 0.1), people_apart("lineament-s", 0.1, each=3)])


def test_measure_names_its_protocol():
    outcome = measure([people_apart("sface", 0.1)], "album-clustering")
    assert {r.protocol for r in outcome.results} == {"album-clustering"}
    assert {r.method for r in outcome.results} == {"clustering", "sface"}


def test_the_album_by_both_default_embedders(root, tmp_path):
    """The first photos of it; the protocol does all."""
    photos = json.loads((root / "examples" / "album" / "labels.json").read_text())["photos"][:36]
    (tmp_path / "labels.json").write_text(json.dumps({"photos": photos}))
    for photo in photos:
        target = tmp_path / photo["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((root / "examples" / "album" / photo["file"]).read_bytes())
    outcome = protocol("album-clustering").run(Context(album=tmp_path))
    found = {(r.method, r.metric): r for r in outcome.results}
    for slug in ("sface", "lineament-s"):
        assert found[slug, BCUBED].ours > 0.8
        assert found[slug, PAIRS].ours < 0.15
    assert found["lineament-s", BCUBED].baseline_value == found["sface", BCUBED].ours
    assert found["clustering", "faces that share their photo and their person"].ours == 0


def test_mirrored_crops_are_made_when_asked_for(shared_data):
    paths = read_lfw(shared_data / "lfw").paths[:4]
    embedded = embedded_faces(paths, "lineament-s")
    assert "flip" not in vars(embedded)
    crops = embedded.faces.crops
    embedder = method("lineament-s", "embed").load()(flip=True)
    both = embedder(Crops(crops.pixels, crops.transforms, crops.template))
    np.testing.assert_allclose(embedded.flip.vectors, both.vectors, atol=0.02)
    assert "flip" in vars(embedded)
