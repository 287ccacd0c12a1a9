"""The commands that work on a gallery: index, people, decisions, search, report, forget."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lineament.cli.describe import analyzer_of
from lineament.cli.output import numbers, print_json, print_table, progress
from lineament.core.cards import method
from lineament.core.errors import BadInput, GalleryError, MissingFile, NoFace
from lineament.know.best_face import worth
from lineament.know.calibrate import calibration_for, own_calibration, unlike
from lineament.know.calibration import calibration_of
from lineament.know.gallery import FaceView, Gallery, Person
from lineament.know.grouping import regroup


def gallery_path(options: Namespace) -> Path:
    """The gallery that the command line or the environment names, else the user's own."""
    if options.gallery:
        return Path(options.gallery)
    from platformdirs import user_data_path

    return user_data_path("lineament", ensure_exists=True) / "gallery.lineament"


@contextmanager
def opened(options: Namespace) -> Iterator[Gallery]:
    """The gallery that is there already."""
    path = gallery_path(options)
    if not path.exists():
        raise GalleryError(f"{path}: no gallery yet; `lineament index FOLDER` makes one")
    with Gallery.open(path) as gallery:
        yield gallery


def index(options: Namespace) -> int:
    """Bring the gallery up to date with a folder."""
    from lineament.core.media import image_files
    from lineament.ingest import MEDIA_SUFFIXES, Tally, index_folder

    if not options.folder.exists():
        raise MissingFile("no such folder", str(options.folder))
    options.threads = options.threads or 1  # photos are spread over the cores, not networks
    analyzer = analyzer_of(options, options.embedder)
    embedder = analyzer.embedder
    assert embedder is not None
    calibration_of(embedder.space)  # people are told apart by it: better to fail before the work
    with (
        Gallery.open(
            gallery_path(options), space=embedder.space, dimension=embedder.dimension
        ) as gallery,
        progress(not options.json) as bars,
    ):
        total = sum(1 for _ in image_files(options.folder, suffixes=MEDIA_SUFFIXES))
        task = bars.add_task("photos", total=total)

        def show(tally: Tally) -> None:
            bars.update(
                task, completed=tally.unchanged + tally.known + tally.indexed + len(tally.skipped)
            )

        tally = index_folder(
            options.folder,
            gallery,
            analyzer,
            prune=options.prune,
            again=options.again,
            workers=options.workers,
            on_photo=show,
        )
        photos, faces = gallery.counts()
        skipped = gallery.skipped()
        warnings = unlike(gallery)
    if options.json:
        print_json(
            {
                "gallery": str(gallery_path(options)),
                "found": tally.found,
                "indexed": tally.indexed,
                "unchanged": tally.unchanged,
                "known": tally.known,
                "forgotten": tally.forgotten,
                "skipped": [{"path": s.path, "kind": s.kind, "reason": s.reason} for s in skipped],
                "videos": tally.videos,
                "damaged": [{"path": path, "reason": reason} for path, reason in tally.damaged],
                "missing": tally.missing,
                "faces_found": tally.faces,
                "photos": photos,
                "faces": faces,
                "people": tally.people,
                "workers": tally.workers,
                "seconds": round(tally.seconds, 3),
                "network_seconds": round(tally.network_seconds, 3),
                "warnings": warnings,
            }
        )
        return 0
    print(f"{photos} photos, {faces} faces, {tally.people} people in {gallery_path(options)}")
    read = f"{tally.indexed} photos" + (f" ({tally.videos} videos)" if tally.videos else "")
    print(
        f"This run: {read} read with {tally.faces} faces in {tally.seconds:.1f} s; "
        f"{tally.unchanged} unchanged, {tally.known} copies or moved."
    )
    if skipped:
        print(f"{len(skipped)} files could not be read; `lineament report` lists them all:")
        for file in skipped[:5]:
            print(f"  {_short(file.path)}: {file.reason}")
    for path, reason in tally.damaged[:5]:
        print(f"Only a part could be read of {_short(path)}: {reason}")
    if tally.missing and not options.prune:
        print(f"{tally.missing} photos are gone from the folder; --prune drops them.")
    if warnings:
        print(f"Warning: {warnings[-1]}.")
        print("`lineament calibrate` lets your own photos decide, as far as they can speak.")
    return 0


def people(options: Namespace) -> int:
    """List people, most photographed first."""
    with opened(options) as gallery:
        if options.regroup:
            with gallery.writing():
                regroup(gallery, anew=True)
        found = gallery.people()
        if options.json:
            print_json([_person_row(person) for person in found])
            return 0
        again = [p for p in found if len(p.faces) > 1 or p.name]
        better = worth(gallery)
        print_table(
            ("id#", "name", "faces#", "photos#", "best photo"),
            [
                (
                    p.id,
                    p.name or "",
                    len(p.faces),
                    len({f.photo for f in p.faces}),
                    _short(max(p.faces, key=better).photo),
                )
                for p in again
            ],
        )
        print(f"and {len(found) - len(again)} faces seen once.")
    return 0


def _short(path: str) -> str:
    """A path as seen from here, where that is shorter."""
    return min(path, os.path.relpath(path), key=len)


def _person_row(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "faces": [
            {
                "id": face.id,
                "photo": face.photo,
                "box": numbers(face.box),
                "score": round(face.score, 4),
                "quality": round(face.quality, 3),
                "seconds": _seconds(face),
            }
            for face in person.faces
        ],
    }


def _seconds(face: FaceView) -> dict[str, float] | None:
    """From when to when a face is seen in a video, and when best; None for a photo."""
    if face.span is None:
        return None
    times = {"first": face.span.first, "last": face.span.last, "best": face.span.best}
    return {name: round(time, 3) for name, time in times.items()}


