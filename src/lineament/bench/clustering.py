"""Clustering: people from faces, beside DBSCAN and average linkage.

The baselines get the threshold that a user of scikit-learn would carry over (our calibration's own)
and, as an upper bound, the best of a sweep chosen with the truth at hand. Ours has one fixed rule.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from lineament.analyze import Analyzer
from lineament.bench.context import Table
from lineament.bench.faces import embedded_faces
from lineament.core.errors import UnreadableImage
from lineament.core.geometry import box_iou
from lineament.core.media import content_hash, read_image
from lineament.know.calibration import calibration_of
from lineament.know.cluster import cluster, threshold_for
from lineament.measure.clustering import Agreement, bcubed
from lineament.measure.evidence import Result
from lineament.measure.sets.lfw import read_lfw

SWEEP = np.arange(0.20, 0.80, 0.02)
"""Similarities that the baselines may choose from."""


@dataclass(frozen=True, eq=False)
class Album:
    """Faces to be grouped, with the truth.

    Attributes:
        name: of the data.
        digest: of its bytes.
        vectors: unit embeddings, n x d.
        photos: the photo of each face.
        people: the true person of each face.
        space: of the embeddings.
        slug: of the embedder.
    """

    name: str
    digest: str
    vectors: Float32[np.ndarray, "n d"]
    photos: Int64[np.ndarray, " n"]
    people: Int64[np.ndarray, " n"]
    space: str
    slug: str


def lfw_faces(folder: Path, slug: str) -> Album:
    """LFW's main faces, one a photo."""
    lfw = read_lfw(folder)
    embedded = embedded_faces(lfw.paths, slug)
    found = embedded.faces.found
    vectors = embedded.plain.vectors
    photos = np.flatnonzero(found)
    return Album(
        "LFW, 7,701 pictures",
        lfw.digest(),
        vectors,
        photos,
        lfw.people[found],
        embedded.plain.space,
        slug,
    )


def album_faces(folder: Path, slug: str) -> Album:
    """The sample album's faces that were found, matched to its labels by overlap.

    Faces that no label names (false detections) are people of their own; exact copies of a photo
    count once.
    """
    labels_file = folder / "labels.json"
    labels = json.loads(labels_file.read_text(encoding="utf-8"))["photos"]
    analyzer = Analyzer.of(embedder=slug)
    vectors, photos, people, seen = [], [], [], set()
    for number, row in enumerate(labels):
        path = folder / row["file"]
        try:
            image = read_image(path)
        except UnreadableImage:
            continue
        if (digest := content_hash(path)) in seen:
            continue
        seen.add(digest)
        faces = analyzer([image])[0]
        truth = np.asarray([f["box"] for f in row["faces"]], np.float32).reshape(-1, 4)
        overlap = box_iou(faces.boxes, truth)
        for i in range(len(faces)):
            best = int(overlap[i].argmax()) if len(truth) else -1
            known = best >= 0 and overlap[i, best] >= 0.3
            people.append(row["faces"][best]["person"] if known else f"nobody {number} {i}")
            photos.append(number)
        vectors.append(faces.embeddings.vectors)
    embedder = analyzer.embedder
    assert embedder is not None
    return Album(
        f"the sample album, {len(seen)} photos",
        content_hash(labels_file),
        np.concatenate(vectors),
        np.asarray(photos, np.int64),
        np.unique(people, return_inverse=True)[1].astype(np.int64),
        embedder.space,
        slug,
    )


def grouped(album: Album) -> Int64[np.ndarray, " n"]:
    """Ours, at its one fixed rule."""
    threshold = threshold_for(len(album.vectors), calibration_of(album.space))
    return cluster(album.vectors, photos=album.photos, threshold=threshold)


