"""How many answers can one vector give? Limits of search by embeddings, and a check of a gallery.

A search gives the k faces whose embeddings are nearest to one vector. Which sets of k can come out
depends on the dimension. Three different questions are easily taken for one:

1. **Does any arrangement exist?** Every set of up to k out of n points is some vector's top k
   exactly where the points are k-neighbourly; that takes ``min(2 * k, n - 1)`` dimensions and
   never more, however large n is (`needed_dimension`, `on_trigonometric_curve`).
2. **Does gradient descent find one?** Vectors that are free, optimised on the very sets to be
   found (`know.free_embeddings`), fail from a critical n on, which grows like a cubic in the
   dimension. That is the paper's experiment; it measures optimisation, not geometry.
3. **Do the embeddings of a given network have it?** They are not free: only a measurement tells
   (`lineament bench embedding-limits`).

Search for a person asks for little: the answers are the people's own pictures, which are disjoint
sets. An arrangement for those exists in 2 dimensions (each person at one point of a circle). What
limits it is how far a person's pictures lie apart, not how many sets there are.

Source: O. Weller et al., "On the theoretical limitations of embedding-based retrieval",
arXiv:2508.21038; question 1: D. Gale, "Neighborly and cyclic polytopes", 1963, and
Z. Wang et al., "R^2k is theoretically large enough for embedding-based top-k retrieval",
arXiv:2601.20844, which answers the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int

from lineament.core.cards import Card
from lineament.core.errors import BadInput

CARD = Card(
    slug="embedding-limits",
    title="On the Theoretical Limitations of Embedding-Based Retrieval",
    paper="arXiv:2508.21038",
    verb="check",
    task="Says whether a gallery of so many faces asks more of so many dimensions than they can "
    "give.",
    entry="check_gallery",
    needs=("numbers of faces, dimensions and pictures a person",),
    gives=("a sizing with its grounds",),
    code="github.com/google-deepmind/limit",
    deviations=(
        "NumPy with the gradient written out, in place of JAX; the settings are those of the "
        "authors' code: Adam at 0.01, temperature 0.1, vectors brought to length 1 after each "
        "step, an end after 1,000 steps without gain.",
        "A set counts as found where its members beat all others strictly; a tie is a miss.",
        "The text data set LIMIT is left out: it is about sentences.",
    ),
    risk=(
        "That an arrangement of points exists says nothing about the mistakes of a network: this "
        "check passes galleries in which faces are still confused."
    ),
    published=(),
)

_BLOCK = 256
"""People held against all faces at a time; bounds the memory."""

CUBIC = (-10.5322, 4.0309, 0.0520, 0.0037)
"""The paper's fit of the critical n: coefficients of d to the power 0, 1, 2, 3."""


def needed_dimension(points: int, k: int) -> int:
    """The least dimension in which some arrangement has every set of up to k points as a top k.

    Every affine dependence of k-neighbourly points has more than k points on either side, and
    any d + 2 points have one with at most half of them on one side; so beyond a simplex (of d + 1
    points, all of whose sets are faces) k is at most d / 2. Cyclic polytopes attain that.

    Raises:
        BadInput: k is not within 1 to points - 1, which leaves something to rank below.
    """
    _require_sets(points, k)
    return min(2 * k, points - 1)


def critical_by_cubic(dimension: int) -> float:
    """The n up to which the paper expects optimisation to reach every pair, by its cubic fit.

    Below 3 dimensions the fit is negative; far above those tried, some tens, it is a guess.

    Raises:
        BadInput: no dimension.
    """
    if dimension < 1:
        raise BadInput(f"a dimension is 1 or more, not {dimension}")
    return float(sum(c * dimension**power for power, c in enumerate(CUBIC)))


def largest_margin(points: int, k: int) -> float:
    """By how much, at most, all sets of k of n unit vectors can beat the others at once.

    The score of the worst member less that of the best other, by unit queries, in any dimension;
    the simplex attains it. Source: arXiv:2601.20844, abstract.

    Raises:
        BadInput: k is not within 1 to points - 1.
    """
    _require_sets(points, k)
    return points / (k * (points - 1) * (points - k)) ** 0.5


def on_trigonometric_curve(points: int, k: int) -> Float64[np.ndarray, "n d"]:
    """Unit vectors in ``2 * k`` dimensions of which every set of up to k is a top k.

    Equal steps t of a full turn go to cos t, sin t, ..., cos kt, sin kt. `query_on_curve` has the
    queries. Margins shrink as n to the power -2k: exact, and useless in few bits.
    """
    _require_sets(points, k)
    angles = 2 * np.pi * np.arange(points)[:, None] / points * np.arange(1, k + 1)
    return np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(points, -1) / k**0.5


