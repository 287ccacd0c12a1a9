"""``suggest``: who the people without a name might be, and whom to ask about."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict

from lineament.cli.album import opened
from lineament.cli.output import print_json, print_table
from lineament.core.errors import BadInput, GalleryError, UnknownPerson
from lineament.know.gallery import Gallery
from lineament.know.naming import Question, Suggestion, Suggestions
from lineament.know.naming import suggest as find


def suggest(options: Namespace) -> int:
    """Show suggestions and questions; with ``--ask``, ask, and keep what is answered."""
    if options.ask and (options.json or not sys.stdin.isatty()):
        raise BadInput("--ask needs somebody to ask: a terminal, and no --json")
    with opened(options) as gallery:
        found = find(
            gallery, false_match_rate=options.false_match_rate, questions=options.questions
        )
        if options.json:
            print_json(asdict(found))
        elif options.ask:
            _ask(gallery, found)
        else:
            _show(gallery, found)
    return 0


def _show(gallery: Gallery, found: Suggestions) -> None:
    photo = _photos(gallery)
    if found.certain:
        print_table(
            ("person#", "may be", "faces#", "unlike#", "strangers as like#", "photo"),
            [
                (
                    s.person,
                    s.name,
                    len(s.faces),
                    s.others,
                    f"{s.false_match_rate:.1g}",
                    photo[s.faces[0]],
                )
                for s in found.certain
            ],
        )
        print("Only suggestions. `lineament merge NAME PERSON` makes one a decision of yours,")
        print("`lineament different NAME PERSON` says no, and --ask asks about one after another.")
    else:
        print(f"Nobody is certain at a false-match rate of {found.false_match_rate:g}.")
    if found.questions:
        print("Most would be learned from names for:")
        print_table(
            ("person#", "faces#", "perhaps", "photo"),
            [
                (q.person, q.faces, " or ".join(q.candidates[:3]) or "-", photo[q.face])
                for q in found.questions
            ],
        )
    if found.doubtful:
        print("Faces under a name that look like somebody else: " + _list(found.doubtful))
    print(f"Rates were measured on {found.calibration}.")


def _ask(gallery: Gallery, found: Suggestions) -> None:
    """Go through suggestions, then questions. Each answer is kept at once, as a decision."""
    photo = _photos(gallery)
    kept = 0
    for suggestion in found.certain:
        kept += accept(gallery, suggestion, _yes_or_no(suggestion, photo[suggestion.faces[0]]))
    for question in found.questions:
        hint = f" ({' or '.join(question.candidates[:3])}?)" if question.candidates else ""
        print(f"Person {question.person}, {question.faces} faces, {photo[question.face]}")
        kept += answer(gallery, question, input(f"Who is this?{hint} Name, or nothing to skip: "))
    print(f"{kept} answers are kept as your decisions.")


def _yes_or_no(suggestion: Suggestion, photo: str) -> str:
    print(f"Person {suggestion.person}, {len(suggestion.faces)} faces, {photo}")
    return input(f"Is this {suggestion.name}? yes, no, or nothing to skip: ")


def accept(gallery: Gallery, suggestion: Suggestion, said: str) -> bool:
    """Keep what the user said of a suggestion: yes merges, no sets apart; anything else skips.

    Returns:
        Whether something was decided.
    """
    word = said.strip().lower()
    if word in {"y", "yes"}:
        gallery.merge(suggestion.named, suggestion.person)
    elif word in {"n", "no"}:
        gallery.different(suggestion.named, suggestion.person)
    else:
        return False
    return True


def answer(gallery: Gallery, question: Question, said: str) -> bool:
    """Keep a name that the user gave: of somebody who has it already, or a new one.

    Returns:
        Whether something was decided.
    """
    name = said.strip()
    if not name:
        return False
    try:
        gallery.merge(gallery.find_person(name).id, question.person)
    except UnknownPerson:
        try:
            gallery.name(question.person, name)
        except GalleryError as error:
            print(f"lineament: {error}", file=sys.stderr)
            return False
    return True


def _photos(gallery: Gallery) -> dict[int, str]:
    return {face.id: face.photo for person in gallery.people() for face in person.faces}


def _list(faces: tuple[int, ...]) -> str:
    return ", ".join(map(str, faces))
