"""What can be said of the adapter of tinker-cookbook without it: what it declares, hands over and refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from maskspec.adapters.tinker_cookbook import _chosen, _labelled, _openai, masker
from maskspec.conformance import Request, Unsupported
from maskspec.policy import Policy, Verdict

CHAT: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yo"},
    {"role": "user", "content": "So"},
    {"role": "assistant", "content": "No"},
]


def request(messages: list[dict[str, Any]], **more: Any) -> Request:
    return Request(
        messages=messages, template="", **{"tokenizer": object(), "policy": masker.policy, "pair": "qwen3", **more}
    )


def flagged(index: int, **flags: Any) -> Request:
    return request([{**message, **(flags if place == index else {})} for place, message in enumerate(CHAT)])


def test_the_declared_policy_is_the_principle_with_nothing_behind_the_stop() -> None:
    assert masker.policy == Policy(tail=Verdict.IGNORE)
    assert masker.truncation == ("right",)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("all_assistant_messages", None)),
        ({"turns": "last"}, ("last_assistant_message", None)),
        ({"turns": "last_round"}, ("last_assistant_turn", None)),
        ({"roles": {"user"}}, ("customized", [True, False, True, False])),
    ],
)
def test_turns_and_roles_choose_what_to_train_on(
    changes: dict[str, Any], expected: tuple[str, list[bool] | None]
) -> None:
    assert masker.with_policy(masker.policy.changed(**changes))._trained(request(CHAT)) == expected


@pytest.mark.parametrize("turns", ["last", "last_round"])
def test_the_last_turn_is_asked_only_where_it_ends_the_conversation(turns: str) -> None:
    with pytest.raises(Unsupported, match="where it is the assistant's"):
        masker.with_policy(masker.policy.changed(turns=turns))._trained(request(CHAT[:3]))


@pytest.mark.parametrize(
    ("index", "flags", "expected"),
    [
        (1, {"train": False}, [False, False, False, True]),
        (3, {"weight": 0}, [False, True, False, False]),
        (0, {"train": True}, [True, True, False, True]),
    ],
)
def test_flags_mark_each_message(index: int, flags: dict[str, Any], expected: list[bool]) -> None:
    assert masker._trained(flagged(index, **flags)) == ("customized", expected)


@pytest.mark.parametrize(
    ("flags", "reason"), [({"weight": 0.5}, "true or false"), ({"spans": [{"start": 0, "end": 1}]}, "which characters")]
)
def test_what_a_mark_cannot_say_is_refused(flags: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        masker._trained(flagged(1, **flags))


@pytest.mark.parametrize("changes", [{"stop": "none"}, {"opening": "train"}, {"scaffold": "ignore"}, {"flags": False}])
def test_what_the_cookbook_has_no_option_for_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="options for turns and for roles"):
        masker.with_policy(masker.policy.changed(**changes))


@pytest.mark.parametrize(
    ("pair", "variables", "expected"),
    [
        ("qwen3", {}, "qwen3"),
        ("qwen3", {"enable_thinking": False}, "qwen3_disable_thinking"),
        ("qwen3.5", {}, "qwen3_5_disable_thinking"),
        ("qwen3.5", {"enable_thinking": True}, "qwen3_5"),
        ("deepseek-v3.1", {"thinking": True}, "deepseekv3_thinking"),
        ("gpt-oss", {"reasoning_effort": "high"}, "gpt_oss_high_reasoning"),
    ],
)
def test_variables_of_a_template_choose_a_variant(pair: str, variables: dict[str, Any], expected: str) -> None:
    assert _chosen(request(CHAT, pair=pair, template_kwargs=variables))[0] == expected


@pytest.mark.parametrize(
    ("pair", "more", "reason"),
    [
        ("qwen2.5", {}, "recommends no renderer"),
        ("qwen3+trl:qwen3_training", {}, "recommends no renderer"),
        ("gpt-oss", {"template_kwargs": {"reasoning_effort": "none"}}, "no renderer for reasoning_effort='none'"),
        ("llama-3", {"template_kwargs": {"date_string": "today"}}, "no renderer for the variable date_string"),
        ("llama-3", {"tools": [{"type": "function", "function": {"name": "f"}}]}, "not supported for Llama 3"),
    ],
)
def test_a_model_or_a_variable_without_a_renderer_is_refused(pair: str, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        _chosen(request(CHAT, pair=pair, **more))


def test_an_object_that_is_no_tokenizer_of_transformers_is_refused() -> None:
    with pytest.raises(Unsupported, match="not one of transformers"):
        masker.mask(request(CHAT))


def test_arguments_become_json_text_and_reasoning_gets_its_name() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"city": "Köln"}}}
    message = {"role": "assistant", "content": None, "thinking": "Hm", "train": True, "tool_calls": [call]}
    assert _openai(message) == {
        "role": "assistant",
        "reasoning_content": "Hm",
        "tool_calls": [{**call, "function": {"name": "f", "arguments": '{"city": "Köln"}'}}],
    }


def test_a_call_without_its_wrapping_gets_one() -> None:
    message = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": "{}"}]}
    assert _openai(message)["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_targets_stand_one_place_ahead() -> None:
    @dataclass
    class Data:
        data: list[Any]

    class Inputs:
        def to_ints(self) -> list[int]:
            return [1, 5]

    @dataclass
    class Datum:
        model_input: Inputs
        loss_fn_inputs: dict[str, Data]

    answer = _labelled(Datum(Inputs(), {"target_tokens": Data([5, 6]), "weights": Data([0.0, 0.5])}))
    assert (answer.input_ids, answer.labels) == ((1, 5, 6), (-100, -100, 6))
