"""Lists of test sets, line by line: every error names the file and the line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lineament.core.errors import BadInput, MissingFile

MAX_LINE = 2**16
"""The longest line that is read, in characters. A line of 98 points takes about 2,000."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a list, in words."""

    path: Path
    number: int
    words: tuple[str, ...]

    def bad(self, reason: str) -> BadInput:
        """The error that says what is wrong here."""
        return BadInput(reason, f"{self.path}:{self.number}")

    def expect(self, *counts: int) -> None:
        """Hold the line to a number of words.

        Raises:
            BadInput: it has another number.
        """
        if len(self.words) not in counts:
            wanted = " or ".join(map(str, counts))
            raise self.bad(f"{len(self.words)} words instead of {wanted}")

    def integer(self, index: int, low: int = -(2**62), high: int = 2**62) -> int:
        """A word as a whole number from ``low`` to ``high``.

        Raises:
            BadInput: it is none, or outside.
        """
        number = _integer(self._word(index))
        if number is None or not low <= number <= high:
            wanted = "a whole number" if high == 2**62 else f"a whole number of {low} to {high}"
            raise self.bad(f"{self.words[index][:40]!r} is not {wanted}")
        return number

    def floats(self, start: int, stop: int) -> list[float]:
        """Some words as finite numbers.

        Raises:
            BadInput: one is none, or infinite, or missing.
        """
        numbers = [_float(self._word(index)) for index in range(start, stop)]
        if not all(map(math.isfinite, numbers)):
            index = start + [math.isfinite(number) for number in numbers].index(False)
            raise self.bad(f"{self.words[index][:40]!r} is not a finite number")
        return numbers

    def name(self, index: int) -> str:
        """A word as a path inside a folder, with forward slashes.

        Raises:
            BadInput: it leads out of the folder.
        """
        return self.inside(self._word(index))

    def inside(self, name: str) -> str:
        """`name` of any text."""
        path = PurePosixPath(name.replace("\\", "/"))
        if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
            raise self.bad(f"{name[:80]!r} is not a path inside the set's folder")
        return str(path)

    def _word(self, index: int) -> str:
        try:
            return self.words[index]
        except IndexError:
            raise self.bad(f"{len(self.words)} words; one more was expected") from None


def read_lines(path: Path, separator: str | None = None) -> Iterator[Line]:
    """The lines of a text file that hold something.

    Args:
        path: a file in UTF-8.
        separator: between words; any white space by default. Words are stripped.

    Raises:
        MissingFile: there is no such file, or it may not be read.
        BadInput: it is not text, or a line is longer than `MAX_LINE`.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            while text := file.readline(MAX_LINE):
                number += 1
                if len(text) == MAX_LINE:
                    raise BadInput(f"longer than {MAX_LINE:,} characters", f"{path}:{number}")
                if text.strip():
                    words = tuple(word.strip() for word in text.strip().split(separator))
                    yield Line(path, number, words)
    except UnicodeDecodeError:
        raise BadInput("not a text in UTF-8", f"{path}:{number + 1}") from None
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror or error}", str(path)) from error


def _integer(word: str) -> int | None:
    try:
        return int(word) if len(word) < 20 else None
    except ValueError:
        return None


def _float(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan
