"""The command ``lineament``. This file knows words and options; each command's work is elsewhere
and imported when it is asked for, so that ``lineament --help`` is instant."""

from __future__ import annotations

import argparse
import io
import os
import sys
from importlib import import_module
from pathlib import Path

from lineament import __version__
from lineament.core.errors import LineamentError

EPILOG = """\
exit codes: 0 done, 2 wrong usage, 3 a file cannot be used, 4 a weight cannot be had,
5 the gallery cannot be used, 130 interrupted. Photos never leave this machine.
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="lineament",
        description="Find faces in photos, tell who is who, and answer for every decision.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lineament {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _describing(commands)
    _indexing(commands)
    _people(commands)
    _deciding(commands)
    _erasing(commands)
    _catalogues(commands)
    return parser


def _command(
    commands, name: str, run: str, help_line: str, more: str = ""
) -> argparse.ArgumentParser:
    description = f"{help_line[0].upper()}{help_line[1:]}. {more}".strip()
    parser = commands.add_parser(name, help=help_line, description=description)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")
    return parser


def _networks(parser: argparse.ArgumentParser, *, embedder: bool = True) -> None:
    group = parser.add_argument_group("methods (`lineament methods` lists them)")
    group.add_argument("--detector", default="yunet", metavar="SLUG", help="default: yunet")
    if embedder:
        group.add_argument(
            "--embedder",
            default="sface",
            metavar="METHOD",
            help="default: sface; or an .onnx file that lineament train made",
        )
        group.add_argument(
            "--flip", action="store_true", help="embed mirrored faces too: slower, more accurate"
        )
    group.add_argument(
        "--small-faces", action="store_true", help="look a second time, closer, for small faces"
    )
    group.add_argument(
        "--as-is", action="store_true", help="do not try other turns where nobody is found"
    )
    group.add_argument("--threads", type=int, metavar="N", help="of each network")


def _gallery(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gallery",
        type=Path,
        metavar="FILE",
        default=os.environ.get("LINEAMENT_GALLERY"),
        help="the gallery; default: $LINEAMENT_GALLERY, else one in your data folder",
    )


def _rate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--false-match-rate",
        type=float,
        default=1e-3,
        metavar="RATE",
        help="share of pairs of strangers that may pass as one person; default: 0.001",
    )


def _describing(commands) -> None:
    p = _command(commands, "analyze", "describe:analyze", "find and describe the faces of photos")
    p.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    p.add_argument(
        "--want",
        default="quality",
        metavar="FIELDS",
        help="what to say of each face, with commas between: landmarks, pose, gaze, parsing, age, "
        "sex, expression, quality, ... (default: quality)",
    )
    p.add_argument(
        "--using",
        nargs="+",
        default=(),
        metavar="METHOD",
        help="methods to prefer to the default ones (see lineament methods), or .onnx files that "
        "lineament train made",
    )
    p.add_argument("--draw", type=Path, metavar="FILE", help="also draw the faces of one photo")
    p.add_argument(
        "--masks",
        type=Path,
        metavar="FOLDER",
        help="also write each face's label map, as large as the photo, as a PNG of class numbers",
    )
    _networks(p)
    p = _command(
        commands,
        "watch",
        "watch:watch",
        "follow the faces of a video",
        "Tells when each is seen and where its best pictures are; nothing is kept.",
    )
    p.add_argument("video", type=Path, metavar="VIDEO")
    p.add_argument(
        "--draw",
        type=Path,
        metavar="OUT",
        help="also write the video with faces drawn in and its sound: .mp4, .mov, .mkv, .webm",
    )
    p.add_argument(
        "--csv", type=Path, metavar="FILE", help="also write each face of each frame as a row"
    )
    p.add_argument(
        "--attention",
        type=Path,
        metavar="PAGE",
        help="also write where each head turned: an HTML page with a chart, and a CSV beside it",
    )
    p.add_argument(
        "--gallery",
        type=Path,
        metavar="FILE",
        help="say who of this gallery's named people is seen, by its own embedder; nobody else is "
        "looked up anywhere",
    )
    p.add_argument(
        "--false-match-rate",
        type=float,
        default=1e-3,
        metavar="RATE",
        help="with --gallery: share of strangers who may be given any of the names; default: 0.001",
    )
    p.add_argument(
        "--every",
        type=float,
        metavar="SECONDS",
        help="look at one frame each so many seconds only",
    )
    p.add_argument(
        "--detect-every",
        type=int,
        default=1,
        metavar="N",
        help="find faces in every n-th frame and move them along between; default: 1",
    )
    p.add_argument(
        "--max-side", type=int, metavar="N", help="read larger frames reduced to this long side"
    )
    _networks(p)
    p = _command(
        commands,
        "verify",
        "describe:verify",
        "say whether two photos show the same person",
        "Compares the largest face of each photo.",
    )
    p.add_argument("a", type=Path, metavar="A")
    p.add_argument("b", type=Path, metavar="B")
    _rate(p)
    p.add_argument(
        "--gallery", type=Path, metavar="FILE", help="decide by this gallery's own calibration"
    )
    p.add_argument("--exit-code", action="store_true", help="exit with 1 where they differ")
    _networks(p)


def _indexing(commands) -> None:
    p = _command(
        commands,
        "index",
        "album:index",
        "read a folder of photos and videos into a gallery of people",
        "Photos already known by their content are not read again; safe to stop and repeat.",
    )
    p.add_argument("folder", type=Path, metavar="FOLDER")
    _gallery(p)
    p.add_argument("--prune", action="store_true", help="drop photos whose files are gone")
    p.add_argument(
        "--workers", type=int, metavar="N", help="photos worked on at once; default: one a core"
    )
    p.add_argument("--again", action="store_true", help="also take back photos told to forget")
    _networks(p)
    p = _command(commands, "search", "album:search", "find the people of a photo in the gallery")
    p.add_argument("photo", type=Path, metavar="PHOTO")
    _gallery(p)
    _rate(p)
    p.add_argument("--limit", type=int, default=10, metavar="N", help="matches a face; default: 10")
    p.add_argument("--approximate", action="store_true", help="faster, for very large galleries")
    _networks(p)
    p = _command(
        commands,
        "calibrate",
        "calibrate:calibrate",
        "measure how alike strangers look in your own photos",
        "Compares people who are surely two: in one photo together, named, or told to be "
        "different. From then on verify --gallery and search use what it finds.",
    )
    _gallery(p)
    p.add_argument("--drop", action="store_true", help="go back to the calibration that ships")
    p = _command(
        commands,
        "sizing",
        "calibrate:sizing",
        "say whether the embeddings have dimensions enough for the gallery",
    )
    _gallery(p)
    p = _command(commands, "report", "album:report", "write people and photos as one HTML page")
    _gallery(p)
    p.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE")


def _people(commands) -> None:
    p = _command(commands, "people", "album:people", "list the people of the gallery")
    _gallery(p)
    p.add_argument(
        "--regroup", action="store_true", help="group all faces anew first; decisions hold"
    )
    p = _command(commands, "name", "album:name", "give a person a name")
    p.add_argument("person", metavar="PERSON", help="id or present name")
    p.add_argument("name", metavar="NAME")
    _gallery(p)
    p = _command(
        commands,
        "suggest",
        "suggest:suggest",
        "suggest names for people who have none",
        "Nothing is decided until you say so.",
    )
    _gallery(p)
    _rate(p)
    p.add_argument(
        "--questions", type=int, default=10, metavar="N", help="how many to ask; default: 10"
    )
    p.add_argument("--ask", action="store_true", help="ask, and keep what is answered")


def _deciding(commands) -> None:
    p = _command(commands, "merge", "album:merge", "say that two people are one")
    p.add_argument("a", metavar="PERSON")
    p.add_argument("b", metavar="PERSON")
    _gallery(p)
    p = _command(commands, "split", "album:split", "take faces out of a person into a new one")
    p.add_argument("person", metavar="PERSON")
    p.add_argument(
        "faces", nargs="+", type=int, metavar="FACE", help="face ids, from people --json"
    )
    _gallery(p)
    p = _command(commands, "different", "album:different", "say that two people are not the same")
    p.add_argument("a", metavar="PERSON")
    p.add_argument("b", metavar="PERSON")
    _gallery(p)


def _erasing(commands) -> None:
    p = _command(
        commands,
        "forget",
        "album:forget",
        "erase a person or a photo for good",
        "Removes rows, vectors, crops, journals and reports. Your photo files are not touched.",
    )
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--person", metavar="PERSON", help="id or name")
    what.add_argument("--photo", type=Path, metavar="PHOTO")
    _gallery(p)
    p.add_argument("--yes", action="store_true", help="do not ask")
    p = _command(commands, "consent", "album:consent", "note a person's consent, or its end")
    p.add_argument("person", metavar="PERSON")
    p.add_argument("--stated-by", required=True, metavar="WHO", help="who stated it")
    p.add_argument("--note", default="", metavar="TEXT")
    p.add_argument("--withdraw", action="store_true", help="note the end of the consent")
    _gallery(p)


def _catalogues(commands) -> None:
    p = _command(commands, "methods", "catalogue:methods", "list methods and what they have shown")
    p.add_argument("slug", nargs="?", metavar="SLUG", help="show one card whole")
    p = _command(commands, "models", "catalogue:models", "list, fetch and check weights")
    p.add_argument("names", nargs="*", metavar="NAME")
    p.add_argument("--fetch", action="store_true", help="fetch the named weights ahead of use")
    p.add_argument("--verify", action="store_true", help="check the cached weights' hashes")
    p.add_argument("--cards", action="store_true", help="show all that is known of each weight")
    p.add_argument(
        "--accept", action="store_true", help="accept the terms of the named research-only weights"
    )
    p = _command(
        commands,
        "bench",
        "bench:bench",
        "measure methods, write the evidence and a report",
        "Without a name, lists the protocols.",
    )
    p.add_argument("protocol", nargs="?", metavar="PROTOCOL")
    p.add_argument("methods", nargs="*", metavar="METHOD")
    p.add_argument(
        "--all",
        action="store_true",
        help="every protocol whose results are not complete yet for this code, data and machine",
    )
    p.add_argument("--fresh", action="store_true", help="with --all: also what is complete")
    p.add_argument("--data", type=Path, metavar="FOLDER", help="default: $LINEAMENT_DATA")
    p.add_argument(
        "--out", type=Path, default=Path("evidence"), metavar="FOLDER", help="default: evidence"
    )
    p.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="the HTML report; default: out/bench-PROTOCOL.html; with --all, the reports' folder",
    )
    p = _command(
        commands,
        "clean",
        "clean:clean",
        "find strangers in folders of people, and folders of one person",
        "For pictures to learn from: a folder a person, or identity.txt. Needs no network that "
        "was trained on them. No file is moved.",
    )
    p.add_argument("folder", type=Path, metavar="FOLDER")
    p.add_argument(
        "--list",
        type=Path,
        metavar="FILE",
        help="write what stays; as identity.txt in FOLDER, train --faces takes it",
    )
    _rate(p)
    _networks(p)
    p = _command(
        commands,
        "train",
        "train:train",
        "train by a recipe and compare with its baseline",
        "Without a name, lists the recipes. Needs the extra [train].",
    )
    p.add_argument("recipe", nargs="?", metavar="RECIPE")
    p.add_argument(
        "--out", type=Path, default=Path("out/train"), metavar="FOLDER", help="default: out/train"
    )
    p.add_argument("--seeds", type=int, metavar="N", help="how many; default: the recipe's")
    p.add_argument("--steps", type=int, metavar="N", help="of each; default: the recipe's")
    p.add_argument(
        "--scale",
        choices=("cpu", "gpu"),
        default="cpu",
        help="which of the recipe's settings; without a recipe, lists them",
    )
    p.add_argument("--device", metavar="NAME", help="as torch names it; default: the scale's")
    p.add_argument("--data", type=Path, metavar="FOLDER", help="default: $LINEAMENT_DATA")
    p.add_argument("--faces", type=Path, metavar="FOLDER", help="of generated faces to train on")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code. Errors are one line on standard error."""
    options = build_parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text
    module, _, function = options.run.partition(":")
    try:
        return getattr(import_module(f"lineament.cli.{module}"), function)(options) or 0
    except LineamentError as error:
        print(f"lineament: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("lineament: interrupted; what was done is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has gone: leave without Python's own complaint at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
