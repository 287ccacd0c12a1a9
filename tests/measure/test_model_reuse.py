"""Cards of weights: what they know and leave open, and claims beside figures."""

from __future__ import annotations

import subprocess
import sys

from lineament.core.cards import Card, Weight, methods, weights
from lineament.core.weight_file import FileReport
from lineament.core.weights import fetch
from lineament.measure.evidence import Result, write
from lineament.measure.model_reuse import ATTRIBUTES, STATED, WeightCard, claims, weight_cards

WEIGHT = Weight(
    name="w",
    file="w.onnx",
    sha256="ab" * 32,
    size=7,
    licence="MIT",
    commercial=True,
    trained_on="faces",
    preprocessing="RGB",
    sources=("pypi:a==1!w.onnx", "https://example.net/w.onnx"),
)


def card(**changes) -> WeightCard:
    fields = {
        "weight": WEIGHT,
        "method": "m",
        "paper": "arXiv:1",
        "code": "x/y",
        "risk": "some",
        "claims": (),
        "measured": ("lfw",),
    }
    return WeightCard(**{**fields, **changes})


def result(**changes) -> Result:
    fields = {
        "method": "m",
        "protocol": "lfw",
        "data": "d",
        "data_hash": "",
        "metric": "accuracy (flip)",
        "ours": 0.98,
        "interval": (0.97, 0.99),
        "paper": 0.99,
    }
    return Result(**{**fields, **changes})


def test_what_is_known_and_what_is_open():
    whole = card()
    assert set(ATTRIBUTES) - whole.known == {"claimed figures"}
    open_weight = Weight(**{**vars(WEIGHT), "trained_on": "which data is not stated"})
    poor = card(weight=open_weight, code="", measured=(), risk="")
    assert set(ATTRIBUTES) - poor.known == {
        "claimed figures",
        "training data",
        "code",
        "measured figures",
        "risk",
    }
    assert whole.packages == ("pypi:a==1",)


def test_a_claim_stands_beside_the_result_that_was_held_against_it():
    published = (("lfw", "accuracy", 0.99), ("lfw", "accuracy", 0.5), ("ijb", "TAR", 0.9))
    method_card = Card(slug="m", title="", paper="", verb="embed", task="", published=published)
    found = claims(method_card, [result(paper=None), result(), result(protocol="other")])
    assert [c.measured for c in found] == [0.98, None, None]
    assert found[0].interval == (0.97, 0.99)
    assert found[0].holds is True
    assert claims(method_card, [result(interval=(0.97, 0.985))])[0].holds is False


def test_a_file_is_intact_only_with_the_size_and_hash_of_its_record():
    assert card().intact is None
    assert card(file=FileReport("onnx", 7, "ab" * 32, ())).intact is True
    assert card(file=FileReport("onnx", 8, "ab" * 32, ())).intact is False
    assert card(file=FileReport("onnx", 7, "ac" * 32, ())).intact is False


def test_there_is_a_card_of_every_weight_and_it_reads_the_evidence(tmp_path):
    assert [c.weight.name for c in weight_cards()] == sorted(weights())
    published = {(p, m): v for p, m, v in methods()["sface"].card.published}
    figure = result(method="sface", paper=published["lfw", "accuracy"], ours=0.5, interval=None)
    write("sface", [figure], tmp_path)
    found = {c.weight.name: c for c in weight_cards(evidence=tmp_path)}
    assert found["sface"].claims[0].measured == 0.5
    assert found["sface"].claims[0].holds is False
    assert found["sface"].measured == ("lfw",)
    assert found["yunet"].measured == ()


def test_files_are_looked_into_where_they_are():
    here = {"yunet": fetch(weights()["yunet"])}
    for found in weight_cards(files=here):
        assert found.intact is (True if found.weight.name == "yunet" else None)


def test_what_packages_state_is_of_packages_that_weights_are_taken_from():
    packages = {package for found in weight_cards() for package in found.packages}
    assert set(STATED) <= packages
    assert all(stated <= set(ATTRIBUTES) for stated in STATED.values())


def test_the_page_is_up_to_date(root):
    done = subprocess.run(
        [sys.executable, "docs/weights_page.py", "--print"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (root / "docs" / "weights.md").read_text(encoding="utf-8") == done.stdout
