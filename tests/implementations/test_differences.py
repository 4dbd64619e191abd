"""Every difference that `differences.toml` holds is still as it says, and the implementations differ in nothing else.

All of them are asked by `python -m tests.implementations`; here it is the vocabularies that load in a few seconds.
A failure means that a library changed: run that command with `--write` under both series of transformers, and
read what it makes of the appendix.
"""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="nothing can be compared without transformers")
pytest.importorskip("sentencepiece", reason="half of the vocabularies are SentencePiece models")

from maskspec.corpus import real_pairs
from maskspec.corpus._libraries import transformers_major
from maskspec.corpus._manifest import manifest
from tests.implementations.classes import Difference, RoundTrip
from tests.implementations.compare import compare
from tests.implementations.panel import Panel
from tests.implementations.pins import Pin, ask, pins
from tests.implementations.registry import VOCABULARIES, Entry

QUICK = ("mistral-v1", "mistral-v3", "llama-2", "phi-3", "deepseek-v4", "qwen2", "falcon")
ASKED = [pin for pin in pins() if pin.vocabulary in QUICK]


def entry(name: str) -> Entry:
    found = VOCABULARIES[name]
    if found.missing:
        pytest.skip(found.missing)
    return found


@pytest.mark.parametrize("pin", ASKED, ids=lambda pin: pin.name)
def test_a_known_difference_is_as_it_was(pin: Pin) -> None:
    panel = Panel.of(entry(pin.vocabulary))
    now = {name: answers.said for answers in ask(panel, pin) for name in answers.implementations}
    stored = {name: answers.said for answers in pin.of(transformers_major()) for name in answers.implementations}
    compared = now.keys() & stored.keys()
    assert len(compared) >= 2
    assert {name: now[name] for name in compared} == {name: stored[name] for name in compared}
    assert now.keys() <= stored.keys(), "an implementation that differences.toml does not know"


@pytest.mark.parametrize("name", QUICK)
def test_no_other_class_of_difference_is_found(name: str) -> None:
    found = compare(entry(name), examples=48, seed=11)
    assert found.texts == 48
    known = {pin.kind for pin in pins() if pin.vocabulary == name and pin.differs(transformers_major())}
    assert {*found.smallest} <= known
    assert {kind for _, kind in found.smallest_round_trips} <= known


def test_every_vocabulary_of_a_real_pair_is_compared_or_has_a_reason() -> None:
    everything = real_pairs(everything=True)
    names = {each.name for each in (*everything.found, *everything.missing)}
    assert {manifest().pairs[name].vocabulary for name in names} == set(VOCABULARIES)
    for found in VOCABULARIES.values():
        libraries = {each.library for each in found.implementations}
        assert len(libraries) >= 2, found.name


def test_the_entries_are_named_once_and_differ_somewhere() -> None:
    names = [pin.name for pin in pins()]
    assert len(set(names)) == len(names) > 30
    assert [pin.name for pin in pins() if not (pin.differs(4) or pin.differs(5))] == []
    assert all(pin.consequence and pin.text for pin in pins())
    assert [pin.name for pin in pins() if not (pin.of(4) and pin.of(5))] == []
    assert {pin.kind for pin in pins()} == {*Difference, *RoundTrip}


def of(name: str) -> Pin:
    return next(pin for pin in pins() if pin.name == name)


def test_the_seed_difference_is_among_them() -> None:
    """By hand: behind `[INST]` the letter has a space of its own with the legacy slow tokenizer, and none without."""
    pin = next(pin for pin in pins() if pin.kind is Difference.AFTER_SPECIAL and pin.vocabulary == "mistral-v3")
    for series in (4, 5):
        by_name = {name: answers.pieces[-1] for answers in pin.of(series) for name in answers.implementations}
        assert by_name["transformers slow legacy"] == "▁a"
        assert by_name["transformers slow"] == "a"
        assert by_name["transformers fast"] == "a"
        assert by_name["transformers fast legacy"] == "▁a"


def test_what_two_series_share_is_said_once() -> None:
    for pin in pins():
        said = [(answers.said, answers.implementations) for answers in pin.answers]
        assert len(said) == len(set(said)), pin.name
