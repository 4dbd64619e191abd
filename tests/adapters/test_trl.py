"""What can be said of the adapter of trl without trl: what it declares, and what it hands over."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="the adapter needs a tokenizer")

from maskspec.adapters.trl import completion, masker
from maskspec.conformance import Request, Unsupported
from maskspec.conformance.protocol import Labelled, Padding
from maskspec.policy import Policy, Turns, Verdict

ROW = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def request(messages: list[dict[str, object]], *, fast: bool = True, **more: object) -> Request:
    class Tokenizer:
        is_fast = fast
        apply_chat_template = None

    return Request(messages=messages, template="", tokenizer=Tokenizer(), policy=masker.policy, **more)  # type: ignore[arg-type]


def test_the_declared_policies() -> None:
    assert masker.policy == Policy(flags=False)
    assert completion.policy == Policy(flags=False, turns=Turns.LAST, tail=Verdict.TRAIN)


def test_a_row_holds_the_messages_the_tools_and_the_variables() -> None:
    tools = [{"type": "function", "function": {"name": "now"}}]
    assert masker._row(request(ROW, tools=tools, template_kwargs={"enable_thinking": False})) == {
        "messages": ROW,
        "tools": tools,
        "chat_template_kwargs": {"enable_thinking": False},
    }


def test_a_completion_is_the_last_message() -> None:
    assert completion._row(request(ROW)) == {"prompt": ROW[:1], "completion": ROW[1:], "chat_template_kwargs": {}}


def test_a_completion_has_to_be_an_answer() -> None:
    with pytest.raises(Unsupported, match="the last message is none"):
        completion._row(request(ROW[:1]))


def test_there_is_no_mask_without_offsets() -> None:
    with pytest.raises(Unsupported, match="offsets of a fast tokenizer"):
        masker.mask(request(ROW, fast=False))


def test_an_object_that_is_no_tokenizer_of_transformers_is_refused() -> None:
    with pytest.raises(Unsupported, match="not one of transformers"):
        completion.mask(Request(messages=ROW, template="", tokenizer=object(), policy=completion.policy))


def test_batches_are_not_padded_on_the_left() -> None:
    with pytest.raises(Unsupported, match="pads on the right"):
        masker.collate([Labelled([1], [1])], Padding(0, "left"))
