"""Light, blur and noise of a camera, and files that say what they are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pil
from PIL.PngImagePlugin import PngInfo

from album.compose import Photo
from album.studio import Array, Rng

MARK = "Generated: nobody. No such person exists."
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/'
    'trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>'
)


def develop(photo: Photo, rng: Rng) -> Photo:
    """What a camera does to light: exposure, white balance, vignette, blur and noise."""
    pixels = photo.pixels.astype(np.float32).clip(0, 255) / 255
    if rng.random() < 0.3:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.6, 1.2))
    elif rng.random() < 0.1:
        pixels = cv2.blur(pixels, (int(rng.integers(4, 7)), 1))  # a hand that shook
    dark = photo.kind == "dark"
    exposure = rng.uniform(0.035, 0.08) if dark else 2 ** rng.normal(0, 0.3)
    balance = 1 + rng.normal(0, 0.04, 3) + (np.array([0.12, 0, -0.12]) if dark else 0)
    height, width = pixels.shape[:2]
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    vignette = 1 - rng.uniform(0, 0.2) * (x**2 + y**2)
    light = pixels**2.2 * exposure * balance * vignette[..., None]
    values = light.clip(0, 1) ** (1 / 2.2)
    values += rng.normal(0, 0.015 if dark else rng.uniform(0.002, 0.008), values.shape)
    return Photo(photo.kind, (values.clip(0, 1) * 255).round().astype(np.uint8), photo.faces)


def save(path: Path, pixels: Array, quality: int = 80, orientation: int = 1) -> None:
    """Write a picture in the format of its suffix, marked in EXIF, XMP and PNG text."""
    exif = Pil.Exif()
    exif[0x010E], exif[0x0131] = MARK, "Lineament make_album. " + MARK
    exif[0x0112] = orientation
    options = {"exif": exif.tobytes(), "xmp": XMP.encode(), "quality": quality}
    if path.suffix == ".jpg":
        options |= {"optimize": True, "progressive": True}
    if path.suffix == ".png":
        text = PngInfo()
        text.add_text("Description", MARK)
        text.add_text("Software", MARK)
        text.add_itxt("XML:com.adobe.xmp", XMP)
        options = {"exif": exif.tobytes(), "pnginfo": text, "optimize": True}
    picture = Pil.fromarray(pixels)
    if path.suffix == ".png":  # with a palette: a quarter of the bytes
        picture = picture.quantize(96, dither=Pil.Dither.NONE)
    picture.save(path, **options)
