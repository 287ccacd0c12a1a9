"""Which rows of data each step takes: a function of seed and step, so that a resumed run needs no
hidden state, and any number of processes agree without talking."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from lineament.core.errors import BadInput


class Order:
    """Every row once an epoch, in an order of its own for each epoch.

    Batches run on over the end of an epoch, so all have the same size.

    Args:
        rows: of the data.
        batch: rows a step.
        seed: of the orders.

    Raises:
        BadInput: there are no rows, or none are asked for.
    """

    def __init__(self, rows: int, batch: int, seed: int) -> None:
        if rows < 1 or batch < 1:
            raise BadInput(f"no batches of {batch} out of {rows} rows")
        self._rows, self._batch, self._seed = rows, batch, seed
        self._epochs: dict[int, Int64[np.ndarray, " rows"]] = {}

    def __call__(self, step: int) -> Int64[np.ndarray, " batch"]:
        """The rows of a step, counted from 0."""
        places = np.arange(step * self._batch, (step + 1) * self._batch)
        epochs, within = np.divmod(places, self._rows)
        self._epochs = {int(epoch): self._epoch(int(epoch)) for epoch in np.unique(epochs)}
        picked = [self._epochs[int(e)][w] for e, w in zip(epochs, within, strict=True)]
        return np.asarray(picked, np.int64)

    def _epoch(self, epoch: int) -> Int64[np.ndarray, " rows"]:
        known = self._epochs.get(epoch)
        if known is not None:
            return known
        return np.random.default_rng((self._seed, epoch)).permutation(self._rows)
