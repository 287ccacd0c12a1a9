"""The run-time type checker that the test suite puts on every function of the package."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An int may stand for a float, as PEP 484 has it; everything else is held to the letter."""
