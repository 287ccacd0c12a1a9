"""Figures of watching worked by hand, and the two ways of timing on a short staged video."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.analyze import Analyzer
from lineament.bench.staged import Play, Shot, film
from lineament.bench.video import LONG_SIZE, _outcome, _watch_in_a_process, time_scene, write_long
from lineament.core.video import read_video, video_info


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Half a second of nobody."""
    path = tmp_path_factory.mktemp("film") / "v.mp4"
    play = Play([Shot(0.0, [], 0)], [0.0, 0.1, 0.2, 0.3, 0.4])
    film(play, path)
    return path


def test_the_networks_time_is_a_part_of_the_time(empty):
    analyzer = Analyzer.of(threads=1)
    wall, inside, photos, frames = time_scene(empty, analyzer)
    assert 0 < inside < wall
    assert photos > 0
    assert frames == 5


def test_a_process_of_its_own_tells_its_peak(empty):
    told = _watch_in_a_process(empty)
    assert (told["frames"], told["tracks"]) == (5, 0)
    assert 0 < told["network_seconds"] < told["seconds"]
    assert 50 < told["peak_mb"] < 4000


def test_a_long_video_is_the_scene_again_and_again(tmp_path):
    scene = [np.full((360, 640, 3), shade, np.uint8) for shade in (40, 120, 200)]
    write_long(scene, tmp_path / "v.mp4", 0.01)  # 0.6 s, a frame each 0.08 s
    shades = [float(f.image.pixels.mean()) for f in read_video(tmp_path / "v.mp4")]
    assert shades == pytest.approx([40, 120, 200, 40, 120, 200, 40, 120], abs=4)
    info = video_info(tmp_path / "v.mp4")
    assert (info.width, info.height) == LONG_SIZE


def test_overhead_and_growth_are_as_defined():
    """10 s of which 8 in the networks, and 6 of which 4: 16 over 12; as photos 40 over 12."""
    short = np.asarray([(10.0, 8.0, 22.0, 100), (6.0, 4.0, 18.0, 60)])
    each = {"seconds": 4.0, "network_seconds": 3.0, "frames": 10.0, "tracks": 2.0}
    found = _outcome(short, [each | {"peak_mb": 200.0}, each | {"peak_mb": 210.0}], 0)
    time, memory = found.results
    assert time.ours == pytest.approx(16 / 12 - 1)
    assert time.baseline_value == pytest.approx(40 / 12 - 1)
    assert time.interval == pytest.approx((10 / 8 - 1, 6 / 4 - 1))
    assert memory.ours == pytest.approx(0.05)
    (table,) = found.tables
    assert table.rows[0][1:] == ("160", "100.0", "75.0", "33.3", "")
    assert table.rows[2][-1] == "210"
