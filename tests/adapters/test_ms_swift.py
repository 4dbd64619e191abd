"""What can be said of the adapter of ms-swift without ms-swift: what it declares, hands over, and refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from maskspec.adapters.ms_swift import _row, _unlabelled_first, masker
from maskspec.conformance import Request, Unsupported
from maskspec.conformance.protocol import Labelled
from maskspec.policy import Policy, Turns

ANSWER = {"role": "assistant", "content": "Yo"}
QUESTION = {"role": "user", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be kind."}


def template(*, prefix: str = "", system: bool = True, agent: str | None = "hermes") -> Any:
    meta = SimpleNamespace(thinking_prefix="", non_thinking_prefix=prefix, support_system=system)
    return SimpleNamespace(template_meta=meta, _agent_template=agent)


def request(*messages: dict[str, Any], **more: Any) -> Request:
    return Request(messages=list(messages), template="", tokenizer=object(), policy=masker.policy, **more)


def test_the_declared_policy_is_the_principle_and_both_sides_can_be_cut() -> None:
    assert masker.policy == Policy()
    assert set(masker.truncation) == {"right", "left"}


def test_the_last_round_alone_is_an_option_of_ms_swift() -> None:
    assert masker.with_policy(masker.policy.changed(turns="last_round")).policy.turns is Turns.LAST_ROUND


@pytest.mark.parametrize("changes", [{"turns": "last"}, {"stop": "none"}, {"roles": {"user"}}, {"flags": False}])
def test_what_ms_swift_has_no_option_for_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Unsupported, match="last round"):
        masker.with_policy(masker.policy.changed(**changes))


@pytest.mark.parametrize("pair", ["falcon", "chatml+bytelevel-gpt2", ""])
def test_a_pair_whose_model_is_not_listed_is_refused(pair: str) -> None:
    class Tokenizer:
        apply_chat_template = None

    with pytest.raises(Unsupported, match="lists no model"):
        masker.mask(Request(messages=[QUESTION], template="", tokenizer=Tokenizer(), policy=Policy(), pair=pair))


def test_an_object_that_is_no_tokenizer_of_transformers_is_refused() -> None:
    with pytest.raises(Unsupported, match="not one of transformers"):
        masker.mask(request(QUESTION, ANSWER, pair="qwen2.5"))


def test_flags_of_answers_are_handed_over_as_loss() -> None:
    row = _row(
        request({**QUESTION, "train": False}, {**ANSWER, "weight": 0.0}, {**QUESTION}, {**ANSWER, "train": True}),
        template(),
    )
    assert row["messages"] == [QUESTION, {**ANSWER, "loss": False}, QUESTION, {**ANSWER, "loss": True}]


def test_tools_and_variables_have_places_of_their_own() -> None:
    row = _row(request(QUESTION, ANSWER, tools=[{}], template_kwargs={"enable_thinking": False}), template())
    assert row["tools"] == [{}]
    assert row["chat_template_kwargs"] == {"enable_thinking": False}


def test_reasoning_stands_in_the_text_of_an_answer() -> None:
    row = _row(request(QUESTION, {**ANSWER, "reasoning_content": "Hm"}), template(prefix="<think>\n\n</think>\n\n"))
    assert row["messages"][1] == {"role": "assistant", "content": "<think>\nHm\n</think>\n\nYo"}


@pytest.mark.parametrize(
    ("messages", "made", "reason"),
    [
        ([QUESTION, ANSWER, SYSTEM, ANSWER], template(), "first place"),
        ([SYSTEM, QUESTION, ANSWER], template(system=False), "support `system`"),
        ([{**SYSTEM, "role": "developer"}, ANSWER], template(), "and not developer"),
        ([QUESTION], template(), "end with an answer"),
        ([QUESTION, {"role": "assistant", "content": None}], template(), "neither a text nor a call"),
        ([{**QUESTION, "train": True}, ANSWER], template(), "no effect"),
        ([QUESTION, {**ANSWER, "spans": [{"start": 0, "end": 1}]}], template(), "no character spans"),
        ([QUESTION, {**ANSWER, "reasoning_content": "Hm"}], template(), "no thought"),
        ([QUESTION, ANSWER, {"role": "tool", "content": "4"}, ANSWER], template(agent=None), "agent template"),
    ],
)
def test_what_a_row_cannot_hold_is_refused(messages: list[dict[str, Any]], made: Any, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        _row(request(*messages), made)


def test_other_variables_are_refused() -> None:
    with pytest.raises(Unsupported, match="no variables"):
        _row(request(QUESTION, ANSWER, template_kwargs={"date_string": "today"}), template())


def test_a_sample_to_pack_has_no_label_at_its_first_token() -> None:
    assert _unlabelled_first(Labelled([1, 5], [1, 5])) == {
        "input_ids": [1, 5],
        "labels": [-100, 5],
        "attention_mask": [1, 1],
        "length": 2,
    }