def compare(album: Album) -> tuple[Table, list[Result]]:
    """Ours and the baselines on one album."""
    threshold = threshold_for(len(album.vectors), calibration_of(album.space))
    started = time.perf_counter()
    ours = grouped(album)
    seconds = time.perf_counter() - started
    lines = [("Lineament", "fixed rule", ours, seconds)]
    for name, labels_at in (("DBSCAN", dbscan), ("average linkage", average_linkage(album))):
        for setting, wanted in (("same threshold", [threshold]), ("best of a sweep", SWEEP)):
            started = time.perf_counter()
            tried = [labels_at(album, float(t)) for t in wanted]
            seconds = (time.perf_counter() - started) / len(tried)
            best = max(tried, key=lambda labels: bcubed(album.people, labels).f)
            lines.append((name, setting, best, seconds))
    figures = [(name, setting, bcubed(album.people, labels)) for name, setting, labels, _ in lines]
    table = Table(
        f"Clustering {album.name}: {len(np.unique(album.people)):,} people, "
        f"{len(album.vectors):,} faces",
        ("method", "threshold", "P %#", "R %#", "F %#", "groups#", "in one photo#", "s#"),
        [_row(album, name, setting, labels, seconds) for name, setting, labels, seconds in lines],
    )
    return table, _results(album, ours, figures)


def dbscan(album: Album, threshold: float) -> Int64[np.ndarray, " n"]:
    """scikit-learn's DBSCAN over cosine distance; noise becomes people of one face."""
    from sklearn.cluster import DBSCAN

    found = DBSCAN(eps=1 - threshold, min_samples=2, metric="cosine").fit_predict(album.vectors)
    alone = found < 0
    found[alone] = found.max() + 1 + np.arange(alone.sum())
    return found.astype(np.int64)


def average_linkage(album: Album):
    """scikit-learn's agglomerative clustering with average linkage over cosine distance.

    The tree does not depend on the threshold: it is grown once and cut at each.
    """
    from sklearn.cluster import AgglomerativeClustering

    tree = AgglomerativeClustering(
        n_clusters=None,  # pyright: ignore[reportArgumentType]  (its stub forgets None)
        distance_threshold=0.0,
        metric="cosine",
        linkage="average",
    ).fit(album.vectors)

    def cut(album: Album, threshold: float) -> Int64[np.ndarray, " n"]:
        n = len(album.vectors)
        home = np.arange(2 * n - 1)
        for step, ((a, b), distance) in enumerate(
            zip(tree.children_, tree.distances_, strict=True)
        ):
            if distance < 1 - threshold:
                home[a] = home[b] = n + step
        for node in range(2 * n - 2, -1, -1):
            home[node] = home[home[node]]
        return np.unique(home[:n], return_inverse=True)[1].astype(np.int64)

    return cut


def together_in_a_photo(labels: Int64[np.ndarray, " n"], photos: Int64[np.ndarray, " n"]) -> int:
    """How many faces share both their photo and their person with an earlier face."""
    return len(labels) - len(np.unique(np.stack([labels, photos], axis=1), axis=0))


def _row(album: Album, name: str, setting: str, labels: np.ndarray, seconds: float) -> list[str]:
    score = bcubed(album.people, labels)
    return [
        name,
        setting,
        *(f"{100 * v:.2f}" for v in (score.precision, score.recall, score.f)),
        f"{len(np.unique(labels)):,}",
        str(together_in_a_photo(labels, album.photos)),
        f"{seconds:.2f}",
    ]


def _results(
    album: Album, ours: np.ndarray, figures: list[tuple[str, str, Agreement]]
) -> list[Result]:
    common: dict[str, Any] = {
        "method": "clustering",
        "protocol": "",
        "data": album.name,
        "data_hash": album.digest,
    }
    mine = figures[0][2]
    rows = [
        Result(
            **common,
            metric=f"BCubed F beside {name}, {setting}",
            ours=mine.f,
            baseline=f"scikit-learn {name}, {setting}",
            baseline_value=score.f,
            higher_is_better=True,
            note=f"by {album.slug}: precision {mine.precision:.4f}, recall {mine.recall:.4f}; "
            f"baseline {score.precision:.4f}, {score.recall:.4f}",
        )
        for name, setting, score in figures[1:]
    ]
    rows.append(
        Result(
            **common,
            metric="faces that share their photo and their person",
            ours=float(together_in_a_photo(ours, album.photos)),
            baseline="required",
            baseline_value=0.0,
            higher_is_better=False,
        )
    )
    return rows
