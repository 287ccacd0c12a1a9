"""WHENet: head pose as mean angles over bins, small and quick."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

from lineament.core.cards import Card, Weight
from lineament.core.rotations import rotations_of_300w_lp
from lineament.see.pose.network import PoseNetwork

CARD = Card(
    slug="whenet",
    title="WHENet: Real-time Fine-Grained Estimation for Wide Range Head Pose",
    paper="arXiv:2005.10353",
    verb="describe",
    task="Gives pitch, yaw and roll of a head from its pixels, in a quarter of 6DRepNet360's time.",
    entry="WHENet",
    needs=("keypoints",),
    gives=("pose",),
    code="github.com/Ascend-Research/HeadPoseEstimation-WHENet",
    deviations=(
        "Inference only: the wrapped loss belongs to training.",
        "Crops are made upright by the five points and have one size of head; the authors cut "
        "them around a detector's box of the head, and stretch them to a square.",
        "Angles are those of 300W-LP in its own order; they are brought to the house's.",
        "Heads seen from behind are out of reach, since a face must be found first.",
    ),
    risk=(
        "Where a head points is not where a person looks, and says nothing of what they think. "
        "Answers differ between a picture and its mirror image by some degrees."
    ),
    weights=(
        Weight(
            name="whenet",
            file="WHENet.onnx",
            sha256="7ab89f63f13047d61d4d8955f33c7e31af6030ade4211fc5e078dae2db1ef5fc",
            size=17_305_831,
            licence="BSD-3-Clause (the authors)",
            commercial=True,
            trained_on="300W-LP, and heads of CMU Panoptic with the authors' labels",
            preprocessing="head224 crops, RGB, ImageNet's mean taken off, divided by its deviation",
            sources=("pypi:faceangle==0.3.0!faceangle/models/WHENet.onnx",),
        ),
    ),
)


class WHENet(PoseNetwork):
    """WHENet on ONNX Runtime. The mean over the bins of each angle is part of the network.

    Source: Y. Zhou, J. Gregson, BMVC 2020, section 3.
    """

    card = CARD

    def rotations(self, pixels: Float32[np.ndarray, "n h w 3"]) -> Float64[np.ndarray, "n 3 3"]:
        """See `PoseNetwork`."""
        yaw, pitch, roll = self._session.run(pixels)
        return rotations_of_300w_lp(np.radians(np.stack([pitch, yaw, roll], axis=1)))
