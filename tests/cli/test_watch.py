"""``lineament watch`` as a person or a script runs it."""

from __future__ import annotations

import csv
import json
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from encoded_videos import write_video
from lineament.analyze import Analyzer
from lineament.cli.watch import COLUMNS, _clock, watch
from lineament.core.errors import BadInput, GalleryError
from lineament.core.video import read_video
from lineament.ingest import index_folder
from lineament.know.calibration import calibration_of
from lineament.know.gallery import Gallery
from moving_faces import Actor, Scene, line, plain_photos


@pytest.fixture(scope="module")
def film(album: Path, tmp_path_factory) -> Path:
    scene = Scene(album, [Actor("p10", 0, 110, line((200, 180), (350, 180), 0, 24))], 25)
    pictures = (image.pixels for image, _ in scene.play())
    return write_video(tmp_path_factory.mktemp("film") / "film.mp4", pictures, sound="aac")


def options(film: Path, **given) -> Namespace:
    usual = {
        "video": film,
        "draw": None,
        "csv": None,
        "attention": None,
        "gallery": None,
        "false_match_rate": 1e-3,
        "json": False,
        "every": None,
        "detect_every": 1,
        "max_side": None,
        "detector": "yunet",
        "embedder": "sface",
        "flip": False,
        "small_faces": False,
        "threads": 1,
    }
    return Namespace(**{**usual, **given})


def test_json_csv_and_the_drawn_video_tell_the_same(film, tmp_path, capsys):
    table, drawn = tmp_path / "t.csv", tmp_path / "d.mp4"
    assert watch(options(film, json=True, csv=table, draw=drawn, detect_every=2)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["width"], told["height"], told["frames"]) == (640, 360, 25)
    assert (told["damage"], told["silent"], told["encoder"]) == (None, None, "libx264")
    (track,) = told["tracks"]
    assert (track["id"], track["first"], track["last"]) == (1, 0.0, 0.96)
    assert track["best"][0]["quality"] > 0
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row["track"] for row in rows} == {"1"}
    assert {row["found"] for row in rows} == {"0", "1"}
    centres = [(float(row["x1"]) + float(row["x2"])) / 2 for row in rows]
    assert np.all(np.diff(centres) > 0), "it moves to the right"
    assert len(list(read_video(drawn))) == 25


def test_people_read_a_table_and_hear_of_damage(film, tmp_path, capsys):
    broken = write_video(tmp_path / "b.mkv", [f.image.pixels for f in read_video(film)] * 4)
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    assert watch(options(broken, every=0.2)) == 0
    said = capsys.readouterr()
    assert "1 faces followed" in said.out
    assert f"lineament: {broken}" in said.err


