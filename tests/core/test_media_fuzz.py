"""2,000 broken and hostile files, read in a process of their own that is watched.

None may end the process, take more than 5 seconds, or push its memory beyond `MOST_GROWTH`; each
is either read or refused by a typed error that names it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.fuzzed import SHARES, make_fuzzed
from lineament.core import errors

COUNT, SEED = 2000, 20240607
MOST_SECONDS = 5.0
MOST_GROWTH = 16 * 25_000_000 + 100 * 2**20
"""Bytes: 16 for each pixel of the largest files among them (`hostile.flat_picture`), which is what
`Limits` promises, and 100 MiB for the largest file, its copy and what allocators keep."""

Account = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzzed")
    assert len(make_fuzzed(folder, COUNT, SEED)) == COUNT
    return folder


@pytest.fixture(scope="module")
def account(folder: Path, root: Path) -> Account:
    """One entry a file, and a last one with the growth of memory."""
    command = [sys.executable, "-W", "always", "-m", "core.fuzzed", "--read", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        command, cwd=root / "tests", env=environment, capture_output=True, text=True, timeout=280
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0, (
        f"ended in {lines[-1] if lines else 'nothing'}: {ran.stderr[-2000:]}"
    )
    assert "Warning" not in ran.stderr
    return [line for line in lines if line.get("outcome") != "started"]


def test_every_file_is_read_or_refused_by_a_typed_error(account: Account, folder: Path) -> None:
    files = account[:-1]
    assert len(files) == COUNT
    counts = Counter((line["file"].split("-")[1].split(".")[0], line["outcome"]) for line in files)
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{kind:10} {outcome:18} {count:5}")
    for line in files:
        if line["outcome"] != "decoded":
            assert issubclass(getattr(errors, line["outcome"]), errors.UnreadableImage)
            assert line["message"].startswith(f"{folder / line['file']}: ")
            assert "\n" not in line["message"]


def test_no_file_takes_long(account: Account) -> None:
    seconds, name = max((line["seconds"], line["file"]) for line in account[:-1])
    print(f"slowest: {name}, {seconds:.2f} s")
    assert seconds < MOST_SECONDS


def test_memory_stays_bounded(account: Account) -> None:
    growth = account[-1]["growth"]
    print(f"memory grew by {growth / 2**20:.0f} MiB at most; {MOST_GROWTH / 2**20:.0f} allowed")
    assert growth < MOST_GROWTH


def test_sound_files_are_read_whatever_their_suffix(account: Account) -> None:
    outcomes = [line["outcome"] for line in account[:-1] if "-suffix." in line["file"]]
    assert outcomes == ["decoded"] * (SHARES["suffix"] * COUNT // sum(SHARES.values()))


def test_most_files_cut_short_are_refused(account: Account) -> None:
    """A cut behind the picture harms nothing; one within it must never pass for a whole."""
    outcomes = Counter(line["outcome"] for line in account[:-1] if "-truncated." in line["file"])
    assert outcomes["decoded"] < 0.15 * outcomes.total()


def test_the_files_are_the_same_for_the_same_seed(tmp_path: Path, folder: Path) -> None:
    again = make_fuzzed(tmp_path / "again", 100, 5)
    same = make_fuzzed(tmp_path / "same", 100, 5)
    other = make_fuzzed(tmp_path / "other", 100, 6)
    assert [path.name for path in again] == [path.name for path in same]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in same]
    assert [path.read_bytes() for path in again] != [path.read_bytes() for path in other]


def test_the_limit_of_pillow_is_as_it_was(account: Account) -> None:
    assert Image.MAX_IMAGE_PIXELS == 1024 * 1024 * 1024 // 4 // 3
