"""``calibrate`` and ``sizing``: what the user's own photos say about strangers and dimensions."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

import numpy as np

from lineament.cli.album import opened
from lineament.cli.output import print_json, print_table
from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput
from lineament.know.calibrate import OwnCalibration, to_json
from lineament.know.calibrate import calibrate as measure
from lineament.know.embedding_limits import answered_people, check_gallery


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


def sizing(options: Namespace) -> int:
    """Hold the gallery against what so many dimensions can give."""
    with opened(options) as gallery:
        faces = gallery.codes()
        if len(faces.ids) < 3:
            raise BadInput("a gallery of three faces or more is needed")
        vectors = Embeddings.from_codes(faces.codes, gallery.space).vectors
    most = int(np.unique(faces.people, return_counts=True)[1].max())
    found = check_gallery(len(vectors), vectors.shape[1], min(most, len(vectors) - 1))
    whole, several = answered_people(vectors, faces.people)
    if options.json:
        measured = {"people_answered_whole": whole, "people_seen_again": several}
        print_json({**asdict(found), "any_set": found.any_set, **measured})
        return 0
    print("\n".join(found.lines()))
    print(
        f"Measured here: of {several} people seen again, the mean of their faces finds {whole} "
        "whole, with nobody else's face in between."
    )
    return 0
