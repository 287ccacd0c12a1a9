"""TFLite operators with windows that slide over a picture, and the activations fused into them.

Source: the operators of TensorFlow Lite (``schema.fbs`` and its reference kernels) and of ONNX,
opset 18.
"""

from __future__ import annotations

import numpy as np

from lineament.core.errors import WeightError
from lineament.core.tflite.reader import Operator
from lineament.core.tflite.translate import CHANNELS_FIRST, Translation, Value

_SAME = 0


def activated(net: Translation, op: Operator, value: Value) -> Value:
    """`value` after the activation that is fused into the operator."""
    code = op.options["fused_activation_function"]
    if code == 0:
        return value
    if code == 1:
        return net.node("Relu", [value.name], value.shape, value.order)
    if code == 3:
        limits = [net.constant(np.asarray(limit, np.float32)) for limit in (0, 6)]
        return net.node("Clip", [value.name, *limits], value.shape, value.order)
    raise WeightError(f"{op.kind} with the activation {code} is not translated")


def _picture(net: Translation, op: Operator, k: int = 0) -> Value:
    value = net.value(op, k)
    if value.rank != 4:
        raise WeightError(f"{op.kind} of a tensor of shape {value.shape}")
    return net.arranged(value, CHANNELS_FIRST)


def _pads(
    op: Operator,
    size: tuple[int, ...],
    left: tuple[int, ...],
    window: tuple[int, ...],
    stride: list[int],
) -> list[int]:
    """Rows and columns before and after, as ONNX has them: top, left, bottom, right.

    "Same" centres the windows; where the border is odd, its larger half comes after.

    Raises:
        WeightError: the windows do not lead from `size` to `left`.
    """
    same = op.options["padding"] == _SAME
    before, after = [], []
    for s, n, w, t in zip(size, left, window, stride, strict=True):
        if n != (-(-s // t) if same else (s - w) // t + 1):
            raise WeightError(f"damaged: {op.kind} leads from {size} to {left}")
        total = max(0, (n - 1) * t + w - s) if same else 0
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after


def _steps(op: Operator, height: str, width: str) -> list[int]:
    """Two options of an operator that are steps over rows and columns, both at least 1."""
    steps = [int(op.options[height]), int(op.options[width])]
    if min(steps) < 1:
        raise WeightError(f"damaged: {op.kind} with steps of {steps}")
    return steps


def _stride(op: Operator) -> list[int]:
    return _steps(op, "stride_h", "stride_w")


def bias(net: Translation, op: Operator, k: int) -> list[str]:
    """Operand `k` as the last input of an ONNX node, which may be left out in both."""
    return [] if net.is_absent(op, k) else [net.constant(net.array(op, k))]


def _convolution(net: Translation, op: Operator, filters: np.ndarray, groups: int) -> Value:
    """Cross-correlation with `filters`, out x in x height x width."""
    value = _picture(net, op)
    shape, stride = (*net.shape(op)[:3], len(filters)), _stride(op)
    dilation = _steps(op, "dilation_h_factor", "dilation_w_factor")
    window = tuple((w - 1) * d + 1 for w, d in zip(filters.shape[2:], dilation, strict=True))
    result = net.node(
        "Conv",
        [value.name, net.constant(filters), *bias(net, op, 2)],
        shape,
        CHANNELS_FIRST,
        strides=stride,
        pads=_pads(op, value.shape[1:3], shape[1:3], window, stride),
        dilations=dilation,
        group=groups,
    )
    return activated(net, op, result)


def conv_2d(net: Translation, op: Operator) -> Value:
    """CONV_2D, also in groups."""
    filters = net.weights(op, 1).transpose(0, 3, 1, 2)
    return _convolution(net, op, filters, max(1, net.value(op).shape[-1] // filters.shape[1]))


def depthwise_conv_2d(net: Translation, op: Operator) -> Value:
    """DEPTHWISE_CONV_2D: a convolution with as many groups as channels."""
    filters = net.weights(op, 1).transpose(3, 0, 1, 2)
    return _convolution(net, op, filters, net.value(op).shape[-1])


def transpose_conv(net: Translation, op: Operator) -> Value:
    """TRANSPOSE_CONV."""
    value = _picture(net, op, 2)
    filters = net.weights(op, 1).transpose(3, 0, 1, 2)
    shape, stride = net.shape(op), _stride(op)
    result = net.node(
        "ConvTranspose",
        [value.name, net.constant(filters), *bias(net, op, 3)],
        shape,
        CHANNELS_FIRST,
        strides=stride,
        # It is the convolution that leads back from the result to the operand.
        pads=_pads(op, shape[1:3], value.shape[1:3], filters.shape[2:], stride),
    )
    return activated(net, op, result)


def max_pool_2d(net: Translation, op: Operator) -> Value:
    """MAX_POOL_2D."""
    value = _picture(net, op)
    shape, stride = net.shape(op), _stride(op)
    window = (int(op.options["filter_height"]), int(op.options["filter_width"]))
    result = net.node(
        "MaxPool",
        [value.name],
        shape,
        CHANNELS_FIRST,
        kernel_shape=window,
        strides=stride,
        pads=_pads(op, value.shape[1:3], shape[1:3], window, stride),
    )
    return activated(net, op, result)


def resize(net: Translation, op: Operator, mode: str) -> Value:
    """RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR, by ``mode``."""
    value, shape = _picture(net, op), net.shape(op)
    corners, centres = op.options["align_corners"], op.options["half_pixel_centers"]
    exact = all(n % s == 0 for s, n in zip(value.shape[1:3], shape[1:3], strict=True))
    if mode == "nearest":
        # A whole factor copies each pixel that often, whichever way pixels are counted.
        if not (exact and not corners):
            raise WeightError(f"{op.kind} by no whole factor is not translated")
        places = "asymmetric"
    else:
        places = "align_corners" if corners else "half_pixel" if centres else "asymmetric"
    factors = [_factor(s, n) for s, n in zip(value.shape[1:3], shape[1:3], strict=True)]
    return net.node(
        "Resize",
        [value.name, "", net.constant(np.asarray([1, 1, *factors], np.float32))],
        (*value.shape[:1], *shape[1:3], *value.shape[3:]),
        CHANNELS_FIRST,
        mode=mode,
        coordinate_transformation_mode=places,
        nearest_mode="floor",
    )


def _factor(size: int, result: int) -> np.float32:
    """The factor by which `size` grows to `result`: their product, rounded down, must be that.

    ONNX can be told the sizes instead, but ONNX Runtime loses them where it moves a transpose.
    """
    factor = np.float32(result / size)
    enough = int(float(factor) * size) >= result
    return factor if enough else np.nextafter(factor, np.float32(np.inf))
