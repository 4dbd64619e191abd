"""The masker built into transformers, judged fairly: what it does right passes, what it does wrong is found."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="this is about the masker in transformers")

from maskspec.adapters import load_masker
from maskspec.conformance import Request, Unsupported
from maskspec.conformance.examination import Case, Examiner
from maskspec.corpus import Pair, embedded_pair
from maskspec.rules import checked_rules, select_rules

MESSAGES = [
    {"role": "user", "content": "Name a prime."},
    {"role": "assistant", "content": "Seven."},
    {"role": "user", "content": "Another?"},
    {"role": "assistant", "content": "Eleven."},
]


def request(pair: Pair, messages: list[dict[str, object]]) -> Request:
    masker = load_masker("transformers")
    examiner = Examiner(masker, pair, checked_rules())
    return examiner.request(examiner.conversation(Case(messages=messages)), masker.policy)


def test_what_the_tags_enclose_is_trained_and_nothing_else() -> None:
    pair = embedded_pair("chatml.generation+bytelevel-gpt2")
    answer = load_masker("transformers").mask(request(pair, MESSAGES))
    trained = [identifier for identifier, label in zip(answer.input_ids, answer.labels, strict=True) if label != -100]
    text = pair.tokenizer.decode(trained)
    assert text.replace("\n", "") == "Seven.<|im_end|>Eleven.<|im_end|>"


@pytest.mark.parametrize("name", ["chatml", "llama-3", "zephyr", "mistral-v3", "qwen3"])
def test_plain_conversations_break_no_rule(name: str) -> None:
    examiner = Examiner(
        load_masker("transformers"), embedded_pair(f"{name}.generation+bytelevel-qwen"), checked_rules()
    )
    result = examiner.examine(Case(messages=MESSAGES))
    assert result.crash is None
    # Which kind of invalid conversation TOTAL-2 tries depends on the number of the case; see the test below.
    assert set(result.violations) <= {"TOTAL-2"}
    assert {"SPAN-1", "STOP-1", "ROLE-1", "OPEN-1"} <= set(result.passed)


def test_a_message_without_a_role_is_masked_without_an_error() -> None:
    pair = embedded_pair("zephyr.generation+bytelevel-qwen")
    messages = [{"content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    encoded = pair.tokenizer.raw.apply_chat_template(
        messages,
        chat_template=pair.template.source,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
        **pair.special_tokens,
    )
    assert sum(encoded["assistant_masks"]) > 0
    examiner = Examiner(load_masker("transformers"), pair, select_rules(["TOTAL-2"]))
    assert set(examiner.examine(Case(messages=MESSAGES)).violations) == {"TOTAL-2"}


def test_a_last_character_of_several_tokens_is_found_to_be_cut() -> None:
    # transformers asks for the token of the last character and gets the first of the tokens that spell it,
    # so the others stay untrained when the block ends there (GLM's last turn has no stop after it).
    examiner = Examiner(load_masker("transformers"), embedded_pair("glm.generation+bytelevel-gpt2"), checked_rules())
    messages = [{"role": "user", "content": "Smile."}, {"role": "assistant", "content": "\N{WOMAN}"}]
    found = examiner.examine(Case(messages=messages)).violations
    assert set(found) - {"TOTAL-2"} == {"SPAN-1"}
    assert [row.got for row in found["SPAN-1"].finding.rows if row.text == "\N{WOMAN}"][:1] == ["TRAIN"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("chatml+bytelevel-gpt2", "no {% generation %} tags"),
        ("chatml.generation+sentencepiece-bpe:slow", "slow tokenizers have no offsets"),
    ],
)
def test_what_it_cannot_do_is_unsupported(name: str, reason: str) -> None:
    with pytest.raises(Unsupported) as caught:
        load_masker("transformers").mask(request(embedded_pair(name), MESSAGES))
    assert reason in str(caught.value)
