"""Cards: read without importing, literals only, and complete for every method that there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lineament.core import cards
from lineament.core.cards import Card, Weight, method, methods, read_card, weights
from lineament.core.errors import UnknownMethod
from lineament.core.sources import parse

HEAD = "from lineament.core.cards import Card, Weight\n\n"
PLAIN = HEAD + "CARD = Card(slug='a', title='t', paper='p', verb='embed', task='Does.')\n"
PAPER = re.compile(r"arXiv:\d{4}\.\d{4,5}|doi:10\.\S+|(https?://)?[\w.-]+\.[a-z]+/\S+")
every_method = pytest.mark.parametrize("found", methods().values(), ids=list(methods()))
every_weight = pytest.mark.parametrize("weight", weights().values(), ids=list(weights()))


def written(folder: Path, text: str) -> Path:
    path = folder / "method.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_is_read_from_the_text_alone(tmp_path):
    card = read_card(written(tmp_path, "import a_module_that_does_not_exist\n" + PLAIN))
    assert card == Card(slug="a", title="t", paper="p", verb="embed", task="Does.")


def test_nested_weights_and_joined_strings_are_literals(tmp_path):
    text = (
        HEAD + "CARD = Card(slug='a', title='t', paper='p', verb='v', task='one '\n'sentence',\n"
        "published=(('lfw', 'accuracy', 0.5),), weights=(Weight(name='w', file='f', sha256='0',\n"
        "size=1_000, licence='l', commercial=True, trained_on='d', preprocessing='p',\n"
        "sources=()),))\n"
    )
    card = read_card(written(tmp_path, text))
    assert card is not None
    assert card.task == "one sentence"
    assert card.published == (("lfw", "accuracy", 0.5),)
    assert card.weights[0].size == 1000


@pytest.mark.parametrize(
    "value",
    ["open('/etc/passwd')", "__import__('os')", "f'{1}'", "name", "Card.slug", "Weight('w')"],
)
def test_anything_but_literals_is_refused(tmp_path, value):
    text = PLAIN.replace("'Does.'", value)
    with pytest.raises(ValueError, match=r"literals only|malformed"):
        read_card(written(tmp_path, text))


def test_the_worked_example_of_contributing_is_a_card(tmp_path):
    page = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example, *_ = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    card = read_card(written(tmp_path, example))
    assert card is not None
    assert f"class {card.entry}(" in example
    assert f"evidence/{card.slug}.json" in page


def test_a_file_without_a_card_has_none(tmp_path):
    assert read_card(written(tmp_path, "X = 1\n")) is None
    assert read_card(written(tmp_path, '"""\nCARD = Card(\n"""\n')) is None


def test_reading_all_cards_imports_no_method():
    code = (
        "import sys; from lineament.core.cards import methods; found = methods().values();"
        "sys.exit(len([m for m in found if m.module in sys.modules]) or not found)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_slugs_and_weights_are_unique():
    package = Path(cards.__file__).parents[1]
    found = [card for path in package.rglob("*.py") if (card := read_card(path))]
    assert len({card.slug for card in found}) == len(found) == len(methods()) > 0
    listed = [weight.name for card in found for weight in card.weights]
    assert len(set(listed)) == len(listed) == len(weights()) > 0
    files = [weight.file for weight in weights().values()]
    assert len(set(files)) == len(files)


def test_an_unknown_method_is_answered_with_those_there_are():
    with pytest.raises(UnknownMethod, match="no method 'faceid'; there are .*sface"):
        method("faceid")
    with pytest.raises(UnknownMethod, match="no method 'sface' that can detect; .*yunet"):
        method("sface", "detect")


def test_a_described_method_cannot_be_loaded():
    card = Card(slug="a", title="t", paper="p", verb="embed", task="Does.")
    with pytest.raises(UnknownMethod, match="cannot be run yet"):
        cards.Method(card, "lineament.know.embed.a").load()


@every_method
def test_a_card_is_complete(found):
    card = found.card
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", card.slug)
    assert card.title
    assert PAPER.fullmatch(card.paper), card.paper
    assert re.fullmatch(r"[a-z]+", card.verb)
    assert card.task.endswith(".")
    assert card.needs
    assert card.gives
    assert card.risk, "a card says what can go wrong for people"
    assert all(sentence.endswith(".") for sentence in (card.risk, *card.deviations))
    assert all(value >= 0 for _, _, value in card.published)


@every_method
def test_an_entry_can_be_loaded_and_is_documented(found):
    if found.card.entry:
        entry = found.load()
        assert callable(entry)
        assert entry.__doc__
        # In the method's file, or beside it.
        assert entry.__module__.rpartition(".")[0] == found.module.rpartition(".")[0]


_SUFFIXES = {
    *(".onnx", ".tflite", ".task", ".safetensors", ".dat"),
    *(".pth", ".json", ".bin"),  # a state dict, and TensorFlow.js's graph and numbers
}


@every_weight
def test_a_weight_is_complete(weight: Weight):
    assert re.fullmatch(r"[0-9a-f]{64}", weight.sha256)
    assert weight.size > 1000
    assert Path(weight.file).name == weight.file
    assert Path(weight.file).suffix in _SUFFIXES
    assert weight.licence
    assert weight.trained_on
    assert weight.preprocessing
    assert weight.sources
    for source in weight.sources:
        parse(source)
    assert weight.commercial or "research" in weight.licence.lower(), "say that it is research only"
