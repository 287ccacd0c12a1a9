"""The sample album: marked as generated, small, and labelled with the truth."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image as Pil
from PIL import ImageOps

from lineament.analyze import Analyzer
from lineament.core.errors import TruncatedImage, UnsupportedFormat
from lineament.core.media import read_image

NOT_PHOTOS = {"README.md", "labels.json"}
ORIENTATION = 0x0112

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows(album: Path) -> list[Row]:
    return json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]


@pytest.fixture(scope="module")
def whole(rows: list[Row]) -> list[Row]:
    """Photos that can be decoded."""
    return [row for row in rows if row["kind"] != "broken"]


def overlap(a: list[float], b: list[float]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


def test_labels_and_files_are_the_same_set(album, rows):
    files = {p.relative_to(album).as_posix() for p in album.rglob("*") if p.is_file()}
    labelled = [row["file"] for row in rows]
    assert len(labelled) == len(set(labelled))
    assert files - NOT_PHOTOS == set(labelled)


def test_the_album_is_small(album):
    assert sum(p.stat().st_size for p in album.rglob("*") if p.is_file()) <= 3_000_000


def test_every_photo_says_that_it_is_generated(album, whole):
    for row in whole:
        data = (album / row["file"]).read_bytes()
        assert b"newscodes/digitalsourcetype/trainedAlgorithmicMedia" in data, row["file"]
        assert b"Generated: nobody" in data, row["file"]


def test_sizes_and_boxes_fit_the_displayed_picture(album, whole):
    pillow_heif.register_heif_opener()
    for row in whole:
        with Pil.open(album / row["file"]) as picture:
            assert ImageOps.exif_transpose(picture).size == (row["width"], row["height"]), row
        for face in row["faces"]:
            x0, y0, x1, y1 = face["box"]
            assert 0 <= x0 < x1 <= row["width"], row
            assert 0 <= y0 < y1 <= row["height"], row


def test_nobody_is_twice_on_a_photo_and_faces_do_not_cover_each_other(whole):
    for row in whole:
        people = [face["person"] for face in row["faces"]]
        assert len(people) == len(set(people)), row
        for a, b in combinations(row["faces"], 2):
            assert overlap(a["box"], b["box"]) == 0, row


def test_the_page_counts_right(album, rows):
    page = (album / "README.md").read_text(encoding="utf-8")
    kinds = Counter(row["kind"] for row in rows)
    table = {
        kind: int(count) for kind, count in re.findall(r"^\| ([\w-]+) \| (\d+) \|", page, re.M)
    }
    assert table == kinds
    assert f"\n{len(rows)} files: " in page


def test_the_album_holds_every_person_and_format(album, rows):
    singles = Counter(
        row["faces"][0]["person"]
        for row in rows
        if row["kind"] == "plain" and "duplicate_of" not in row
    )
    assert len(singles) == 24
    assert min(singles.values()) == 4
    suffixes = Counter(Path(row["file"]).suffix for row in rows)
    assert {".png": 1, ".webp": 1, ".heic": 1, ".avif": 1}.items() <= suffixes.items()
    jpegs = [album / row["file"] for row in rows if row["file"].endswith(".jpg")]
    modes, turns = Counter(), Counter()
    for path in jpegs:
        if b"This is a text" not in path.read_bytes()[:20]:
            with Pil.open(path) as picture:
                modes[picture.mode] += 1
                turns[picture.getexif().get(ORIENTATION)] += 1
    assert modes["L"] == 1
    assert turns[6] == 1


def test_kinds_say_what_is_on_the_photo(whole):
    counts = {row["file"]: len(row["faces"]) for row in whole}
    for row in whole:
        allowed = {"no-face": {0}, "group": {2, 3, 4, 5, 6}, "tiny": {3, 4, 5}}
        assert counts[row["file"]] in allowed.get(row["kind"], {1}), row
        if row["kind"] == "tiny":
            for face in row["faces"]:
                assert 23 <= face["box"][2] - face["box"][0] <= 41, row


def test_the_duplicate_is_exact_and_the_only_one(album, rows):
    copies = [row for row in rows if "duplicate_of" in row]
    assert len(copies) == 1
    by_content: dict[str, list[str]] = {}
    for row in rows:
        digest = hashlib.sha256((album / row["file"]).read_bytes()).hexdigest()
        by_content.setdefault(digest, []).append(row["file"])
    twins = [sorted(files) for files in by_content.values() if len(files) > 1]
    assert twins == [sorted([copies[0]["file"], copies[0]["duplicate_of"]])]


def test_the_broken_files_are_broken_in_two_ways(album, rows):
    reasons = set()
    for row in rows:
        if row["kind"] == "broken":
            with pytest.raises((TruncatedImage, UnsupportedFormat)) as caught:
                read_image(album / row["file"])
            reasons.add(caught.type)
            assert row["faces"] == []
    assert reasons == {TruncatedImage, UnsupportedFormat}


def test_another_detector_finds_the_faces_where_the_labels_say(album, whole):
    """Labels were measured by YuNet on the portraits; CenterFace has nothing to do with it."""
    analyzer = Analyzer.of(detector="centerface", embedder=None, want=(), threads=1)
    hits = total = strangers = 0
    for row in whole:
        if row["kind"] not in ("plain", "group", "cut", "no-face"):
            continue
        faces = analyzer([read_image(album / row["file"])])[0]
        found = faces.boxes[faces.scores > 0.6].tolist()
        matched = [max((overlap(f["box"], b) for b in found), default=0) for f in row["faces"]]
        hits += sum(value > 0.4 for value in matched)
        total += len(matched)
        strangers += max(len(found) - len(matched), 0)
    assert hits / total > 0.97
    assert strangers <= 2


def test_people_resemble_themselves_more_than_each_other(album, whole):
    analyzer = Analyzer.of(detector="yunet", embedder="sface", threads=1)
    vectors, people = [], []
    for row in whole:
        if row["kind"] == "plain" and "duplicate_of" not in row:
            faces = analyzer([read_image(album / row["file"])])[0]
            vectors.append(faces.embeddings.vectors[int(np.argmax(faces.scores))])
            people.append(row["faces"][0]["person"])
    scores, names = np.stack(vectors) @ np.stack(vectors).T, np.array(people)
    pairs = np.triu(np.ones_like(scores, dtype=bool), 1)
    alike = names[:, None] == names
    same, different = scores[pairs & alike], scores[pairs & ~alike]
    assert np.percentile(same, 5) > np.percentile(different, 99)
    assert np.median(same) > different.max()
