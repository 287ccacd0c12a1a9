"""``analyze`` and ``verify``: photos in, answers out, nothing kept."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lineament.analyze import Analyzer, main_face
from lineament.cli.fields import face_json, face_words, wanted_fields
from lineament.cli.output import numbers, print_json, print_table
from lineament.core.errors import BadInput, UnreadableImage
from lineament.core.faces import Faces
from lineament.core.image import Image
from lineament.core.media import encode_jpeg, read_image
from lineament.core.verdict import Calibration
from lineament.know.verify import verify as compare


def analyzer_of(
    options: Namespace, embedder: str | None, want: Iterable[str] | None = None
) -> Analyzer:
    """The analyzer that the command line asks for."""
    return Analyzer.of(
        options.detector,
        embedder,
        want=want,
        using=getattr(options, "using", ()),
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
    want = wanted_fields(options.want) | ({"parsing"} if options.masks else frozenset())
    analyzer = analyzer_of(options, options.embedder, want)
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
        found.append(_photo_row(path, image, faces, want))
        if options.masks:
            _write_masks(options.masks, path, image, faces, found[-1])
        if not options.json:
            _print_faces(found[-1], faces, want)
        if options.draw:
            options.draw.write_bytes(encode_jpeg(draw(image, faces).pixels, 92))
    if options.json:
        print_json(found if len(found) > 1 else found[0])
    elif options.draw:
        print(f"drawn: {options.draw}")
    return UnreadableImage.exit_code if failures == len(options.photos) else 0


def draw(image: Image, faces: Faces) -> Image:
    """The picture with all that was found drawn into it."""
    from lineament.core.draw import draw_faces
    from lineament.core.draw_masks import draw_masks
    from lineament.core.draw_pose import draw_poses, pose_labels

    if "parsing" in faces.fields:
        image = draw_masks(image, faces.parsing)
    if "pose" not in faces.fields:
        return draw_faces(image, faces)
    return draw_poses(draw_faces(image, faces, pose_labels(faces)), faces)


def _write_masks(
    folder: Path, photo: Path, image: Image, faces: Faces, row: dict[str, Any]
) -> None:
    """Each face's classes as a PNG; the rows say its name and what the numbers mean."""
    from PIL import Image as Pillow

    folder.mkdir(parents=True, exist_ok=True)
    for number, described in enumerate(row["faces"]):
        labels = faces.parsing.label_map(number, image.width, image.height)
        file = folder / f"{photo.stem}-{number + 1}.png"
        Pillow.fromarray(labels).resize(
            (row["width"], row["height"]), Pillow.Resampling.NEAREST
        ).save(file)
        described["parsing"] |= {"map": str(file), "classes": list(faces.parsing.names)}


def _photo_row(path: Path, image: Image, faces: Faces, want: frozenset[str]) -> dict[str, Any]:
    return {
        "photo": str(path),
        "width": round(image.width / image.scale),
        "height": round(image.height / image.scale),
        "faces": [face_json(face, want, image.scale) for face in faces],
    }


def _print_faces(row: dict[str, Any], faces: Faces, want: frozenset[str]) -> None:
    words = {0: "nobody found", 1: "1 face"}.get(len(faces), f"{len(faces)} faces")
    print(f"{row['photo']}  {row['width']} x {row['height']}  {words}")
    if not len(faces):
        return
    lines = [
        (
            number,
            " ".join(f"{v:.0f}" for v in described["box"]),
            f"{face.score:.2f}",
            *(face_words(face, name) for name in sorted(want)),
        )
        for number, (face, described) in enumerate(zip(faces, row["faces"], strict=True), 1)
    ]
    print_table(("face#", "box (x1 y1 x2 y2)", "score#", *sorted(want)), lines)


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