def _said(options: Namespace, person_id: int, sentence: str) -> int:
    if options.json:
        print_json({"person": person_id})
    else:
        print(sentence)
    return 0


def name(options: Namespace) -> int:
    """Give a person a name."""
    with opened(options) as gallery:
        person = gallery.find_person(options.person)
        gallery.name(person.id, options.name)
        return _said(options, person.id, f"Person {person.id} is {options.name}.")


def merge(options: Namespace) -> int:
    """Two people are one."""
    with opened(options) as gallery:
        a, b = gallery.find_person(options.a), gallery.find_person(options.b)
        kept = gallery.merge(a.id, b.id)
        return _said(options, kept, f"Now one: person {kept}.")


def split(options: Namespace) -> int:
    """Faces that are somebody else's."""
    with opened(options) as gallery:
        person = gallery.find_person(options.person)
        new = gallery.split(person.id, options.faces)
        return _said(options, new, f"{len(options.faces)} faces are now person {new}.")


def different(options: Namespace) -> int:
    """Two people are not the same, whatever they look like."""
    with opened(options) as gallery:
        a, b = gallery.find_person(options.a), gallery.find_person(options.b)
        gallery.different(a.id, b.id)
        return _said(options, a.id, f"Persons {a.id} and {b.id} will stay apart.")


def search(options: Namespace) -> int:
    """Who of the gallery is in this photo?"""
    from lineament.core.media import read_image

    image = read_image(options.photo)
    with opened(options) as gallery:
        options.embedder = embedder_of(gallery.space)
        faces = analyzer_of(options, options.embedder)([image])[0]
        if not len(faces):
            raise NoFace("no face found", str(options.photo))
        own = own_calibration(gallery)
        calibration = calibration_for(gallery, options.false_match_rate)
        warnings = own.warnings if own and calibration.data != own.calibration.data else []
        threshold = calibration.threshold(options.false_match_rate)
        matches = gallery.search(faces.embeddings, options.limit, exact=not options.approximate)
        _, stored = gallery.counts()
    rows = [
        {
            "box": numbers(faces.boxes[i] / image.scale),
            "matches": [
                {
                    "person": m.person_id,
                    "name": m.name,
                    "photo": m.photo,
                    "face": m.face_id,
                    "score": round(m.score, 4),
                    "same": m.score >= threshold,
                    "score_false_match_rate": calibration.false_match_rate(m.score),
                }
                for m in found
            ],
        }
        for i, found in enumerate(matches)
    ]
    expected = options.false_match_rate * stored
    if options.json:
        print_json(
            {
                "photo": str(options.photo),
                "threshold": round(threshold, 4),
                "false_match_rate": options.false_match_rate,
                "expected_false_matches": expected,
                "calibration": calibration.data,
                "warnings": warnings,
                "faces": rows,
            }
        )
        return 0
    for i, row in enumerate(rows):
        good = [m for m in row["matches"] if m["same"]]
        print(
            f"Face {i + 1} at {' '.join(f'{v:.0f}' for v in row['box'])}: "
            + (f"{len(good)} matches" if good else "nobody of the gallery")
        )
        if good:
            print_table(
                ("person#", "name", "score#", "photo"),
                [(m["person"], m["name"] or "", f"{m['score']:.3f}", m["photo"]) for m in good],
            )
    print(
        f"A stranger would match about {expected:.2g} of the {stored} faces here "
        f"(false-match rate {options.false_match_rate:g}, measured on {calibration.data})."
    )
    for warning in warnings:
        print(f"Warning: {warning}.")
    return 0


def embedder_of(space: str) -> str:
    """The embedder that made a gallery; a search must use the same."""
    return method(space.partition("@")[0], "embed").card.slug


def report(options: Namespace) -> int:
    """Write the gallery as one page."""
    from lineament.cli.report import write_report

    with opened(options) as gallery:
        write_report(gallery, gallery_path(options), options.out)
    if options.json:
        print_json({"report": str(options.out)})
    else:
        print(f"Report: {options.out}")
    return 0


def forget(options: Namespace) -> int:
    """Erase a person or a photo."""
    with opened(options) as gallery:
        if options.person is not None:
            person = gallery.find_person(options.person)
            what = f"person {person.id}" + (f" ({person.name})" if person.name else "")
            _confirm(options, f"Erase {what} and {len(person.faces)} faces for good?")
            erased = gallery.forget_person(person.id)
        else:
            what = str(options.photo)
            _confirm(options, f"Erase {what} and its faces from the gallery for good?")
            erased = gallery.forget_photo(options.photo)
    if options.json:
        print_json({"faces": erased.faces, "photos": erased.photos, "reports": erased.reports})
    else:
        print(f"Forgotten: {what}; {erased.faces} faces erased from the gallery.")
        for path in erased.reports:
            print(f"Deleted the report {path}, which showed them.")
    return 0


def _confirm(options: Namespace, question: str) -> None:
    if options.yes or options.json:
        return
    if not sys.stdin.isatty():
        raise BadInput("say --yes to erase without being asked")
    if input(f"{question} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise BadInput("nothing was erased")


def consent(options: Namespace) -> int:
    """Note that a person consented, or no longer does."""
    with opened(options) as gallery:
        person = gallery.find_person(options.person)
        if options.withdraw:
            gallery.withdraw(person.id, options.stated_by, options.note)
            return _said(options, person.id, f"Noted: person {person.id} withdrew consent.")
        gallery.consent(person.id, options.stated_by, options.note)
        return _said(options, person.id, f"Noted: person {person.id} consented.")
