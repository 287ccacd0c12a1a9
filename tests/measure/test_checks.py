"""What metrics refuse, and that the message names it."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.core.errors import BadInput
from lineament.measure.checks import need_alike, need_finite, need_rows, need_share

TWO = np.asarray([0.0, 1.0])


def test_what_is_whole_passes():
    need_finite(a=TWO)
    need_rows(a=TWO, b=np.asarray([True, False]), c=np.zeros((2, 3)))
    need_alike(a=TWO, b=TWO)
    need_share(a=0.0, b=1.0)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: need_finite(a=TWO, b=np.asarray([np.nan])), "b must be finite"),
        (lambda: need_rows(a=TWO, b=TWO[:1]), "a 2, b 1"),
        (lambda: need_rows(a=TWO[:0]), "at least one row"),
        (lambda: need_rows(a=np.asarray([np.inf])), "a must be finite"),
        (lambda: need_alike(a=np.zeros((2, 3)), b=np.zeros((3, 2))), "a (2, 3), b (3, 2)"),
        (lambda: need_alike(a=np.zeros((2, 0)), b=np.zeros((2, 0))), "nothing to measure"),
        (lambda: need_share(rate=1.1), "rate must lie"),
        (lambda: need_share(rate=float("nan")), "rate must lie"),
    ],
)
def test_what_is_not_is_refused(check, message):
    with pytest.raises(BadInput) as caught:
        check()
    assert message in str(caught.value)