def test_attention_is_a_page_and_a_table(film, tmp_path, capsys):
    page = tmp_path / "heads.html"
    assert watch(options(film, attention=page)) == 0
    assert "heads.csv" in capsys.readouterr().out
    with page.with_suffix(".csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["track"] for row in rows} == {"1"}
    times = [float(row["seconds"]) for row in rows]
    assert np.allclose(np.diff(times), 0.04)
    # The face of the photo looks into the camera, and it does not turn as it moves.
    forward = [row["orientation"] == "forward" for row in rows]
    assert np.mean(forward) > 0.9
    assert np.ptp([float(row["yaw"]) for row in rows]) < 10
    text = page.read_text(encoding="utf-8")
    assert f"forward {np.mean(forward):.0%}" in text
    assert "without their consent" in text
    assert text.count("data:image/jpeg;base64,") == 1
    assert "http" not in text, "one page that asks for nothing else"
    with pytest.raises(BadInput, match="must not end in .csv"):
        watch(options(film, attention=tmp_path / "heads.csv"))


@pytest.fixture(scope="module")
def gallery(album: Path, tmp_path_factory) -> Path:
    """Of the album: p10 by two photos that are not in the film, as Ada; p14 as Ben; p18 without a
    name."""
    photos = plain_photos(album)
    ours = tmp_path_factory.mktemp("gallery")
    for number, (person, photo) in enumerate([("p10", 1), ("p10", 2), ("p14", 0), ("p18", 1)]):
        shutil.copy(photos[person][photo][0], ours / f"{number}.jpg")
    path = ours / "g"
    analyzer = Analyzer.of(threads=1)
    embedder = analyzer.embedder
    assert embedder is not None
    with Gallery.open(path, space=embedder.space, dimension=embedder.dimension) as opened:
        index_folder(ours, opened, analyzer, workers=1)
        for file, name in (("0.jpg", "Ada"), ("2.jpg", "Ben")):
            person = next(
                p for p in opened.people() if any(Path(f.photo).name == file for f in p.faces)
            )
            opened.name(person.id, name)
    return path


@pytest.fixture(scope="module")
def three(album: Path, tmp_path_factory) -> Path:
    """p10 and p18, and from the middle on p14, who walks in."""
    actors = [
        Actor("p10", 0, 110, line((120, 180), (160, 180), 0, 24)),
        Actor("p18", 0, 110, line((320, 180), (330, 180), 0, 24)),
        Actor("p14", 1, 110, line((540, 180), (500, 180), 10, 24)),
    ]
    pictures = (image.pixels for image, _ in Scene(album, actors, 25).play())
    return write_video(tmp_path_factory.mktemp("film") / "three.mp4", pictures)


def test_who_has_a_name_in_the_gallery_is_named_and_nobody_else(three, gallery, tmp_path, capsys):
    table, drawn = tmp_path / "t.csv", tmp_path / "d.mp4"
    given = options(
        three, gallery=gallery, json=True, csv=table, draw=drawn, embedder="dlib-resnet"
    )
    assert watch(given) == 0
    told = json.loads(capsys.readouterr().out)
    left_to_right = sorted(told["tracks"], key=lambda track: track["best"][0]["box"][0])
    assert [track["name"] for track in left_to_right] == ["Ada", None, "Ben"]
    stranger = left_to_right[1]
    assert (stranger["person"], stranger["score"]) == (None, None)
    said = told["gallery"]
    assert (said["people"], said["faces"], said["false_match_rate"]) == (2, 3, 1e-3)
    ladder = calibration_of("sface@0ba9fbfa")
    assert said["threshold"] == round(ladder.threshold(1e-3 / 3), 4)
    assert said["calibration"] == ladder.data
    for track in (left_to_right[0], left_to_right[2]):
        assert track["score"] >= said["threshold"]
        assert 0 < track["score_false_match_rate"] <= 1e-3
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == (*COLUMNS, "name")
    words = {row["track"]: row["name"] for row in rows}
    assert words == {str(track["id"]): track["name"] or "" for track in told["tracks"]}
    assert len(list(read_video(drawn))) == 25


def test_people_read_names_and_what_they_rest_on(three, gallery, capsys):
    assert watch(options(three, gallery=gallery, every=0.2)) == 0
    said = capsys.readouterr().out
    assert "3 faces of 2 named people" in said
    assert "At most 0.001 of all strangers" in said
    assert {"Ada", "Ben"} <= set(said.split())
    assert "person 2" in said or "person 1" in said
    with pytest.raises(GalleryError, match="no gallery"):
        watch(options(three, gallery=gallery.with_name("none")))


def test_wrong_numbers_are_refused(film):
    with pytest.raises(BadInput, match="--every"):
        watch(options(film, every=0.0))
    with pytest.raises(BadInput, match="--max-side"):
        watch(options(film, max_side=0))
    with pytest.raises(BadInput, match="--detect-every"):
        watch(options(film, detect_every=0))


def test_times_read_as_clocks():
    assert [_clock(s) for s in (0.04, 59.96, 61.2, 3661.0)] == [
        "0:00.0",
        "1:00.0",
        "1:01.2",
        "1:01:01.0",
    ]
