"""Folders of people with known faults, and how well a cleaning found them.

A search for a name brings home other people's faces too, and one person under two names. Both are
made here from people who are known, so that what a cleaning does can be held to the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int64

from lineament.learn.data.cleaning import GONE
from lineament.learn.recognition.material import People

STRANGERS, HALVED = 0.25, 0.2
"""Shares of the people whose faces are strewn over other folders, and of the others' folders that
are cut in two."""


@dataclass(frozen=True, eq=False)
class Collection:
    """Folders with known faults.

    Attributes:
        people: the faces, labelled by the folder that they lie in.
        foreign: which faces are not of the person that the folder is of.
        owner: the person of each folder; two folders of one person are its halves.
    """

    people: People
    foreign: Bool[np.ndarray, " n"]
    owner: Int64[np.ndarray, " f"]

    def flawless(self) -> Int64[np.ndarray, " n"]:
        """Whose face each is, `GONE` for strangers': what cleaning should come to."""
        return np.where(self.foreign, GONE, self.owner[self.people.labels])


def gathered_blindly(
    people: People, seed: int, strangers: float = STRANGERS, halved: float = HALVED
) -> Collection:
    """Faces of known people as a search for their names might have brought them home.

    Args:
        people: whose labels are right.
        seed: of what is random.
        strangers: share of the people who have no folder: each of their faces lies in somebody
            else's, the more likely the larger it is.
        halved: share of the others whose folder is cut in two; of four faces or more.
    """
    rng = np.random.default_rng(seed)
    count, folder = people.count, people.labels.copy()
    order = rng.permutation(count)
    hosts = order[round(strangers * count) :]
    foreign = ~np.isin(people.labels, hosts)
    sizes = np.bincount(people.labels, minlength=count)[hosts]
    folder[foreign] = rng.choice(hosts, foreign.sum(), p=sizes / sizes.sum())
    halves = hosts[sizes >= 4][: round(halved * len(hosts))]
    for number, host in enumerate(halves, count):
        rows = rng.permutation(np.flatnonzero(folder == host))
        folder[rows[: len(rows) // 2]] = number
    names, folder = np.unique(folder, return_inverse=True)
    mark = f"{people.hash} gathered blindly {seed}"
    owner = np.concatenate([np.arange(count), halves])[names]
    return Collection(People(people.pixels, folder.astype(np.int64), mark), foreign, owner)


def found_and_missed(
    out: Bool[np.ndarray, " n"], foreign: Bool[np.ndarray, " n"]
) -> tuple[float, float]:
    """Precision and recall: the share of faces taken out that are strangers', and of strangers'
    faces that are taken out; 0 where there are none."""
    hits = float((out & foreign).sum())
    return hits / max(1, int(out.sum())), hits / max(1, int(foreign.sum()))


def joins(collection: Collection, labels: Int64[np.ndarray, " n"]) -> tuple[int, int, int]:
    """Pairs of folders that became one, those of them that are of one person, and how many such
    pairs there are in the collection.

    Args:
        collection: before cleaning.
        labels: whose each face is after it, or `GONE`.
    """
    stay = labels != GONE
    links = np.unique(np.stack([labels, collection.people.labels], axis=1)[stay], axis=0)
    groups = np.split(links[:, 1], np.flatnonzero(np.diff(links[:, 0])) + 1)
    pairs = [pair for group in groups for pair in combinations(group.tolist(), 2)]
    owner = collection.owner
    rightly = sum(bool(owner[a] == owner[b]) for a, b in pairs)
    return len(pairs), rightly, len(owner) - len(np.unique(owner))
