"""The report: a gallery as one self-contained HTML page."""

from __future__ import annotations

import base64
import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from lineament import __version__
from lineament.core.verdict import Calibration
from lineament.know.best_face import worth
from lineament.know.calibration import calibration_of
from lineament.know.cluster import threshold_for
from lineament.know.gallery import FaceView, Gallery, Person

FACES_A_PERSON = 24
PEOPLE = 500
ONCE = 200
PHOTOS = 2_000
"""Most entries of each kind on the page, which must open in a browser for 40,000 photos too."""


def write_report(gallery: Gallery, where: Path, out: Path) -> None:
    """Write the page and note it in the gallery, so that `forget` can delete it."""
    page = render(gallery, where)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8", errors="backslashreplace")
    gallery.note_report(out)


def render(gallery: Gallery, where: Path) -> str:
    """The page as text."""
    from jinja2 import Environment

    template = (files("lineament.cli") / "report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(_facts(gallery, where))


def _facts(gallery: Gallery, where: Path) -> dict[str, Any]:
    people = gallery.people()
    photos, faces = gallery.counts()
    again = [p for p in people if len(p.faces) > 1 or p.name]
    better = worth(gallery)
    once = [p for p in people if len(p.faces) == 1 and not p.name]
    once.sort(key=lambda p: -better(p.faces[0]))
    calibration = calibration_of(gallery.space)
    threshold = threshold_for(faces, calibration)
    return {
        "photos": photos,
        "faces": faces,
        "named_people": sum(1 for p in people if p.name),
        "unnamed_people": sum(1 for p in people if not p.name),
        "recurring": [_person(gallery, p, better) for p in again[:PEOPLE]],
        "once": [_once(gallery, p) for p in once[:ONCE]],
        "once_total": len(once),
        "quality": _histogram([f.quality for p in people for f in p.faces]),
        "photo_rows": _photo_rows(gallery, people),
        "skipped": gallery.skipped(),
        "gallery": where.name,
        "date": datetime.date.today().isoformat(),
        "space": gallery.space,
        "threshold": threshold,
        "rate": _one_in(calibration, threshold),
        "calibration": calibration.data,
        "version": __version__,
    }


def _person(
    gallery: Gallery, person: Person, better: Callable[[FaceView], float]
) -> dict[str, Any]:
    best_first = sorted(person.faces, key=lambda face: -better(face))
    return {
        "id": person.id,
        "name": person.name,
        "faces": len(person.faces),
        "photos": len({face.photo for face in person.faces}),
        "best": _picture(gallery, best_first[0]) if best_first else "",
        "crops": [
            {"crop": _picture(gallery, face), "photo": face.photo, "id": face.id}
            for face in best_first[:FACES_A_PERSON]
        ],
    }


def _once(gallery: Gallery, person: Person) -> dict[str, Any]:
    face = person.faces[0]
    return {"crop": _picture(gallery, face), "photo": face.photo, "person": person.id}


def _picture(gallery: Gallery, face: FaceView) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(gallery.crop(face.id)).decode()


def _photo_rows(gallery: Gallery, people: Iterable[Person]) -> list[dict[str, Any]]:
    who: dict[int, list[str]] = defaultdict(list)
    for person in people:
        for face in person.faces:
            who[face.photo_id].append(person.name or f"person {person.id}")
    rows = sorted(gallery.photos(), key=lambda p: (-len(who[p.id]), p.paths))
    return [
        {
            "path": photo.paths[0] if photo.paths else "(file gone)",
            "copies": max(0, len(photo.paths) - 1),
            "width": photo.width,
            "height": photo.height,
            "who": who[photo.id],
        }
        for photo in rows[:PHOTOS]
    ]


def _histogram(values: Sequence[float]) -> list[dict[str, Any]]:
    counts, edges = np.histogram(values, bins=10, range=(0, 1))
    tallest = max(1, int(counts.max()))
    return [
        {"count": int(count), "height": round(96 * int(count) / tallest), "label": f"{edge:.1f}"}
        for count, edge in zip(counts, edges, strict=False)
    ]


def _one_in(calibration: Calibration, threshold: float) -> str:
    return f"1 of {1 / calibration.false_match_rate(threshold):,.0f}"
