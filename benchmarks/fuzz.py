"""2,000 broken and hostile files: are they all read or refused, in time, and does indexing go on?

    python benchmarks/fuzz.py [--count 2000] [--seed 20240607] [--out evidence]

The files come from the tests' own generator (tests/core/fuzzed.py).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lineament.measure.evidence import Result, write

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Make the files, read each in a watched process, then index the whole folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20240607)
    parser.add_argument("--out", type=Path, default=ROOT / "evidence")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "fuzzed"
        python("-m", "core.fuzzed", folder, options.count, options.seed)
        lines = python("-m", "core.fuzzed", "--read", folder).splitlines()
        account = [row for row in map(json.loads, lines) if row.get("outcome") != "started"]
        gallery = Path(base) / "gallery"
        indexed = json.loads(
            python("-m", "lineament", "index", folder, "--gallery", gallery, "--json")
        )
    files, growth = account[:-1], account[-1]["growth"] / 2**20
    read = sum(row["outcome"] == "decoded" for row in files)
    slowest = max(row["seconds"] for row in files)
    told = indexed["indexed"] + indexed["known"] + len(indexed["skipped"])
    print(f"{len(files)} files: {read} read, {len(files) - read} refused by a typed error")
    print(f"slowest {slowest:.2f} s; memory grew by {growth:.0f} MiB at most")
    print(f"indexing the folder accounted for {told} of {indexed['found']} files")
    common = {"method": "media", "protocol": "fuzz", "data_hash": "", "seed": options.seed}
    common["data"] = f"{options.count} files made from {options.seed}"
    figures = [
        ("files neither read nor refused by a typed error", options.count - len(files), 0.0, ""),
        ("seconds for the slowest file", slowest, 5.0, "required: under 5 s"),
        ("growth of memory, MiB", growth, 481.0, "bound: 16 bytes a pixel and 100 MiB"),
        ("files that indexing lost count of", indexed["found"] - told, 0.0, ""),
    ]
    results = [
        Result(
            **common,  # pyright: ignore[reportArgumentType]
            metric=metric,
            ours=float(ours),
            baseline="required",
            baseline_value=bound,
            higher_is_better=False,
            note=note,
        )
        for metric, ours, bound, note in figures
    ]
    print(write("media", results, options.out))


def python(*words: object) -> str:
    """What a Python process prints; it runs where the tests' modules are found."""
    command = [sys.executable, *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT / "tests", env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
