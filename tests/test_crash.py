"""Kill -9 while indexing, twenty times: nothing stored is lost; it ends with the same people."""

from __future__ import annotations

import random
import time

from lineament.bench.crash import index, integrity, kill_while_indexing, people

KILLS = 20


def test_twenty_kills_and_then_the_same_people(album, tmp_path):
    started = time.perf_counter()
    index(album, tmp_path / "whole")
    seconds = time.perf_counter() - started
    expected = people(tmp_path / "whole")
    rng = random.Random(0)
    galleries = [tmp_path / "struck0"]
    killed = attempts = 0
    while killed < KILLS:
        attempts += 1
        assert attempts < 5 * KILLS, "runs end before they can be killed"
        if kill_while_indexing(album, galleries[-1], rng.uniform(0.02, 0.3) * seconds):
            killed += 1
            assert integrity(galleries[-1])
        else:  # it came to its end: the next kills strike a new one
            galleries.append(tmp_path / f"struck{len(galleries)}")
    index(album, galleries[-1])
    for gallery in galleries:
        assert people(gallery) == expected
