"""``analyze`` and ``verify``: photos in, answers out, nothing kept."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from lineament.analyze import Analyzer, main_face
from lineament.cli.output import numbers, print_json, print_table
from lineament.core.errors import BadInput, UnreadableImage
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.media import encode_jpeg, read_image
from lineament.core.verdict import Calibration
from lineament.know.verify import verify as compare


def analyzer_of(options: Namespace, embedder: str | None) -> Analyzer:
    """The analyzer that the command line asks for."""
    return Analyzer.of(
        options.detector,
        embedder,
        upright=not options.as_is,
        small_faces=options.small_faces,
        flip=getattr(options, "flip", False),
        threads=options.threads,
    )


def analyze(options: Namespace) -> int:
    """Find and describe the faces of photos. A photo that cannot be read is reported; the rest
    go on."""
    if options.draw and len(options.photos) > 1:
        raise BadInput("--draw takes one photo")
    analyzer = analyzer_of(options, None)
    found: list[dict[str, Any]] = []
    failures = 0
    for path in options.photos:
        try:
            image = read_image(path)
        except UnreadableImage as error:
            failures += 1
            print(f"lineament: {error}", file=sys.stderr)
            found.append({"photo": str(path), "error": error.reason, "faces": []})
            continue
        faces = analyzer([image])[0]
        found.append(_photo_row(path, image, faces))
        if options.draw:
            from lineament.core.draw import draw_faces

            drawn = draw_faces(image, faces)
            options.draw.write_bytes(encode_jpeg(drawn.pixels, 92))
    if options.json:
        print_json(found if len(found) > 1 else found[0])
    else:
        _print_faces(found)
        if options.draw:
            print(f"drawn: {options.draw}")
    return UnreadableImage.exit_code if failures == len(options.photos) else 0


def _photo_row(path: Path, image: Image, faces: Faces) -> dict[str, Any]:
    scale = image.scale
    return {
        "photo": str(path),
        "width": round(image.width / scale),
        "height": round(image.height / scale),
        "faces": [
            {
                "box": numbers(face.box / scale),
                "score": round(face.score, 4),
                "landmarks": numbers(face.points / scale),
                "quality": round(float(face.quality), 3),
            }
            for face in faces
        ],
    }


def _print_faces(found: list[dict[str, Any]]) -> None:
    for row in found:
        if "error" in row:
            continue
        count = len(row["faces"])
        words = {0: "nobody found", 1: "1 face"}.get(count, f"{count} faces")
        print(f"{row['photo']}  {row['width']} x {row['height']}  {words}")
        if count:
            lines = [
                (i + 1, " ".join(f"{v:.0f}" for v in f["box"]), f"{f['score']:.2f}", f["quality"])
                for i, f in enumerate(row["faces"])
            ]
            print_table(("face#", "box (x1 y1 x2 y2)", "score#", "quality#"), lines)


def verify(options: Namespace) -> int:
    """Compare the largest face of each of two photos."""
    analyzer = analyzer_of(options, options.embedder)
    images = [read_image(options.a), read_image(options.b)]
    faces = [
        main_face(found, image.source)
        for found, image in zip(analyzer(images), images, strict=True)
    ]
    a, b = (face.embeddings for face in faces)
    verdict = compare(
        a,
        b,
        false_match_rate=options.false_match_rate,
        calibration=_ladder(options, a.space),
    )[0]
    if options.json:
        print_json(
            {
                "same": verdict.same,
                "score": round(verdict.score, 4),
                "threshold": round(verdict.threshold, 4),
                "false_match_rate": verdict.false_match_rate,
                "score_false_match_rate": verdict.score_false_match_rate,
                "calibration": verdict.calibration,
                "embedder": options.embedder,
                "box_a": numbers(faces[0].box / images[0].scale),
                "box_b": numbers(faces[1].box / images[1].scale),
            }
        )
    else:
        answer = "the same person" if verdict.same else "different people"
        print(f"{answer}  score {verdict.score:.3f}, threshold {verdict.threshold:.3f}")
        print(
            f"Strangers pass this threshold in {_share(verdict.false_match_rate)}, and look at "
            f"least this alike in {_share(verdict.score_false_match_rate)}."
        )
        print(f"Measured on {verdict.calibration}.")
    return int(options.exit_code and not verdict.same)


def _ladder(options: Namespace, space: str) -> Calibration | None:
    """What a gallery's own photos say about strangers, where one is named."""
    if options.gallery is None:
        return None
    from lineament.core.embeddings import require_same_space
    from lineament.know.calibrate import calibration_for
    from lineament.know.gallery import Gallery

    with Gallery.open(options.gallery) as gallery:
        require_same_space(gallery.space, space)
        return calibration_for(gallery, options.false_match_rate)


def _share(rate: float) -> str:
    return f"1 of {1 / rate:,.0f} pairs" if rate < 0.5 else f"{rate:.0%} of pairs"
