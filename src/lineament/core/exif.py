"""Reading the directory of tags that TIFF files and Exif blocks share.

Sources: TIFF 6.0, section 2; BigTIFF; Exif CIPA DC-008, section 4.6.
"""

from __future__ import annotations

import struct

ORIENTATION = 274
_FORMAT_OF_KIND = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MOST_ENTRIES = 65_535


class Directory:
    """The first directory of a TIFF file or Exif block: its entries by tag, unread.

    Raises:
        struct.error: the data ends within it.
        IndexError: it does not start like a TIFF file.
    """

    def __init__(self, data: bytes) -> None:
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = struct.unpack_from(self.order + "H", data, 2)[0] == 43
        offset, number, size = ("Q", "Q", 20) if self.big else ("I", "H", 12)
        (start,) = struct.unpack_from(self.order + offset, data, 8 if self.big else 4)
        if start > len(data):
            raise IndexError("the directory lies outside the data")
        (count,) = struct.unpack_from(self.order + number, data, start)
        at = start + struct.calcsize(number)
        block = data[at : at + size * min(count, _MOST_ENTRIES)]
        cut = len(block) - len(block) % size
        self.entries: dict[int, bytes] = {}
        for entry in range(0, cut, size):
            (tag,) = struct.unpack_from(self.order + "H", block, entry)
            self.entries.setdefault(tag, block[entry : entry + size])

    def number(self, tag: int) -> int | None:
        """The tag's value, where it is one whole number."""
        kind, count = self.kind_and_count(tag)
        if count != 1 or kind not in _FORMAT_OF_KIND:
            return None
        value = self.order + _FORMAT_OF_KIND[kind]
        return struct.unpack_from(value, self.entries[tag], 12 if self.big else 8)[0]

    def kind_and_count(self, tag: int) -> tuple[int, int]:
        """The type of a tag's values and how many it has; none where the tag is absent."""
        if tag not in self.entries:
            return 0, 0
        return struct.unpack_from(self.order + ("HQ" if self.big else "HI"), self.entries[tag], 2)

    def packed(self, tags: frozenset[int]) -> bytes:
        """A directory of these tags alone, with no other to follow it."""
        kept = [self.entries[tag] for tag in sorted(tags & self.entries.keys())]
        count = struct.pack(self.order + ("Q" if self.big else "H"), len(kept))
        return count + b"".join(kept) + bytes(8 if self.big else 4)


def exif_orientation(exif: bytes) -> int:
    """The orientation that an Exif block tells, 1 to 8; 1 (upright) where it tells none."""
    block = exif.removeprefix(b"Exif\0\0")
    if block[:2] not in (b"II", b"MM"):
        return 1
    try:
        value = Directory(block).number(ORIENTATION)
    except (struct.error, IndexError):
        return 1
    return value if value is not None and 1 <= value <= 8 else 1
