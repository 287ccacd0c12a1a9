"""Erasure: after forgetting, are an embedding's or a crop's bytes anywhere in the gallery's folder?

Every byte of every file is read: the database, its journal, the search index and the report.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from lineament.analyze import Analyzer
from lineament.bench.context import Context, Outcome, Protocol, Table
from lineament.core.embeddings import Embeddings
from lineament.core.errors import MissingFile
from lineament.ingest import index_folder
from lineament.know.gallery import Gallery
from lineament.measure.evidence import Result


def run(context: Context) -> Outcome:
    """Index the album, forget every other person and some photos, and read the folder."""
    if context.album is None:
        raise MissingFile("the sample album is needed: run this in a checkout")
    analyzer = Analyzer.of()
    embedder = analyzer.embedder
    assert embedder is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "album.lineament"
        with Gallery.open(path, space=embedder.space, dimension=embedder.dimension) as gallery:
            index_folder(context.album, gallery, analyzer)
            gallery.search(first_face(gallery))
            traces = traces_of(gallery)
            before = folder_bytes(path.parent)
            doomed, photos = _choose(gallery)
            for person in doomed:
                gallery.forget_person(person)
            for photo in photos:
                gallery.forget_photo(photo)
            kept = set(gallery.codes().ids.tolist())
            gallery.search(first_face(gallery))
        after = folder_bytes(path.parent)
    erased = {face: marks for face, marks in traces.items() if face not in kept}
    alive = {mark for face, marks in traces.items() if face in kept for mark in marks}
    marks = [mark for found in erased.values() for mark in found if mark not in alive]
    there = sum(mark in before for mark in marks)
    left = sum(mark in after for mark in marks)
    table = Table(
        "Bytes of forgotten faces (code, embedding, crop) in the gallery's folder",
        ("people forgotten#", "photos forgotten#", "faces#", "traces before#", "traces after#"),
        [[str(len(x)) for x in (doomed, photos, erased)] + [str(there), str(left)]],
    )
    result = Result(
        method="gallery",
        protocol="erasure",
        data="the sample album",
        data_hash="",
        metric="traces of forgotten faces left in the gallery's folder",
        ours=float(left),
        baseline="traces before forgetting",
        baseline_value=float(there),
        higher_is_better=False,
        note="required: none",
    )
    return Outcome([table], [result])


def traces_of(gallery: Gallery) -> dict[int, tuple[bytes, ...]]:
    """What would give each face away: its stored code, the embedding as floats, its crop."""
    faces = gallery.codes()
    vectors = Embeddings.from_codes(faces.codes, gallery.space).vectors
    return {
        int(face): (code.tobytes(), np.ascontiguousarray(vector).tobytes(), gallery.crop(int(face)))
        for face, code, vector in zip(faces.ids, faces.codes, vectors, strict=True)
    }


def first_face(gallery: Gallery) -> Embeddings:
    """Something to search for, so that the gallery writes its index."""
    return Embeddings.from_codes(gallery.codes().codes[:1], gallery.space)


def folder_bytes(folder: Path) -> bytes:
    """All that lies in a folder, file after file."""
    return b"\0".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


def _choose(gallery: Gallery) -> tuple[list[int], list[str]]:
    """Every other person, and the first photo of each of five who stay."""
    people = gallery.people()
    stay = people[1::2]
    return [person.id for person in people[::2]], [p.faces[0].photo for p in stay[:5]]


PROTOCOL = Protocol("erasure", "what is left on disk after forgetting", run)
