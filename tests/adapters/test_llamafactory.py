"""What can be said of the adapter of LLaMA-Factory without LLaMA-Factory: what it declares, hands over, and refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from maskspec.adapters.llamafactory import _row, _template_name, masker
from maskspec.conformance import Request, Unsupported
from maskspec.policy import Policy, Turns, Verdict

ANSWER = {"role": "assistant", "content": "Yo"}
QUESTION = {"role": "user", "content": "Hi"}
CALL = {"type": "function", "function": {"name": "now", "arguments": '{"zone": "UTC"}'}}


class ReasoningTemplate(SimpleNamespace):
    """What the adapter asks of LLaMA-Factory's class of this name."""


THINKING = ReasoningTemplate(
    format_function=SimpleNamespace(tool_format="qwen"),
    enable_thinking=True,
    thought_words=("<think>\n", "\n</think>\n\n"),
)


def request(*messages: dict[str, Any], **more: Any) -> Request:
    return Request(messages=list(messages), template="", tokenizer=object(), policy=masker.policy, **more)


def test_the_declared_policy_trains_what_stands_behind_a_stop() -> None:
    assert masker.policy == Policy(tail=Verdict.TRAIN, flags=False)


def test_the_last_turn_alone_is_an_option_of_llamafactory() -> None:
    assert masker.with_policy(masker.policy.changed(turns="last")).policy.turns is Turns.LAST


@pytest.mark.parametrize(
    "changes", [{"turns": "last_round"}, {"stop": "none"}, {"roles": {"user"}}, {"opening": "train"}, {"flags": True}]
)
def test_what_llamafactory_has_no_option_for_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Unsupported, match="mask_history"):
        masker.with_policy(masker.policy.changed(**changes))


@pytest.mark.parametrize(
    ("pair", "template"),
    [("qwen2.5", "qwen"), ("qwen3", "qwen3"), ("mistral-v3:slow", "mistral"), ("gemma-3", "gemma2")],
)
def test_a_pair_has_the_template_of_its_model(pair: str, template: str) -> None:
    assert _template_name(pair) == template


@pytest.mark.parametrize("pair", ["tinyllama", "kimi-k2", "chatml+bytelevel-gpt2", ""])
def test_a_pair_whose_model_is_not_registered_is_refused(pair: str) -> None:
    with pytest.raises(Unsupported, match="registers no template"):
        _template_name(pair)


def test_a_row_has_the_messages_and_the_tools_as_json() -> None:
    assert _row(request(QUESTION, ANSWER, tools=[{"type": "function"}]), THINKING) == {
        "messages": [QUESTION, ANSWER],
        "tools": '[{"type": "function"}]',
    }


def test_a_call_is_a_message_of_its_own_and_its_arguments_an_object() -> None:
    row = _row(request(QUESTION, {"role": "assistant", "content": None, "tool_calls": [CALL]}), THINKING)
    assert row["messages"][1] == {
        "role": "function_call",
        "content": '[{"name": "now", "arguments": {"zone": "UTC"}}]',
    }


def test_reasoning_stands_between_the_words_of_the_template() -> None:
    row = _row(request(QUESTION, {**ANSWER, "reasoning_content": "Hm"}), THINKING)
    assert row["messages"][1]["content"] == "<think>\nHm\n</think>\n\nYo"


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([QUESTION], "does not end with an answer"),
        ([QUESTION, {**ANSWER, "tool_calls": [CALL]}], "holds no text"),
        ([QUESTION, {"role": "assistant", "tool_calls": [CALL["function"]]}], "under `function`"),
        ([QUESTION, {"role": "assistant", "tool_calls": [{"function": {"name": "now", "arguments": "?"}}]}], "no JSON"),
        ([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, ANSWER], "one text"),
    ],
)
def test_what_a_row_cannot_hold_is_refused(messages: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        _row(request(*messages), THINKING)


def test_a_template_without_reasoning_gets_none() -> None:
    plain = type("Template", (), {"enable_thinking": True, "thought_words": ("", "")})()
    with pytest.raises(Unsupported, match="no reasoning"):
        _row(request(QUESTION, {**ANSWER, "reasoning_content": "Hm"}), plain)
