"""A folder of photos and videos becomes one gallery: the same people in both."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from encoded_videos import write_video
from lineament.analyze import Analyzer
from lineament.ingest import index_folder
from lineament.know.gallery import Gallery
from moving_faces import Actor, Scene, line, plain_photos


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer.of(threads=1)


@pytest.fixture(scope="module")
def folder(album: Path, tmp_path_factory) -> Path:
    """A photo of each of two people, and a video of both; one of them comes a second time."""
    made = tmp_path_factory.mktemp("media")
    for person in ("p10", "p18"):
        shutil.copy(plain_photos(album)[person][1][0], made / f"{person}.jpg")
    scene = Scene(
        album,
        [
            Actor("p10", 0, 120, line((120, 180), (220, 180), 0, 20)),
            Actor("p18", 0, 120, line((500, 180), (420, 180), 10, 70)),
            Actor("p10", 2, 120, line((100, 180), (200, 200), 45, 70)),
        ],
        70,
    )
    turned = [np.rot90(image.pixels, 1) for image, _ in scene.play()]
    write_video(made / "film.MP4", turned, rotation=-90, muxer={"movflags": "faststart"})
    (made / "broken.mov").write_bytes(b"no video")
    return made


def opened(path: Path, analyzer: Analyzer) -> Gallery:
    embedder = analyzer.embedder
    assert embedder is not None
    return Gallery.open(path, space=embedder.space, dimension=embedder.dimension)


def test_people_of_a_video_are_those_of_the_photos(folder, tmp_path, analyzer):
    with opened(tmp_path / "g.lineament", analyzer) as gallery:
        tally = index_folder(folder, gallery, analyzer, workers=1)
        assert (tally.found, tally.indexed, tally.videos) == (4, 3, 1)
        assert [Path(path).name for path, _ in tally.skipped] == ["broken.mov"]
        people = gallery.people()
        shown = sorted(
            sorted({Path(face.photo).name for face in person.faces}) for person in people
        )
        assert shown == [["film.MP4", "p10.jpg"], ["film.MP4", "p18.jpg"]]
        film = next(p for p in gallery.photos() if p.seconds is not None)
        assert (film.width, film.height) == (640, 360)
        assert film.seconds == pytest.approx(2.8, abs=0.1)
        for person in people:
            for face in person.faces:
                assert (face.span is None) == face.photo.endswith(".jpg")
        again = index_folder(folder, gallery, analyzer, workers=1)
        assert (again.indexed, again.unchanged) == (0, 4)


def test_a_copy_is_known_and_a_forgotten_film_stays_out(folder, tmp_path, analyzer):
    films = tmp_path / "films"
    films.mkdir()
    shutil.copy(folder / "film.MP4", films / "a.mp4")
    with opened(tmp_path / "g.lineament", analyzer) as gallery:
        index_folder(films, gallery, analyzer, workers=1)
        shutil.copy(folder / "film.MP4", films / "b.mp4")
        assert index_folder(films, gallery, analyzer, workers=1).known == 1
        crops = [gallery.crop(i) for i in gallery.codes().ids.tolist()]
        assert crops
        gallery.forget_photo(films / "a.mp4")
        (films / "a.mp4").touch()
        tally = index_folder(films, gallery, analyzer, workers=1)
        assert (tally.indexed, gallery.counts()) == (0, (0, 0))
    stored = (tmp_path / "g.lineament").read_bytes()
    assert not any(crop in stored for crop in crops)


def test_a_film_that_breaks_off_is_kept_as_far_as_it_goes(folder, tmp_path, analyzer):
    film = tmp_path / "media" / "film.mp4"
    film.parent.mkdir()
    data = (folder / "film.MP4").read_bytes()
    film.write_bytes(data[: int(0.6 * len(data))])
    with opened(tmp_path / "g.lineament", analyzer) as gallery:
        tally = index_folder(film.parent, gallery, analyzer, workers=1)
        assert (tally.indexed, tally.skipped) == (1, [])
        assert [Path(path).name for path, _ in tally.damaged] == ["film.mp4"]
        assert gallery.photos()[0].damage == tally.damaged[0][1] != ""
        assert gallery.counts()[1] >= 1


def test_without_the_extra_films_are_skipped_and_tried_again_when_it_is_there(
    folder, tmp_path, analyzer, monkeypatch
):
    films = tmp_path / "films"
    films.mkdir()
    shutil.copy(folder / "film.MP4", films)
    with opened(tmp_path / "g.lineament", analyzer) as gallery:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "av", None)
            tally = index_folder(films, gallery, analyzer, workers=1)
        assert tally.indexed == 0
        assert "lineament[video]" in tally.skipped[0][1]
        assert gallery.skipped()[0].kind == "ExtraMissing"
        tally = index_folder(films, gallery, analyzer, workers=1)
        assert (tally.indexed, tally.skipped, gallery.skipped()) == (1, [], [])
