"""Face parsers as classifiers of a picture's pixels, in the classes of FASSEG."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt8

from lineament.bench.context import Context
from lineament.core.cards import methods
from lineament.core.errors import LicenceNotAccepted
from lineament.core.image import Image
from lineament.core.protocols import Describer, Detector
from lineament.measure.sets.fasseg import CLASSES
from lineament.see.detect.yunet import YuNet
from lineament.see.upright import Search

_SKIN = ("skin", "face_skin", "body_skin", "neck", "glasses", "earring", "necklace")
_PARTS = {
    **dict.fromkeys(_SKIN, "skin"),
    **dict.fromkeys(("left_ear", "right_ear"), "skin"),
    # FASSEG paints brows as hair, hats as what they hide, ears and necks as skin.
    **dict.fromkeys(("hair", "left_brow", "right_brow", "hat"), "hair"),
    **dict.fromkeys(("left_eye", "right_eye"), "eyes"),
    "nose": "nose",
    **dict.fromkeys(("mouth", "upper_lip", "lower_lip"), "mouth"),
    **dict.fromkeys(("background", "clothes", "accessories"), "background"),
}
"""The class of FASSEG that each class of a parser is."""


class Chain:
    """The best face of a picture, cut into parts: a classifier of the picture's pixels.

    Attributes:
        classes: of FASSEG, that the parser can answer.
        faces: parsed so far.
        missed: pictures so far in which no face was found.
    """

    def __init__(self, detector: Detector, parser: Describer, names: tuple[str, ...]) -> None:
        self._detector, self._parser = detector, parser
        self.classes = {_PARTS[name] for name in names}
        self._classes = np.asarray([CLASSES.index(_PARTS[name]) for name in names])
        self.faces = self.missed = 0

    @property
    def seconds(self) -> float:
        """Time spent inside the parser's network so far."""
        return self._parser.seconds

    def __call__(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Int64[np.ndarray, "h w"]:
        image = Image(pixels)
        found = self._detector([image])[0][:1]
        if not len(found):
            self.missed += 1
            return np.zeros(pixels.shape[:2], np.int64)
        self.faces += 1
        masks = self._parser([image], [found])[0]["parsing"]
        return self._classes[masks.label_map(0, image.width, image.height)]


def chains(context: Context) -> dict[str, Chain]:
    """Every parser asked for, behind the default detector and its search."""
    usable = {}
    for slug, method in methods().items():
        asked = not context.methods or slug in context.methods
        if not (asked and method.card.entry and "parsing" in method.card.gives):
            continue
        kind = method.load()
        try:
            usable[slug] = Chain(Search(YuNet(threads=1)), kind(threads=1), kind.names)
        except LicenceNotAccepted as error:
            context.say(f"left out: {error}")
    return usable
