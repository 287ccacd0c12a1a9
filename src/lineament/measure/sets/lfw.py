"""Labeled Faces in the Wild: the pictures, the people, and the standard 6,000 pairs.

Source: G. B. Huang et al., "Labeled Faces in the Wild", 2007. The folder holds ``pairs.txt`` of
view 2 and ``images/NAME_0001.jpg`` (or the original layout, ``NAME/NAME_0001.jpg``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from lineament.measure.sets.nouns import Terms

TERMS = Terms(
    name="Labeled Faces in the Wild, with pairs.txt",
    where="its authors' page (vis-www.cs.umass.edu/lfw)",
    terms="research",
)


@dataclass(frozen=True)
class LabeledFaces:
    """LFW as arrays.

    Attributes:
        paths: one a picture, in order of name.
        people: number of the person of each picture.
        pairs: rows of two picture numbers.
        same: whether a pair shows one person.
        fold: of each pair, 0 to 9.
    """

    paths: tuple[Path, ...]
    people: Int64[np.ndarray, " n"]
    pairs: Int64[np.ndarray, "p 2"]
    same: Bool[np.ndarray, " p"]
    fold: Int64[np.ndarray, " p"]

    def digest(self) -> str:
        """Hash of all pictures' bytes and of the pairs: which data a figure was measured on."""
        total = hashlib.sha256(self.pairs.tobytes())
        for path in self.paths:
            total.update(path.read_bytes())
        return total.hexdigest()


def read_lfw(folder: Path) -> LabeledFaces:
    """Read a folder of LFW.

    Raises:
        MissingFile: it is not there; the message says what it must hold, and its terms.
        ValueError: a pair names a picture that the folder lacks.
    """
    pairs_file = folder / "pairs.txt"
    if not pairs_file.is_file():
        raise TERMS.missing(pairs_file)
    flat = folder / "images"
    paths = sorted((flat if flat.is_dir() else folder).rglob("*.jpg"), key=lambda p: p.name)
    number = {path.stem: i for i, path in enumerate(paths)}
    names = sorted({path.stem[:-5] for path in paths})
    person = {name: i for i, name in enumerate(names)}
    header, *lines = pairs_file.read_text(encoding="utf-8").splitlines()
    folds, each = (int(word) for word in header.split())
    rows = [_pair(line.split(), number) for line in lines if line.strip()]
    return LabeledFaces(
        tuple(paths),
        np.asarray([person[path.stem[:-5]] for path in paths], np.int64),
        np.asarray([(a, b) for a, b, _ in rows], np.int64),
        np.asarray([same for *_, same in rows], bool),
        np.repeat(np.arange(folds), 2 * each),
    )


def _pair(words: list[str], number: dict[str, int]) -> tuple[int, int, bool]:
    """``NAME i j`` is two pictures of one person, ``NAME i OTHER j`` of two."""
    if len(words) == 3:
        a, b = (f"{words[0]}_{int(i):04d}" for i in words[1:])
    elif len(words) == 4:
        a, b = (f"{words[i]}_{int(words[i + 1]):04d}" for i in (0, 2))
    else:
        raise ValueError(f"not a pair of LFW: {' '.join(words)!r}")
    missing = [name for name in (a, b) if name not in number]
    if missing:
        raise ValueError(f"pairs.txt names {missing[0]}, and there is no such picture")
    return number[a], number[b], len(words) == 3
