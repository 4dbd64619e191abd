"""The bug that maskspec starts from, alive: the suite finds it by itself in axolotl 0.5.2 and not in 0.19.0.

Nobody hands a conversation to the suite here. What it found last is handed to axolotl
once more, without the suite, as a ShareGPT record and by its own entry point.
"""

from __future__ import annotations

from typing import Any

import pytest

from maskspec.adapters.axolotl import sharegpt as masker
from maskspec.conformance import Report, check_masker, find_pair
from maskspec.conformance.report import Failure
from tests.peers.axolotl import entry
from tests.unit.vocabularies import mistral_fast, mistral_slow

pytestmark = entry.needed

STRAY = "29473"
LEGACY = {"mistral-v3:legacy", "mistral-v3:slow:legacy"}
PAIRS = {"mistral-v3", "mistral-v3:slow"} | LEGACY
RULES = ("SPAN-1", "SPAN-5", "STOP-1", "TOKEN-1", "TOKEN-3")
THREE_PAIRS = 6

old = pytest.mark.skipif(entry.VERSION != entry.OLD, reason="the bug was mended after 0.5.2: tox -e seed")
newest = pytest.mark.skipif(entry.VERSION != entry.NEWEST, reason="0.19.0 is the newest: tox -e seed-newest")


@pytest.fixture(scope="module")
def report() -> Report:
    return check_masker(
        masker, pairs=[find_pair(name) for name in sorted(PAIRS)], rules=RULES, profile="quick", time_limit=120
    )


def found(report: Report, rule: str) -> list[Failure]:
    return [failure for failure in report.broken if failure.rule.id == rule]


def as_record(failure: Failure) -> dict[str, Any]:
    names = {"user": "human", "assistant": "gpt"}
    turns = [
        {"from": names.get(message["role"], message["role"]), "value": message["content"]}
        for message in failure.messages
    ]
    return {"conversations": turns}


def test_every_pair_was_asked(report: Report) -> None:
    assert {pair.pair for pair in report.pairs} == PAIRS
    assert not report.conflicts
    assert all(pair.tallies["SPAN-1"].run >= 20 for pair in report.pairs)


@old
@pytest.mark.parametrize("rule", ["SPAN-1", "SPAN-5"])
def test_lost_answers_are_found_on_slow_and_fast_tokenizers_alike(report: Report, rule: str) -> None:
    failures = found(report, rule)
    assert {pair for failure in failures for pair in failure.pairs} == PAIRS


@old
def test_every_conversation_shrinks_to_three_pairs_at_most(report: Report) -> None:
    failures = [*found(report, "SPAN-1"), *found(report, "SPAN-5")]
    assert failures
    for failure in failures:
        assert len(failure.messages) <= THREE_PAIRS
        assert any(message["role"] == "assistant" for message in failure.messages)


@old
def test_the_smallest_conversation_loses_an_answer_without_the_suite_too(report: Report) -> None:
    """As ShareGPT, in an axolotl that maskspec has no part in: no token of the lost turn carries loss."""
    failures = found(report, "SPAN-5")
    assert failures
    for failure in failures:
        legacy, slow = failure.pair in LEGACY, ":slow" in failure.pair
        tokenizer = (mistral_slow if slow else mistral_fast)("v3", legacy)
        row = entry.sharegpt(tokenizer, find_pair(failure.pair).template.source).tokenize_prompt(as_record(failure))
        answers = [message for message in failure.messages if message["role"] == "assistant"]
        lost = [answer["content"] for answer in answers if answer["content"].strip()]
        assert lost
        assert entry.trained(tokenizer, row).count("</s>") < len(answers)


@newest
def test_no_answer_is_lost_any_more(report: Report) -> None:
    for rule in ("SPAN-1", "SPAN-5"):
        assert not found(report, rule)
        assert report.tallies[rule].passed >= 4 * 20


@newest
def test_what_is_left_is_the_stop_of_an_empty_answer(report: Report) -> None:
    assert {failure.rule.id for failure in report.broken} == {"STOP-1"}
    for failure in report.broken:
        assert any(message["role"] == "assistant" and message["content"] == "" for message in failure.messages)


def test_the_stray_token_is_noted_as_the_tokenizers_own(report: Report) -> None:
    """`▁` behind every control token: only with the legacy flag, in the slow tokenizer and the fast one made of it."""
    notes = [note for note in report.notes if note.rule.id == "TOKEN-3"]
    assert {pair for note in notes for pair in note.pairs} == LEGACY
    assert all(STRAY in note.explanation for note in notes)
    assert not found(report, "TOKEN-3")


def test_slow_and_fast_have_the_same_ids_in_either_mode(report: Report) -> None:
    """In transformers 4.57; the bug needs no difference between them."""
    assert report.tallies["TOKEN-1"].passed > 0
    assert report.tallies["TOKEN-1"].noted == 0
    assert not found(report, "TOKEN-1")
