"""Recognition under a limit of time: which whole chain is the most accurate that is fast enough.

The time of a chain is what one picture takes from its pixels to its embedding: finding the face,
aligning it, embedding it, one picture at a time on one thread. Comparing two embeddings is left
out: it takes less than a microsecond.

Source: Z. Zhu et al., "WebFace260M: a benchmark unveiling the power of million-scale deep face
recognition", arXiv:2103.04098 (FRUITS: face recognition under inference time constraint).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lineament.core.cards import Card
from lineament.core.errors import BadInput

CARD = Card(
    slug="webface260m",
    title="WebFace260M: A Benchmark Unveiling the Power of Million-Scale Deep Face Recognition",
    paper="arXiv:2103.04098",
    verb="judge",
    task="Names the most accurate whole chain within each limit of time (the FRUITS protocol).",
    entry="best_in_class",
    needs=("milliseconds and accuracy of chains",),
    gives=("the best chain of each time class",),
    code="face-benchmark.org",
    deviations=(
        "Classes of 10, 30 and 100 ms in place of 100, 500 and 1000 ms: ours are small networks.",
        "LFW's pairs in place of the authors' test set, which is not given out.",
        "Cleaning by self-training (CAST, `lineament train webface260m`): the first teacher learnt "
        "from the very folders that it cleans, not from a cleaner set; beside it one that learnt "
        "elsewhere. Networks are tiny and learn for 600 steps, in two rounds.",
        "Cosines from which faces are neighbours and folders one are measured on strangers of the "
        "collection; the paper's 0.7 and 0.5 for folders, of a large network, are the defaults of "
        "`learn.data.cleaning`. How near neighbours are in the paper's clustering we could not "
        "read.",
        "What is cleaned are folders of CelebA with faults put in: one in four faces is a "
        "stranger's, one person in five has two folders. No copies, and no stranger twice.",
        "Training over many machines is `learn.losses.sharded`.",
    ),
    risk=(
        "Times are of one machine; a chain near a limit may fall on the other side on another. "
        "The accuracy is of celebrities, and no group of people is looked at apart."
    ),
)

CLASSES = (10.0, 30.0, 100.0)
"""Limits, milliseconds a picture on one thread.

100 is the lowest of the paper's three, and about what a person takes for at once. 30 keeps up with
a camera of 30 pictures a second. 10 reads a library of 100,000 photos in 17 minutes on one core.
"""


@dataclass(frozen=True)
class Chain:
    """One way from a picture to an embedding, measured.

    Attributes:
        name: of the chain.
        milliseconds: a picture.
        accuracy: higher is better.
    """

    name: str
    milliseconds: float
    accuracy: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.accuracy) and 0 < self.milliseconds < math.inf):
            raise BadInput(f"{self.name}: a chain has a finite accuracy and takes some time")


def best_in_class(
    chains: Iterable[Chain], classes: Sequence[float] = CLASSES
) -> dict[float, Chain | None]:
    """The most accurate chain within each limit, the faster of equals; None where all are slower.

    Raises:
        BadInput: a limit is not above 0, or there are no chains.
    """
    found = sorted(chains, key=lambda chain: (-chain.accuracy, chain.milliseconds))
    if not found or any(not limit > 0 for limit in classes):
        raise BadInput("chains, and limits above 0, are needed")
    return {
        limit: next((chain for chain in found if chain.milliseconds <= limit), None)
        for limit in classes
    }


def frontier(chains: Iterable[Chain]) -> list[Chain]:
    """The chains that no other beats in both time and accuracy, fastest first."""
    kept: list[Chain] = []
    for chain in sorted(chains, key=lambda chain: (chain.milliseconds, -chain.accuracy)):
        if not kept or chain.accuracy > kept[-1].accuracy:
            kept.append(chain)
    return kept
