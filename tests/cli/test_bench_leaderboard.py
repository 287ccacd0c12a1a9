"""The leaderboard is what the evidence makes of it."""

from __future__ import annotations

import subprocess
import sys

from lineament.measure.evidence import read_all


def made(root) -> str:
    return subprocess.run(
        [sys.executable, "docs/leaderboard_page.py", "--print"],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout


def test_the_committed_page_is_up_to_date(root):
    """`make pages` or `lineament bench --all` makes it again."""
    assert (root / "docs" / "leaderboard.md").read_text(encoding="utf-8") == made(root)


def test_every_result_has_its_place(root):
    page = made(root)
    for method, results in read_all().items():
        for each in results:
            section = page.partition(f"\n## {each.protocol}\n")[2].partition("\n## ")[0]
            assert f"On {each.data}." in section
            assert method in section
            assert each.metric.replace("|", "\\|") in section
    assert "unexplained" not in page
