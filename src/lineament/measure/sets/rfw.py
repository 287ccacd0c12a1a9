"""RFW, Racial Faces in-the-Wild: 6,000 pairs in 10 folds for each of four groups of people.

Measures how much worse faces of some people are told apart. Layout: ``txts/African/
African_pairs.txt`` and ``data/African/m.0abc/m.0abc_0001.jpg``, likewise for Asian, Caucasian and
Indian. A line of pairs is ``person i j`` for one person, ``person i other j`` for two; there is no
line of titles. Each fold is 300 of the first kind and 300 of the second.

Source: M. Wang et al., "Racial Faces in-the-Wild: reducing racial bias by information maximization
adaptation network", ICCV 2019, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from lineament.core.errors import BadInput
from lineament.measure.sets.nouns import Pairs, Terms, need_files
from lineament.measure.sets.text import Line, read_lines

TERMS = Terms(
    name="RFW",
    where="its authors, on request (whdeng.cn/RFW/testing.html)",
    terms="non-commercial research, under a signed agreement",
)
GROUPS = ("African", "Asian", "Caucasian", "Indian")
"""The names that the set's authors gave."""
FOLDS = 10


@dataclass(frozen=True, eq=False)
class GroupedPairs(Pairs):
    """Pairs of pictures, each within one group of people; folds count within a group.

    Attributes:
        people: number of the person of each picture.
        group: of each pair, as a number in `groups`.
        groups: names.
    """

    people: Int64[np.ndarray, " n"]
    group: Int64[np.ndarray, " p"]
    groups: tuple[str, ...] = GROUPS


def read_rfw(folder: Path) -> GroupedPairs:
    """Read a folder of RFW (its ``test``).

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a list does not follow its format.
    """
    pictures: dict[Path, int] = {}
    people: dict[str, int] = {}
    person: list[int] = []
    rows: list[tuple[int, int, bool, int, int]] = []
    for group, name in enumerate(GROUPS):
        path = folder / "txts" / name / f"{name}_pairs.txt"
        need_files(TERMS, path)
        lines = [_pair(line) for line in read_lines(path)]
        if not lines or len(lines) % FOLDS:
            raise BadInput(f"{len(lines)} pairs, which are not {FOLDS} equal folds", str(path))
        for number, ends in enumerate(lines):
            pair = []
            for who, shot in ends:
                picture = folder / "data" / name / who / f"{who}_{shot:04d}.jpg"
                if picture not in pictures:
                    pictures[picture] = len(pictures)
                    person.append(people.setdefault(f"{name}/{who}", len(people)))
                pair.append(pictures[picture])
            fold = number * FOLDS // len(lines)
            rows.append((pair[0], pair[1], ends[0][0] == ends[1][0], fold, group))
    a, b, same, fold, group = np.asarray(rows, np.int64).T
    pairs = np.stack([a, b], axis=1)
    return GroupedPairs(
        tuple(pictures), pairs, same == 1, fold.copy(), np.asarray(person, np.int64), group.copy()
    )


def _pair(line: Line) -> tuple[tuple[str, int], tuple[str, int]]:
    line.expect(3, 4)
    first, second = line.words[0], line.words[0 if len(line.words) == 3 else 2]
    for who in (first, second):
        if "/" in line.inside(who):
            raise line.bad(f"{who[:40]!r} is not a person")
    shots = [line.integer(1, 0, 9999), line.integer(len(line.words) - 1, 0, 9999)]
    if len(line.words) == 4 and first == second:
        raise line.bad("two pictures of one person in the form for two people")
    return (first, shots[0]), (second, shots[1])
