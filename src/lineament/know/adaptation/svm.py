"""Linear support vector machines, one against all, with a weight on each face in each of them.

For each class j: min over w of |w|^2 / 2 + C sum_i v_ij max(0, 1 - y_ij w.x_i). The dual has one
number a_ij for each face and class, between 0 and C v_ij, and is solved a coordinate at a time; all
classes take their step on a face together.

Source: C.-J. Hsieh et al., "A dual coordinate descent method for large-scale linear SVM", ICML
2008, algorithm 1 (without shrinking). As in LIBLINEAR, a constant number beside the features makes
the offset, which is regularised with the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

EPOCHS, TOLERANCE = 50, 0.1


@dataclass(frozen=True, eq=False)
class Machines:
    """Separating planes.

    Attributes:
        weight: a column a class; the last row is the offset.
        dual: a_ij of each face that was trained on.
    """

    weight: Float64[np.ndarray, "d1 c"]
    dual: Float64[np.ndarray, "n c"]

    def scores(self, vectors: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "n c"]:
        """Above 0 on the side of a class, 1 at its margin."""
        return vectors @ self.weight[:-1] + self.weight[-1]


def train(
    vectors: Float[np.ndarray, "n d"],
    signs: Float[np.ndarray, "n c"],
    caps: Float[np.ndarray, "n c"],
    *,
    start: Float[np.ndarray, "n c"] | None = None,
    epochs: int = EPOCHS,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> Machines:
    """Fit all classes.

    Args:
        vectors: of the faces.
        signs: +1 where a face is of the class, -1 where it is not.
        caps: C v_ij: how much a face may pull; 0 leaves it out.
        start: dual variables to begin from, such as those of a similar problem.
        epochs: at most.
        tolerance: largest projected gradient at which it is done.
        seed: of the order of faces, new in each epoch.
    """
    x = np.concatenate([vectors, np.ones((len(vectors), 1))], axis=1).astype(np.float64)
    dual = np.zeros(signs.shape) if start is None else np.clip(start, 0, caps)
    weight = x.T @ (dual * signs)
    lengths = np.einsum("nd,nd->n", x, x)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        worst = 0.0
        for i in rng.permutation(len(x)):
            gradient = signs[i] * (x[i] @ weight) - 1
            moved = np.clip(dual[i] - gradient / lengths[i], 0, caps[i])
            step = moved - dual[i]
            # The step times the length is the gradient where no bound is met, and 0 at a bound.
            worst = max(worst, float(np.abs(step).max(initial=0)) * lengths[i])
            weight += np.outer(x[i], step * signs[i])
            dual[i] = moved
        if worst <= tolerance:
            break
    return Machines(weight, dual)
