"""A face in three dimensions, looking straight at the viewer: the vertices that do not move.

Centimetres in axes x right, y down, z away, about a point inside the head, of MediaPipe's canonical
face model (Apache-2.0, The MediaPipe Authors; its own axes are y up and z towards the viewer). A
vertex goes by its number among the 478 landmarks.

Left out are lips, jaw, brows and eyelids, which expressions move, and most of the rest, because
neighbours say the same: on LFW and AFLW2000-3D these 31 gave poses as good as all 468.
"""

from __future__ import annotations

import numpy as np

VERTICES = {
    1: (0.00, 1.13, -7.48),  # tip of the nose, and up its bridge
    4: (0.00, 0.46, -7.59),
    5: (0.00, -0.37, -7.24),
    195: (0.00, -1.06, -6.77),
    197: (0.00, -1.73, -6.32),
    6: (0.00, -2.47, -5.79),
    168: (0.00, -3.27, -5.24),
    8: (0.00, -4.02, -5.28),  # between the brows, and up the forehead
    9: (0.00, -4.89, -5.39),
    151: (0.00, -6.55, -5.03),
    10: (0.00, -8.26, -4.48),
    67: (-3.52, -8.01, -3.73),
    297: (3.52, -8.01, -3.73),
    54: (-6.28, -6.62, -1.43),
    284: (6.28, -6.62, -1.43),
    33: (-4.45, -2.66, -3.17),  # outer and inner corners of the eyes
    263: (4.45, -2.66, -3.17),
    133: (-1.86, -2.59, -3.76),
    362: (1.86, -2.59, -3.76),
    98: (-1.41, 1.71, -5.24),  # wings of the nose
    327: (1.41, 1.71, -5.24),
    129: (-1.79, 0.98, -4.85),
    358: (1.79, 0.98, -4.85),
    117: (-5.26, -0.95, -2.97),  # cheekbones
    346: (5.26, -0.95, -2.97),
    116: (-6.47, -0.94, -1.69),
    345: (6.47, -0.94, -1.69),
    127: (-7.74, -2.36, 2.01),  # before the ears
    356: (7.74, -2.36, 2.01),
    234: (-7.66, -0.67, 2.44),
    454: (7.66, -0.67, 2.44),
}

STEADY = np.asarray(list(VERTICES))
"""Numbers of the vertices, in order."""
SOLID = np.asarray(list(VERTICES.values()), np.float64)
"""The vertices about their middle, k x 3, centimetres."""
SOLID -= SOLID.mean(axis=0)
