"""What all tests share: checked shapes, the real data, and an account of what was left out.

Set LINEAMENT_UNCHECKED=1 to run without the shape checks, for timing.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

if not os.environ.get("LINEAMENT_UNCHECKED"):
    # Before the first import of the package, so that each of its annotations is held at run time.
    from jaxtyping import install_import_hook

    install_import_hook("lineament", "shape_checks.check")

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test sets, which are not ours to ship."""
    folder = Path(os.environ.get("LINEAMENT_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data: LINEAMENT_DATA is not set and ../shared/data is absent")
    return folder


@pytest.fixture(scope="session")
def album() -> Path:
    """The sample album, which is part of the checkout: its absence is an error, not a skip."""
    folder = ROOT / "examples" / "album"
    assert folder.is_dir(), f"the sample album is missing at {folder}"
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count skips by reason, so that a skip cannot look like a pass."""
    stats = terminalreporter.stats
    reasons = Counter(_reason(report) for report in stats.get("skipped", []))
    listed = "; ".join(f"{reason} x {count}" for reason, count in reasons.most_common())
    terminalreporter.write_line(
        f"{len(stats.get('passed', []))} passed, {reasons.total()} skipped: {listed or 'none'}"
    )


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped; pytest keeps it as (file, line, reason)."""
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ")
