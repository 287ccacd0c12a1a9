"""Templates: many pictures and video frames of one person, pooled to one embedding.

Frames of one video resemble each other. They are averaged first, so that a long video does not
outvote the still pictures beside it ("media pooling").

Source: N. Crosswhite et al., "Template adaptation for face verification and identification",
FG 2017, section 3 (media-averaged embeddings); C. Whitelam et al., "IARPA Janus Benchmark-B face
dataset", CVPR Workshops 2017, for templates and media.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Int64

from lineament.core.embeddings import Embeddings
from lineament.core.errors import BadInput

_SHORTEST = 1e-6
"""Of a pooled vector, beside the weight that went into it: what is shorter is rounding."""


def pool(
    embeddings: Embeddings,
    templates: Int[np.ndarray, " n"],
    media: Int[np.ndarray, " n"],
    quality: Float[np.ndarray, " n"] | None = None,
) -> tuple[Int64[np.ndarray, " t"], Embeddings]:
    """One embedding a template: frames are averaged within media, media within the template.

    The mean over media is brought to length 1; media themselves are not. With `quality`, each
    frame is multiplied by its quality before it is averaged: within a medium the better frames
    count more, and a medium counts as much as its mean quality. Only ratios of qualities matter,
    within a template.

    Args:
        embeddings: of all frames and pictures, a row each.
        templates: the template of each row.
        media: the medium of each row. Numbers count within a template: medium 3 of two templates
            is two media. Still pictures are a medium each.
        quality: of each row, at least 0.

    Returns:
        The templates' numbers, rising, and their embeddings in that order.

    Raises:
        BadInput: there are no rows, lengths differ, a quality is negative or not finite, or the
            rows of a template cancel out (or all have quality 0).
    """
    vectors = embeddings.vectors
    weights = np.ones(len(vectors)) if quality is None else np.asarray(quality, np.float64)
    if not len(vectors) == len(templates) == len(media) == len(weights) or not len(vectors):
        raise BadInput(
            "a template, a medium and a quality for each of at least one embedding expected; got "
            f"{len(vectors)} embeddings, {len(templates)}, {len(media)}, {len(weights)}"
        )
    if not np.all(np.isfinite(weights) & (weights >= 0)):
        raise BadInput("qualities must be finite and at least 0")
    names, template = np.unique(templates, return_inverse=True)
    _, medium, frames = np.unique(
        np.stack([template, np.asarray(media)]), axis=1, return_inverse=True, return_counts=True
    )
    # The mean over media of (quality x frame) means, but for a factor that unit length removes.
    weights = weights / frames[medium.ravel()]
    order = np.argsort(template, kind="stable")
    starts = np.searchsorted(template[order], np.arange(len(names)))
    pooled = np.add.reduceat(weights[order, None] * vectors[order], starts, axis=0)
    lengths = np.linalg.norm(pooled, axis=1)
    total = np.add.reduceat(weights[order], starts)
    if not np.all(lengths > _SHORTEST * total):
        lost = names[np.argmin(lengths > _SHORTEST * total)]
        raise BadInput(f"template {lost} has no direction: its rows cancel out or weigh nothing")
    return names.astype(np.int64), Embeddings.normalised(pooled, embeddings.space)