def query_on_curve(points: int, members: tuple[int, ...]) -> Float64[np.ndarray, " d"]:
    """The unit vector that ranks these members of `on_trigonometric_curve` above all others.

    Its scores are, up to a constant, ``-prod(1 - cos(t - t_i))`` over the members: highest, and
    alike, at the members, lower everywhere else.
    """
    k = len(members)
    # A trigonometric polynomial of degree k is known by its values at 2k + 1 places.
    grid = 2 * np.pi * np.arange(2 * k + 1) / (2 * k + 1)
    apart = grid[:, None] - 2 * np.pi * np.asarray(members) / points
    values = -np.prod(1 - np.cos(apart), axis=1)
    waves = np.arange(1, k + 1)[:, None] * grid
    query = np.stack([np.cos(waves) @ values, np.sin(waves) @ values], axis=1).ravel()
    return query / np.linalg.norm(query)


@dataclass(frozen=True)
class Sizing:
    """What so many dimensions can give a gallery.

    Attributes:
        faces, dimension, per_person: what was asked.
        set_size: the largest k of which some arrangement has every set as a top k.
        people: whether an arrangement exists that answers each person by all their pictures.
        any_pair: the number of faces up to which the paper expects optimisation to reach every
            pair of them, by its cubic.
        margin: the most by which all sets of one person's size could beat the others at once.
    """

    faces: int
    dimension: int
    per_person: int
    set_size: int
    people: bool
    any_pair: float
    margin: float

    @property
    def any_set(self) -> bool:
        """Whether any faces at all, as many as a person has, could be one answer."""
        return self.per_person <= self.set_size

    def lines(self) -> list[str]:
        """The sizing in words, a sentence a line."""
        return [
            f"{self.faces:,} faces in {self.dimension} dimensions, up to {self.per_person} of a "
            f"person.",
            "Each person's pictures as one answer: an arrangement "
            + ("exists." if self.people else "need not exist."),
            f"Any {self.per_person} faces as one answer: an arrangement "
            + ("exists" if self.any_set else "does not exist")
            + f"; it does for up to {self.set_size}.",
            f"Any two faces as one answer, by optimisation: up to about {self.any_pair:,.0f} faces "
            f"(the paper's cubic, far beyond what was tried).",
            "Whether a network's embeddings have such an arrangement, only a measurement tells.",
        ]


def check_gallery(faces: int, dimension: int, per_person: int) -> Sizing:
    """Whether a gallery asks more of its embeddings' dimension than that can give.

    Args:
        faces: in the gallery.
        dimension: of the embeddings.
        per_person: the most pictures that one answer holds.

    Raises:
        BadInput: a number is below 1, or per_person is not below faces.
    """
    _require_sets(faces, per_person)
    cubic = critical_by_cubic(dimension)
    largest = faces - 1 if dimension >= faces - 1 else dimension // 2
    return Sizing(
        faces=faces,
        dimension=dimension,
        per_person=per_person,
        set_size=largest,
        people=dimension >= 2,
        any_pair=max(cubic, dimension + 1.0),
        margin=largest_margin(faces, per_person),
    )


def answered_people(
    vectors: Float32[np.ndarray, "n d"], people: Int[np.ndarray, " n"]
) -> tuple[int, int]:
    """How many people one vector finds whole: all their faces above everybody else's.

    The vector is the mean of the person's own faces, so that this is a lower bound of what a
    search can reach, measured on the embeddings at hand. People of one face are left out: their
    own face is always nearest to itself.

    Args:
        vectors: unit rows.
        people: the person of each face.

    Returns:
        People found whole, and people of two faces or more.
    """
    _, person, sizes = np.unique(people, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), vectors.shape[1]), np.float32)
    np.add.at(sums, person, vectors)
    several = np.flatnonzero(sizes > 1)
    whole = 0
    for start in range(0, len(several), _BLOCK):
        block = several[start : start + _BLOCK]
        scores = sums[block] @ vectors.T
        own = person[None, :] == block[:, None]
        worst = np.where(own, scores, np.inf).min(axis=1)
        best = np.where(own, -np.inf, scores).max(axis=1, initial=-np.inf)
        whole += int(np.count_nonzero(worst > best))
    return whole, len(several)


def _require_sets(points: int, k: int) -> None:
    if not 1 <= k < points:
        raise BadInput(f"sets of 1 to {points - 1} out of {points} points are meant, not of {k}")
