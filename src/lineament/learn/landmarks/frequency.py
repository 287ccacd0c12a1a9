"""Edges of a face, found by their frequency, and how they are led into a transformer.

Source: J. Wan et al., "FGTBT: Frequency-Guided Task-Balancing Transformer for Unified Facial
Landmark Detection", Information Sciences 2026 (arXiv:2601.12863), the Frequency-Guided
Structure-Aware model (FGSA); what the figure and the text leave open, as in the authors' published
code.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from lineament.learn.landmarks.mix_transformer import Patches


def gaussian_mask(size: int, sigma: float) -> Float64[Tensor, " size"]:
    """What a Gaussian low-pass leaves of each frequency of a line, in the order of the FFT.

    Over both axes the mask is the product of two of these; the high-pass mask is 1 less that.

    Args:
        size: of the line, pixels.
        sigma: cycles per line.
    """
    cycles = torch.fft.fftfreq(size, dtype=torch.float64) * size
    return torch.exp(-(cycles**2) / (2 * sigma**2))


class HighPass(nn.Module):
    """The absolute value of a picture's high frequencies: FFT, mask, inverse FFT.

    The low-pass mask is a product of one factor along each axis, so what it leaves is the picture
    between two circulant matrices, made once here by the FFT: ONNX has no FFT of two axes.

    Args:
        size: of the picture, pixels.
        sigma: width of the mask that is taken out, cycles per picture.
    """

    low: Tensor

    def __init__(self, size: int, sigma: float) -> None:
        super().__init__()
        mask = gaussian_mask(size, sigma)[:, None]
        lines = torch.eye(size, dtype=torch.float64)
        low = torch.fft.ifft(torch.fft.fft(lines, dim=0) * mask, dim=0).real
        self.register_buffer("low", low.float(), persistent=False)

    def forward(self, x: Float[Tensor, "n c s s"]) -> Float[Tensor, "n c s s"]:
        """The same shape; 0 where the picture is smooth."""
        return (x - self.low @ x @ self.low.T).abs()


class Injection(nn.Module):
    """Structure injection: the edges at the resolution of one stage, beside a narrow view of the
    stage's own first map. Both are as wide as the map divided by `factor`.

    Args:
        inner: channels of the edges, as the stage before left them.
        channels: of the stage.
        kernel: of the patches that refine the edges.
        stride: of these.
        factor: by which both are narrower.
    """

    def __init__(self, inner: int, channels: int, kernel: int, stride: int, factor: int) -> None:
        super().__init__()
        self.refine = Patches(inner, channels // factor, kernel, stride)
        self.narrow = nn.Conv2d(channels, channels // factor, 1)

    def forward(
        self, edges: Float[Tensor, "n e h w"], first: Float[Tensor, "n c i j"]
    ) -> tuple[Float[Tensor, "n d i j"], Float[Tensor, "n p i j"]]:
        """Edges for the next stage, and what is injected before every layer of this one."""
        edges = self.refine(edges)
        return edges, torch.cat([edges, self.narrow(first)], dim=1)


class Regularisation(nn.Module):
    """Structure regularisation: before each layer of a stage, what was injected corrects the map.

    A channel attention and a way up that the stage's layers share, and a way down of each layer's
    own.

    Args:
        channels: of the stage.
        factor: as for `Injection`.
        layers: of the stage.
    """

    def __init__(self, channels: int, factor: int, layers: int) -> None:
        super().__init__()
        narrow = channels // factor
        joint = channels + 2 * narrow
        self.attention = ChannelAttention(joint)
        self.after = nn.Sequential(nn.BatchNorm2d(joint), nn.ReLU(), nn.Conv2d(joint, joint, 1))
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(joint, narrow, 1), nn.GELU()) for _ in range(layers)
        )
        self.up = nn.Conv2d(narrow, channels, 1)

    def forward(
        self, x: Float[Tensor, "n c h w"], injected: Float[Tensor, "n p h w"], layer: int
    ) -> Float[Tensor, "n c h w"]:
        """The map that goes into this layer."""
        joint = torch.cat([x, injected], dim=1)
        joint = joint + self.after(self.attention(joint))
        return x + self.up(self.down[layer](joint))


class ChannelAttention(nn.Module):
    """Each channel times a share that follows from the largest and the mean value of all."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        narrow = max(1, channels // reduction)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, narrow), nn.ReLU(), nn.Linear(narrow, channels)
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The same shape."""
        summed = self.perceptron(x.amax(dim=(2, 3))) + self.perceptron(x.mean(dim=(2, 3)))
        return x * torch.sigmoid(summed)[:, :, None, None]
