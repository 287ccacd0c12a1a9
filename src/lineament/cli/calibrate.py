"""``calibrate``: what the user's own photos say about strangers."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from lineament.cli.album import opened
from lineament.cli.output import print_json, print_table
from lineament.know.calibrate import OwnCalibration, to_json
from lineament.know.calibrate import calibrate as measure


def calibrate(options: Namespace) -> int:
    """Measure the gallery's own false-match rates, and keep them with it."""
    with opened(options) as gallery:
        if options.drop:
            gallery.drop_calibration()
            if options.json:
                print_json({"calibration": None})
            else:
                print("Dropped: the calibration that ships decides again.")
            return 0
        own = measure(gallery)
        gallery.keep_calibration(to_json(own))
    if options.json:
        print_json({**asdict(own), "warnings": own.warnings})
    else:
        _show(own)
    return 0


def _show(own: OwnCalibration) -> None:
    ladder = own.calibration
    print(f"{own.couples:,} pairs of people who are surely two; {ladder.data}.")
    print_table(
        ("promised rate#", "threshold#", "here#", "95 % from#", "to#", ""),
        [
            (
                f"{m.promised:g}",
                f"{m.threshold:.3f}",
                *(f"{v:.2g}" for v in (m.rate, m.low, m.high)),
            )
            + ("no clear difference" if m.verdict == "alike" else m.verdict,)
            for m in own.measured
        ],
    )
    for warning in own.warnings:
        print(f"Warning: {warning}.")
    print(
        f"Kept with the gallery: `search`, and `verify --gallery`, use it for rates down to "
        f"{ladder.rates[-1]:g}; below that these photos are too few, and the shipped one decides."
    )
