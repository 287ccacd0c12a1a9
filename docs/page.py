"""Writes a page that is made from code, or prints it for the test that holds it to the code."""

from __future__ import annotations

import sys
from pathlib import Path

NOTE = "<!-- Made by `make pages`; do not edit. -->\n\n"


def publish(name: str, text: str) -> None:
    """Write ``docs/<name>``; with ``--print`` on the command line, print it instead."""
    page = NOTE + text.rstrip("\n") + "\n" if name.endswith(".md") else text
    if "--print" in sys.argv:
        sys.stdout.reconfigure(encoding="utf-8")  # pyright: ignore[reportAttributeAccessIssue]
        sys.stdout.write(page)
    else:
        (Path(__file__).parent / name).write_text(page, encoding="utf-8")
