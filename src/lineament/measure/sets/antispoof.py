"""Live and replayed faces from several sources, gathered in one folder.

Layout: a folder a source, each with ``real`` and ``fake`` (pictures of a screen that shows a face).
Few people, many frames of each, so a split at random would have the same people on both sides:
split by source.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lineament.measure.sets.nouns import LabeledPictures, Terms

TERMS = Terms(
    name="the replay pictures of four sources",
    where="wherever they were gathered; any folder of SOURCE/real and SOURCE/fake will do",
    terms="none stated",
)
KINDS = ("fake", "real")


def read_antispoof(folder: Path) -> LabeledPictures:
    """Read the folder, in order of source, kind and name. Labels: ``bona fide`` and ``source``.

    Raises:
        MissingFile: no source is there, or one lacks a kind; the message says the layout.
    """
    sources = tuple(sorted(path.name for path in folder.glob("*") if path.is_dir()))
    rows: list[tuple[Path, int, int]] = []
    for number, source in enumerate(sources):
        for kind, name in enumerate(KINDS):
            pictures = sorted((folder / source / name).glob("*.jpg"))
            if not pictures:
                raise TERMS.missing(folder / source / name)
            rows += [(path, kind, number) for path in pictures]
    if not rows:
        raise TERMS.missing(folder)
    return LabeledPictures(
        tuple(path for path, *_ in rows),
        {
            "bona fide": np.asarray([kind for _, kind, _ in rows], np.int64),
            "source": np.asarray([number for *_, number in rows], np.int64),
        },
        {"bona fide": KINDS, "source": sources},
    )
