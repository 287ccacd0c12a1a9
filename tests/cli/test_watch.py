"""``lineament watch`` as a person or a script runs it."""

from __future__ import annotations

import csv
import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from encoded_videos import write_video
from lineament.cli.watch import COLUMNS, _clock, watch
from lineament.core.errors import BadInput
from lineament.core.video import read_video
from moving_faces import Actor, Scene, line


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
