"""Kill -9 while indexing: what was stored must stand, and the next run must finish the work."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.core.errors import MissingFile
from lineament.measure.evidence import Result

TRIALS = 20

People = frozenset[frozenset[tuple[str, tuple[float, ...]]]]
"""Who is with whom: sets of faces, each a photo and a box; ids and order do not count."""


def run(context: Context) -> Outcome:
    """Kill an indexing run at a random moment, 20 times; compare with one that was left alone."""
    if context.album is None:
        raise MissingFile("the sample album is needed: run this in a checkout")
    rng = random.Random(context.seed)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        started = time.perf_counter()
        index(context.album, base / "whole")
        whole_seconds = time.perf_counter() - started
        expected = people(base / "whole")
        outcomes = []
        for trial in range(TRIALS):
            context.say(f"crash: trial {trial + 1} of {TRIALS}")
            gallery = base / f"trial{trial}"
            killed = kill_while_indexing(context.album, gallery, rng.uniform(0, whole_seconds))
            sound = integrity(gallery)
            index(context.album, gallery)
            outcomes.append((killed, sound, people(gallery) == expected))
    good = sum(sound and same for _, sound, same in outcomes)
    table = Table(
        f"{TRIALS} runs of `lineament index` killed at random moments",
        ("killed before its end#", "database sound#", "same people after the next run#"),
        [tuple(str(sum(column)) for column in zip(*outcomes, strict=True))],
    )
    result = Result(
        method="gallery",
        protocol="crash",
        data="the sample album",
        data_hash="",
        metric="share of killed runs after which all was well",
        ours=good / TRIALS,
        baseline="an undisturbed run",
        baseline_value=1.0,
        higher_is_better=True,
        seed=context.seed,
        note="required: all of 20",
    )
    return Outcome([table], [result])


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "lineament", *map(str, words)]


def index(album: Path, gallery: Path) -> None:
    """Index to the end."""
    command = _command("index", album, "--gallery", gallery, "--json")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def kill_while_indexing(album: Path, gallery: Path, after: float) -> bool:
    """Start indexing and kill -9 it after so many seconds; whether it was still running."""
    command = _command("index", album, "--gallery", gallery, "--json")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def integrity(gallery: Path) -> bool:
    """Whether the database opens and is whole; one that was never begun is."""
    if not gallery.exists():
        return True
    with closing(sqlite3.connect(gallery)) as database:
        return database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def people(gallery: Path) -> People:
    """Who is with whom in a gallery, as `lineament people --json` tells it."""
    command = _command("people", "--gallery", gallery, "--json")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return together(json.loads(done.stdout))


def together(rows: Iterable[dict]) -> People:
    """The faces of each person as a set."""
    return frozenset(
        frozenset((face["photo"], tuple(face["box"])) for face in person["faces"])
        for person in rows
    )


PROTOCOL = Protocol("crash", "kill -9 while indexing, 20 times", run)
