"""Every error that Lineament raises on purpose: one clear line, and an exit code for scripts."""

from __future__ import annotations


class LineamentError(Exception):
    """Base of all errors that are the user's to read. ``exit_code`` is what the command returns."""

    exit_code = 1


class BadInput(LineamentError):
    """Something handed in cannot be used. ``source`` names the file, where there is one."""

    exit_code = 3

    def __init__(self, message: str, source: str | None = None) -> None:
        super().__init__(f"{source}: {message}" if source else message)
        self.reason = message
        self.source = source


class UnreadableImage(BadInput):
    """A picture that cannot be decoded; the subclasses say why."""


class MissingFile(UnreadableImage):
    """There is no such file, or it may not be read."""


class EmptyFile(UnreadableImage):
    """The file has no bytes."""


class UnsupportedFormat(UnreadableImage):
    """The bytes are of no picture format that Lineament decodes."""


class TruncatedImage(UnreadableImage):
    """The file ends before its picture does, or its data is damaged."""


class ImageTooLarge(UnreadableImage):
    """The file asks for more bytes, pixels or work than the limits allow."""


class BrokenVideo(TruncatedImage):
    """A video that ends before its time or is damaged on the way. What could be decoded was given
    before; ``seconds`` is the time in the video at which it broke, where that is known."""

    def __init__(
        self, message: str, source: str | None = None, seconds: float | None = None
    ) -> None:
        super().__init__(message, source)
        self.seconds = seconds


class ExtraMissing(UnreadableImage):
    """What reads this file belongs to an extra of the package that is not installed."""


class NoFace(BadInput):
    """A face was needed and none was found."""


class FieldAbsent(LineamentError, AttributeError):
    """A field of `Faces` was asked for that nothing has computed yet."""

    exit_code = 2


class SpaceMismatch(LineamentError, ValueError):
    """Two embeddings of different spaces were compared."""


class UnknownMethod(LineamentError):
    """No method goes by this name."""

    exit_code = 2


class WeightError(LineamentError):
    """A weight cannot be had or cannot be trusted."""

    exit_code = 4


class WrongHash(WeightError):
    """The bytes are not those that the record names."""


class SourceUnavailable(WeightError):
    """None of a weight's sources could be reached."""


class Offline(WeightError):
    """The network would be needed, and LINEAMENT_OFFLINE forbids it."""


class LicenceNotAccepted(WeightError):
    """A research-only weight was asked for without its terms having been accepted."""


class GalleryError(LineamentError):
    """A gallery cannot be opened or changed."""

    exit_code = 5


class NotAGallery(GalleryError):
    """The file is not a gallery of Lineament's, or of a version that this one cannot read."""


class GalleryBusy(GalleryError):
    """Another process is writing to this gallery."""


class UnknownPerson(GalleryError):
    """No person of the gallery goes by this id or name."""
