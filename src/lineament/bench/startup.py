"""Start-up: ``lineament --help`` against an interpreter that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.measure.evidence import Result

RUNS = 15


def run(context: Context) -> Outcome:
    """Time both in turn, so that a drift of the machine's speed meets both alike."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "lineament --help": [sys.executable, "-m", "lineament", "--help"],
        "import lineament": [sys.executable, "-c", "import lineament"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in times.items()}
    bare = medians["python -c pass"]
    table = Table(
        f"Start-up, median of {RUNS} runs",
        ("command", "ms#", "times python -c pass#"),
        [(name, f"{1000 * t:.0f}", f"{t / bare:.1f}") for name, t in medians.items()],
    )
    result = Result(
        method="command",
        protocol="startup",
        data="this command",
        data_hash="",
        metric="time of --help over time of python -c pass",
        ours=medians["lineament --help"] / bare,
        baseline="python -c pass",
        baseline_value=1.0,
        higher_is_better=False,
        note="required: at most 12",
    )
    return Outcome([table], [result])


PROTOCOL = Protocol("startup", "how long the command takes to say --help", run)
