"""ASPL: name many faces from few answers. What is sure is assumed, what is unsure is asked.

Each person has a linear machine against all others. With w the machines, y the names of faces that
nobody named, v the weight of each face in each machine, C the cost and lambda the age of a machine:

    min over w, y, v  of
    sum_j |w_j|^2 / 2  +  C sum_ij v_ij l_ij  +  sum_ij lambda_j (v_ij^2 / 2 - v_ij)

where l is the hinge loss, at most one y of a face is +1, and v is 1 for a face that the user named.
It is solved in turns. Given w and y, v = max(0, 1 - C l / lambda) (`self_paced_weights`); given w
and v, the name is the class that lowers the loss most, or none (`pseudo_labels`); given v and y, w
are weighted support vector machines (`svm`). Lambda grows with how well a machine does: easy faces
are assumed first, harder ones later. From time to time the user is asked about faces that several
machines claim, then about those that are least like anybody; an answer may be a new person, and
sets v to 1 for good. Answers that all machines contradict are to be looked at again.

Source: L. Lin et al., "Active Self-Paced Learning for Cost-Effective and Progressive Face
Identification", TPAMI 2018, arXiv:1701.03555, section 3 and algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from lineament.core.cards import Card
from lineament.core.errors import BadInput
from lineament.know.adaptation.svm import Machines, train

CARD = Card(
    slug="aspl",
    title="Active Self-Paced Learning for Cost-Effective and Progressive Face Identification",
    paper="arXiv:1701.03555",
    verb="adapt",
    task="Names faces from few answers: sure ones by itself, and it asks about those that teach "
    "most.",
    entry="SelfPaced",
    needs=("embeddings", "answers"),
    gives=("labels", "questions"),
    code="github.com/kezewang/ASPL",
    deviations=(
        "The embedder stays as it is: the paper tunes its network on the assumed names in between.",
        "A face is assumed only where exactly one machine claims it, as in the authors' code, and "
        "faces that nobody claims train no machine, not even as negatives.",
        "Answers to look at again are found by machines that were not told of them.",
        "The hinge loss of the paper's equations; the authors' code squares it.",
        "A machine's pace grows by the share of its person's named faces that it gets right.",
        "When an answer is a new person, the faces like it are not asked about at once.",
        "Faces that cannot be a person (two of one photo, or by the user's word) may be barred.",
    ),
    risk="Assumed names teach the machines that assume the next ones: an early mistake can grow, "
    "and falls most on people whose faces the embedder confuses. They are suggestions only.",
)

COST = 10.0
AGE = 0.5
"""Lambda over C at the start: the loss below which a face is assumed."""
GROWTH = 0.02
"""What a faultless machine adds to its age in a round."""
NOBODY = -1


def hinge(
    scores: Float[np.ndarray, "n c"], signs: Float[np.ndarray, "n c"]
) -> Float64[np.ndarray, "n c"]:
    """max(0, 1 - y f) of each face in each machine."""
    return np.maximum(0.0, 1.0 - signs * scores).astype(np.float64)


def self_paced_weights(
    losses: Float[np.ndarray, "n c"], ages: Float[np.ndarray, " c"], cost: float
) -> Float64[np.ndarray, "n c"]:
    """v that minimises C v l + lambda (v^2 / 2 - v) within [0, 1]: 1 - C l / lambda, or 0."""
    return np.maximum(0.0, 1.0 - cost * losses / ages).astype(np.float64)


def pseudo_labels(
    scores: Float[np.ndarray, "n c"], weights: Float[np.ndarray, "n c"]
) -> Int64[np.ndarray, " n"]:
    """The class, at most one, that lowers a face's weighted loss most; `NOBODY` where none does.

    To call a face one of class j changes its loss by v_j (max(0, 1 - f_j) - max(0, 1 + f_j)).
    """
    gain = weights * (np.maximum(0, 1 + scores) - np.maximum(0, 1 - scores))
    best = gain.argmax(axis=1)
    return np.where(gain[np.arange(len(best)), best] > 0, best, NOBODY).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Claims:
    """Who claims a face that nobody named, at the present age.

    Attributes:
        names: column of the one machine that claims it, or `NOBODY`.
        weights: v_ij under these names.
        count: machines that claim it.
    """

    names: Int64[np.ndarray, " n"]
    weights: Float64[np.ndarray, "n c"]
    count: Int64[np.ndarray, " n"]


@dataclass(eq=False)
class SelfPaced:
    """Faces, some of them named, and machines that name the others.

    Attributes:
        vectors: unit embeddings.
        answers: label that the user gave each face, or `NOBODY`; labels are from 0.
        barred: faces and columns of `people` that cannot be; None where anything may. It must have
            a column for each person, and is then of no use once new people come.
        cost: C of the machines.
        age: lambda / C of a new machine.
        growth: of lambda / C in a round, for a machine without mistakes.
        assume: whether sure faces are learned from; without it this is plain active learning.
        people: labels that were answered, in the order of the machines.
        assumed: column of the person each face is taken for, or `NOBODY`.
        weights: v_ij of faces in machines; 1 for answered, 0 for those left out.
        ages: lambda of each machine.
    """

    vectors: Float[np.ndarray, "n d"]
    answers: Int64[np.ndarray, " n"]
    barred: Bool[np.ndarray, "n c"] | None = None
    cost: float = COST
    age: float = AGE
    growth: float = GROWTH
    assume: bool = True
    people: list[int] = field(init=False, default_factory=list)
    assumed: Int64[np.ndarray, " n"] = field(init=False)
    weights: Float64[np.ndarray, "n c"] = field(init=False)
    ages: Float64[np.ndarray, " c"] = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.vectors)
        if len(self.answers) != n:
            raise BadInput(f"{n} faces need as many answers, or -1; got {len(self.answers)}")
        self.answers = self.answers.copy()
        self.assumed = np.full(n, NOBODY)
        self.weights = np.zeros((n, 0))
        self.ages = np.zeros(0)
        self._machines: Machines | None = None
        self._dual = np.zeros((n, 0))
        self._admit(self.answers[self.answers >= 0])
        if not self.people:
            raise BadInput("nobody is named yet: there is nothing to learn from")
        self._fit()

    def answer(self, rows: Int[np.ndarray, " k"], labels: Int[np.ndarray, " k"]) -> None:
        """What the user said of some faces; a label that is new makes a new machine."""
        self.answers[rows] = labels
        self.assumed[rows] = NOBODY
        self._admit(labels)
        self._fit()

    def round(self) -> None:
        """One turn of the alternation: names and weights from the machines, then new machines, and
        a step of age."""
        if self.assume:
            claims = self.claims()
            self.assumed = claims.names
            self.weights = np.where((claims.names >= 0)[:, None], claims.weights, 0.0)
            self._fit()
        self.ages = self.ages + self.growth * self.cost * self.skill()

    def scores(self) -> Float64[np.ndarray, "n c"]:
        """f_ij of all faces; far below any margin where a face is barred."""
        assert self._machines is not None
        scores = self._machines.scores(self.vectors)
        return scores if self.barred is None else np.where(self.barred, -np.inf, scores)

    def claims(self) -> Claims:
        """Names and weights of the faces that the user did not name, in closed form."""
        scores = np.maximum(self.scores(), -1e6)
        claimed = self_paced_weights(hinge(scores, np.ones_like(scores)), self.ages, self.cost)
        count = np.where(self.answers < 0, (claimed > 0).sum(axis=1), 0)
        names = np.where(count == 1, pseudo_labels(scores, claimed), NOBODY)
        losses = hinge(scores, self._signs_of(names))
        return Claims(names, self_paced_weights(losses, self.ages, self.cost), count)

    def questions(self, count: int) -> Int64[np.ndarray, " k"]:
        """Faces to ask about: those that several machines put on their side first, the closest
        calls before others; then those least like anybody. Never what is answered or assumed."""
        scores = np.maximum(self.scores(), -1e6)
        ranked = np.sort(scores, axis=1)[:, ::-1]
        contested = (scores > 0).sum(axis=1) > 1
        lead = ranked[:, 0] - (ranked[:, 1] if len(self.people) > 1 else 0)
        order = np.lexsort((np.where(contested, lead, ranked[:, 0]), ~contested))
        free = (self.answers < 0) & (self.assumed < 0)
        return order[free[order]][:count]

    def named(self) -> Int64[np.ndarray, " n"]:
        """A label for every face: the answer, else the class that scores highest."""
        best = np.asarray(self.people, np.int64)[self.scores().argmax(axis=1)]
        return np.where(self.answers >= 0, self.answers, best)

    def doubtful(self, folds: int = 5) -> Int64[np.ndarray, " k"]:
        """Named faces that are on the side of another machine, and further than on that of their
        own: to look at again.

        Machines bend to what they are told, so that each face is judged by machines that were not
        told of it; of somebody with one named face nothing can be said.
        """
        rows = np.flatnonzero(self.answers >= 0)
        own = self._columns(self.answers[rows])
        fold = np.empty(len(rows), np.int64)
        for person in range(len(self.people)):
            theirs = np.flatnonzero(own == person)
            fold[theirs] = np.where(len(theirs) > 1, np.arange(len(theirs)) % folds, NOBODY)
        wrong = np.zeros(len(rows), bool)
        for out in range(folds):
            told, judged = fold != out, fold == out
            signs = self._signs_of(own[told])
            machines = train(self.vectors[rows[told]], signs, np.full_like(signs, self.cost))
            scores = machines.scores(self.vectors[rows[judged]])
            other = scores.argmax(axis=1) != own[judged]
            wrong[judged] = other & (scores.max(axis=1, initial=-np.inf) > 0)
        return rows[wrong]

    def skill(self) -> Float64[np.ndarray, " c"]:
        """The share of each person's named faces that their machine puts first, on its side."""
        rows = np.flatnonzero(self.answers >= 0)
        own = self._columns(self.answers[rows])
        scores = self.scores()[rows]
        right = (scores.argmax(axis=1) == own) & (scores.max(axis=1) > 0)
        total = np.bincount(own, minlength=len(self.people))
        return np.bincount(own, right, minlength=len(self.people)) / total

    def _admit(self, labels: Int[np.ndarray, " k"]) -> None:
        new = [label for label in dict.fromkeys(labels.tolist()) if label not in self.people]
        if new:
            self.people += new
            wide = ((0, 0), (0, len(new)))
            self.weights, self._dual = np.pad(self.weights, wide), np.pad(self._dual, wide)
            self.ages = np.append(self.ages, np.full(len(new), self.age * self.cost))

    def _fit(self) -> None:
        told = self.answers >= 0
        columns = np.where(told, self._columns(self.answers), self.assumed)
        caps = self.cost * np.where(told[:, None], 1.0, self.weights)
        rows = np.flatnonzero(columns >= 0)
        signs = self._signs_of(columns[rows])
        machines = train(self.vectors[rows], signs, caps[rows], start=self._dual[rows])
        self._machines = machines
        self._dual = np.zeros_like(self._dual)
        self._dual[rows] = machines.dual

    def _columns(self, labels: Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " k"]:
        place = {label: i for i, label in enumerate(self.people)}
        return np.asarray([place.get(label, NOBODY) for label in labels.tolist()], np.int64)

    def _signs_of(self, columns: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, "k c"]:
        return np.where(columns[:, None] == np.arange(len(self.people)), 1.0, -1.0)
