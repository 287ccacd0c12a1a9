"""Kill -9 while indexing, twenty times on one gallery: nothing stored is lost, and it ends well."""

from __future__ import annotations

import random
import time

from lineament.bench.crash import index, integrity, kill_while_indexing, people


def test_twenty_kills_and_then_the_same_people(album, tmp_path):
    started = time.perf_counter()
    index(album, tmp_path / "whole")
    seconds = time.perf_counter() - started
    rng = random.Random(0)
    struck = tmp_path / "struck"
    killed = 0
    for _ in range(20):
        # Between before the first photo and some way in: together the kills cross the whole run.
        killed += kill_while_indexing(album, struck, rng.uniform(0.02, 0.3) * seconds)
        assert integrity(struck)
    assert killed >= 10
    index(album, struck)
    assert people(struck) == people(tmp_path / "whole")
