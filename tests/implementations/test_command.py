"""`python -m tests.implementations` ends with 1 where a difference is no longer as it is written down, else with 0."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("transformers", reason="nothing can be compared without transformers")
pytest.importorskip("sentencepiece", reason="the vocabulary is a SentencePiece model")
pytest.importorskip("mistral_common", reason="it has the vocabulary: python -m pip install mistral-common")

from maskspec.corpus._libraries import transformers_major
from tests.implementations import __main__ as command
from tests.implementations.classes import Difference
from tests.implementations.pins import Pin, pins
from tests.implementations.registry import VOCABULARIES, Implementation

RUN = ["--only", "mistral-v3", "--examples", "12"]


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch):
    def use(found: tuple[Pin, ...]) -> None:
        monkeypatch.setattr(command, "pins", lambda: found)

    return use


def test_all_is_as_it_is_written_down(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(RUN) == 0
    assert capsys.readouterr().out.startswith("mistral-v3: ")


def test_other_ids_are_noticed(entries, capsys: pytest.CaptureFixture[str]) -> None:
    def otherwise(pin: Pin) -> Pin:
        if pin.vocabulary != "mistral-v3" or pin.kind is not Difference.AFTER_SPECIAL:
            return pin
        return replace(pin, answers=tuple(replace(each, ids=(*each.ids, 7)) for each in pin.answers))

    entries(tuple(map(otherwise, pins())))
    assert command.main(RUN) == 1
    printed = capsys.readouterr().out
    assert "a-space-after-a-special-token-mistral-v3: transformers slow gives ((" in printed


def test_a_class_without_an_entry_is_noticed(entries, capsys: pytest.CaptureFixture[str]) -> None:
    entries(tuple(pin for pin in pins() if pin.kind is not Difference.AFTER_SPECIAL))
    assert command.main(RUN) == 1
    assert "not in differences.toml: a space after a special token" in capsys.readouterr().out


def test_what_is_missing_says_why() -> None:
    named = Implementation("another", "another", lambda: None, needs=("no_such_module",))
    assert named.reason == "needs no_such_module"
    other = Implementation("another", "another", lambda: None, transformers=(9 - transformers_major(),))
    assert other.reason == f"transformers {transformers_major()} does not have it"
    alone = replace(VOCABULARIES["mistral-v3"], implementations=(VOCABULARIES["mistral-v3"].implementations[0], named))
    assert alone.missing == "only one library has it here (another: needs no_such_module)"
    assert alone.here == alone.implementations[:1]
