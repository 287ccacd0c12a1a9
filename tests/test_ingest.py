"""Indexing stores what is done, whatever is still being worked on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest

from lineament.analyze import Analyzer
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.ingest import Tally, index_folder
from lineament.know.gallery import Gallery

WORKERS = 2


class HeldUp(Analyzer):
    """An analyzer that does not let go of the first photo until it is released."""

    released: Event
    photos = 0

    def __call__(self, images: Sequence[Image]) -> list[Faces]:
        self.photos += 1
        if self.photos == 1:
            assert self.released.wait(60), "the other photos were not stored meanwhile"
        return super().__call__(images)


@pytest.fixture
def photos(album: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = json.loads((album / "labels.json").read_text(encoding="utf-8"))["photos"]
    plain = [album / row["file"] for row in rows if row["kind"] == "plain"]
    for number, path in enumerate(plain[:8]):
        shutil.copy(path, folder / f"{number}{path.suffix}")
    return folder


def test_a_photo_in_hand_holds_no_other_back(photos: Path, tmp_path: Path):
    """All other photos are in the database while the first is still worked on: killed then, the
    run would lose that one alone."""
    analyzer = HeldUp.of(threads=1)
    assert isinstance(analyzer, HeldUp)
    analyzer.released = Event()
    embedder = analyzer.embedder
    assert embedder is not None
    stored: list[int] = []

    def on_photo(tally: Tally) -> None:
        with Gallery.open(tmp_path / "gallery") as other:
            stored.append(len(other.photos()))
        if tally.indexed == 7:
            analyzer.released.set()

    where = tmp_path / "gallery"
    with Gallery.open(where, space=embedder.space, dimension=embedder.dimension) as gallery:
        index_folder(photos, gallery, analyzer, workers=WORKERS, on_photo=on_photo)
    assert stored == list(range(1, 9))
