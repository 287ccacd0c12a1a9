"""How far one picture is from another: PSNR, SSIM, a distance of features, likeness of identity.

Two pictures have one shape, height x width or height x width x channels, and one scale, of which
`peak` is the white: 255 for bytes, 1 for pictures in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Float64, Num

from lineament.measure.checks import need, need_alike, need_rows

WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03


def psnr(a: Num[np.ndarray, "h w *c"], b: Num[np.ndarray, "h w *c"], peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in decibels, 10 log10(peak^2 / MSE) over all channels together.

    Infinite for equal pictures. A mean over pictures is one of decibels, not of errors.

    Raises:
        BadInput: shapes differ, a value is not finite, or the peak is not above 0.
    """
    one, other = _both(a, b, peak)
    error = float(np.mean((one - other) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def ssim(a: Num[np.ndarray, "h w *c"], b: Num[np.ndarray, "h w *c"], peak: float = 255.0) -> float:
    """Structural similarity, in [-1, 1]; 1 for equal pictures.

    Windows of 11 x 11 with Gaussian weights of sigma 1.5, K1 = 0.01, K2 = 0.03. Only windows that
    lie wholly in the picture count: nothing is padded. Each channel is measured for itself and the
    mean is taken; the paper measures luminance alone, for which hand in a picture without channels.
    The picture is not made smaller first.

    Source: Z. Wang et al., "Image quality assessment: from error visibility to structural
    similarity", TIP 2004, equation 13.

    Raises:
        BadInput: shapes differ, a side is below 11 pixels, a value is not finite, or the peak is
            not above 0.
    """
    one, other = _both(a, b, peak)
    need(min(one.shape[:2]) >= WINDOW, f"SSIM needs sides of {WINDOW} pixels at least")
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    mean_a, mean_b = _blur(one), _blur(other)
    variance_a = _blur(one**2) - mean_a**2
    variance_b = _blur(other**2) - mean_b**2
    covariance = _blur(one * other) - mean_a * mean_b
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    form = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return float(np.mean(light * form))


def feature_distance(
    a: Num[np.ndarray, "h w *c"],
    b: Num[np.ndarray, "h w *c"],
    features: Callable[[np.ndarray], Sequence[np.ndarray]],
) -> float:
    """Distance of two pictures in the layers of a network; 0 for equal pictures.

    In each layer the features of a position are brought to length 1; the squared distance between
    the two pictures is averaged over positions, and layers are summed. **This is not LPIPS**: the
    paper weighs channels with weights learned from people's judgements, and here all weigh the
    same (the paper's unweighted baseline). Its figures depend on the network and compare only
    within one.

    Source: R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual
    metric", CVPR 2018, equation 1, with every weight 1.

    Args:
        a: a picture.
        b: another.
        features: gives the layers of a picture, each channels x height x width.

    Raises:
        BadInput: shapes differ, there is no layer, or a value is not finite.
    """
    need_alike(a=a, b=b)
    layers_a, layers_b = features(a), features(b)
    need(0 < len(layers_a) == len(layers_b), "the same layers of both pictures expected")
    return float(sum(map(_layer_distance, layers_a, layers_b)))


def identity_similarity(
    a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]
) -> Float64[np.ndarray, " n"]:
    """Cosine of embeddings of one space, row by row, in [-1, 1]: is it still the same person?

    Raises:
        BadInput: shapes differ, there are no rows, a value is not finite, or a vector is 0.
    """
    need_alike(a=a, b=b)
    one, other = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    need(lengths.all(), "an embedding of length 0 has no direction")
    return np.clip((one * other).sum(axis=1) / lengths, -1.0, 1.0)


def _both(a: np.ndarray, b: np.ndarray, peak: float) -> tuple[np.ndarray, np.ndarray]:
    need_alike(a=a, b=b)
    need(peak > 0 and np.isfinite(peak), "the peak must be above 0")
    return a.astype(np.float64), b.astype(np.float64)


def _blur(picture: np.ndarray) -> np.ndarray:
    """Gaussian means of all windows that lie in the picture; down, then across."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    rows, columns = picture.shape[0] - WINDOW + 1, picture.shape[1] - WINDOW + 1
    # Shifted sums rather than a view of all windows, which a product would copy eleven-fold.
    nothing = np.zeros(())
    down = sum((w * picture[i : i + rows] for i, w in enumerate(weights)), nothing)
    return sum((w * down[:, i : i + columns] for i, w in enumerate(weights)), nothing)


def _layer_distance(a: np.ndarray, b: np.ndarray) -> float:
    need_rows(a=a, b=b)
    need(a.ndim == 3 and a.shape == b.shape, "layers of channels x height x width expected")
    one, other = _unit(a), _unit(b)
    return float(((one - other) ** 2).sum(axis=0).mean())


def _unit(layer: np.ndarray) -> np.ndarray:
    values = layer.astype(np.float64)
    return values / (np.linalg.norm(values, axis=0) + 1e-10)  # a dead position stays 0
