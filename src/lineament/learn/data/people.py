"""Pictures with names: a folder a person, or one folder with a list of who is on which picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import LabeledPictures
from lineament.measure.sets.text import MAX_LINE, read_lines

LIST = "identity.txt"
"""Of lines such as ``000001.jpg 2880``; where a tab stands between, names may hold spaces."""
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def read_people(folder: Path) -> LabeledPictures:
    """Pictures and whose they are, in order of name; people are numbered from 0 without gaps.

    With a list (`LIST`) in it, the folder holds the pictures that the list names. Without one, each
    folder in it is a person, with pictures at any depth. No picture is opened.

    Raises:
        BadInput: the list does not follow its format, or there are no pictures.
    """
    named = _listed(folder) if (folder / LIST).is_file() else _in_folders(folder)
    if not named:
        raise BadInput(f"holds neither {LIST} nor folders of pictures, one a person", str(folder))
    paths = sorted(named)
    _, people = np.unique([named[path] for path in paths], return_inverse=True)
    return LabeledPictures(tuple(paths), people=people.astype(np.int64))


def _listed(folder: Path) -> dict[Path, str]:
    named = {}
    for line in read_lines(folder / LIST, _separator(folder / LIST)):
        line.expect(2)
        # Numbers are padded, so that text is in the order of numbers.
        named[folder / line.name(0)] = f"{line.integer(1, 0):020d}"
    if absent := [path for path in named if not path.is_file()]:
        raise BadInput(f"names {absent[0].name}, and there is no such picture", str(folder / LIST))
    return named


def _separator(path: Path) -> str | None:
    with path.open("rb") as file:
        return "\t" if b"\t" in file.readline(MAX_LINE) else None


def _in_folders(folder: Path) -> dict[Path, str]:
    return {
        path: person.name
        for person in sorted(folder.iterdir())
        if person.is_dir()
        for path in person.rglob("*")
        if path.suffix.lower() in _PICTURES and path.is_file()
    }
