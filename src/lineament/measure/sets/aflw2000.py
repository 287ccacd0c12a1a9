"""AFLW2000-3D: faces at all poses, with 68 points in three dimensions and the pose of the head.

Layout: ``imageNNNNN.jpg`` beside ``imageNNNNN.mat``, in the folder itself or in
``TestImages/AFLW2000``. Read of a file: ``pt3d_68`` (3 x 68; x and y in pixels, z towards the
viewer) and ``Pose_Para`` (1 x 7: pitch, yaw, roll in radians, two shifts, depth, scale).

The set's angles make up R = Rx(-pitch) Ry(yaw) Rz(roll) in the house's axes (x right, y down, z
away); the house's own order is Rz Ry Rx, so `read_aflw2000` gives both. That this is their order
can be seen in the points themselves: turned back so, those of all faces fall together.

Source: X. Zhu et al., "Face alignment across large poses: a 3D solution", CVPR 2016, section 5.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from lineament.core.errors import BadInput
from lineament.core.rotations import euler_angles, rotations_of_300w_lp
from lineament.measure.sets.matlab import read_matlab
from lineament.measure.sets.nouns import PointedFaces, Terms, need_files

TERMS = Terms(
    name="AFLW2000-3D",
    where="the page of 3DDFA (cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm)",
    terms="research",
)
_SHAPES = {"pt3d_68": (3, 68), "Pose_Para": (1, 7)}


def read_aflw2000(folder: Path) -> PointedFaces:
    """Read the folder, in order of name; scheme ``68``.

    The labels are ``angles`` (n x 3: the set's own pitch, yaw, roll, radians, by which published
    errors go), ``pose`` (n x 3: pitch, yaw, roll of the same rotations in the house's convention)
    and ``depth`` (n x 68: z away from the viewer, in pixels).

    Raises:
        MissingFile: it is not there; the message says where to get it, and its terms.
        BadInput: a file does not hold what it should.
    """
    inner = folder / "TestImages" / "AFLW2000"
    folder = inner if inner.is_dir() else folder
    paths = tuple(sorted(folder.glob("image*.jpg")))
    if not paths:
        raise TERMS.missing(folder / "image*.jpg")
    files = [_read_file(path.with_suffix(".mat")) for path in paths]
    solid = np.stack([file["pt3d_68"].T for file in files]).astype(np.float32)
    angles = np.stack([file["Pose_Para"][0, :3] for file in files]).astype(np.float64)
    labels = {"angles": angles, "pose": house_angles(angles), "depth": -solid[:, :, 2]}
    return PointedFaces(paths, np.ascontiguousarray(solid[:, :, :2]), "68", labels)


def house_angles(angles: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """The set's angles as pitch, yaw, roll of R = Rz(roll) Ry(yaw) Rx(pitch), radians."""
    return euler_angles(rotations_of_300w_lp(angles))


def solid_points(faces: PointedFaces) -> Float32[np.ndarray, "n k 3"]:
    """The points with their depth, in the house's axes, pixels."""
    return np.concatenate([faces.points, faces.labels["depth"][:, :, None]], axis=2)


def _read_file(path: Path) -> dict[str, np.ndarray]:
    need_files(TERMS, path)
    held = read_matlab(path)
    for name, shape in _SHAPES.items():
        array = held.get(name)
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise BadInput(f"no variable {name!r} of {shape[0]} x {shape[1]}", str(path))
        if not np.isfinite(array).all():
            raise BadInput(f"a number of {name!r} is not finite", str(path))
    return {name: held[name] for name in _SHAPES}
