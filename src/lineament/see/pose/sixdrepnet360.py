"""6DRepNet360: head pose in the full range, as six numbers that make a rotation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

from lineament.core.cards import Card, Weight
from lineament.see.pose.network import PoseNetwork

CARD = Card(
    slug="6drepnet360",
    title="Toward Robust and Unconstrained Full Range of Rotation Head Pose Estimation",
    paper="arXiv:2309.07654",
    verb="describe",
    task="Gives pitch, yaw and roll of a head from its pixels.",
    entry="SixDRepNet360",
    needs=("keypoints",),
    gives=("pose",),
    code="github.com/thohemp/6DRepNet360",
    deviations=(
        "Inference only: the geodesic loss belongs to training.",
        "Crops are made upright by the five points and have one size of head; the authors cut "
        "them from the bounds of 68 annotated points, upright in the picture.",
        "The network's matrix is in the mirrored axes and the order of 300W-LP's angles; it is "
        "brought to the house's, which the authors' drawings leave out.",
        "Heads seen from behind are out of reach, since a face must be found first.",
    ),
    risk=(
        "Where a head points is not where a person looks, and says nothing of what they think. "
        "Trained mostly on one set of faces made to turn by a model: errors beyond profile and "
        "under masks or hands are not known here."
    ),
    weights=(
        Weight(
            name="6drepnet360",
            file="6DRepNet360.onnx",
            sha256="eeb3b06117624eca23d53a2cca1c14bf6fcfadbce84d3ca8f40791fdf270c18f",
            size=94_007_614,
            licence="MIT (the authors)",
            commercial=True,
            trained_on="300W-LP, and CMU Panoptic if this is the authors' full-range file: which "
            "of their two it is, is not stated where it comes from",
            preprocessing="head224 crops, RGB, ImageNet's mean taken off, divided by its deviation",
            sources=("pypi:faceangle==0.3.0!faceangle/models/6DRepNet360.onnx",),
        ),
    ),
)

_AXES = np.diag((1.0, -1.0, -1.0))


class SixDRepNet360(PoseNetwork):
    """6DRepNet360 on ONNX Runtime.

    The network gives M = Rz(r) Ry(y) Rx(p) of the angles of 300W-LP, whose rotation in the house's
    axes is Rx(-p) Ry(y) Rz(r): the transpose of M with y and z turned about.

    Source: T. Hempel, A. A. Abdelrahman, A. Al-Hamadi, IEEE Transactions on Image Processing 2024,
    section III.
    """

    card = CARD

    def rotations(self, pixels: Float32[np.ndarray, "n h w 3"]) -> Float64[np.ndarray, "n 3 3"]:
        """See `PoseNetwork`."""
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        theirs = self._session.run(planes)[0].astype(np.float64)
        return _AXES @ theirs.transpose(0, 2, 1) @ _AXES
