"""oumi's adapter without oumi: what it declares, what it hands over and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from maskspec import Policy
from maskspec.adapters.oumi import OumiMasker, _message, _padding, masker
from maskspec.conformance.protocol import Labelled, Padding, Request, Unsupported
from maskspec.policy import Stops, Turns, Verdict

ROW = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def request(messages: list[Any], **more: Any) -> Request:
    return Request(messages, "{{ messages }}", object(), masker.policy, **more)


class Tokenizer:
    """As much of a tokenizer as the choice of a padding token looks at."""

    bos_token, eos_token, chat_template = "<s>", "</s>", "<turn>{{ messages }}"

    def __init__(self, pad_token: str | None, unk_token: str | None, added: tuple[str, ...] = ()) -> None:
        self.pad_token, self.unk_token, self._added = pad_token, unk_token, added

    def get_added_vocab(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self._added)}


def test_newlines_of_a_header_may_be_trained_and_flags_are_unknown() -> None:
    assert masker.policy == Policy(opening=Verdict.EITHER, flags=False)
    assert masker.truncation == ("right",)


def test_the_final_turn_can_be_chosen_and_nothing_else() -> None:
    final = masker.policy.changed(turns=Turns.LAST)
    assert masker.with_policy(final).policy == final
    for changes in ({"roles": {"user"}}, {"stop": Stops.NONE}, {"turns": Turns.LAST_ROUND}):
        with pytest.raises(Unsupported, match="all turns of the assistant or the final one"):
            masker.with_policy(masker.policy.changed(**changes))


def test_arguments_of_a_call_are_handed_over_as_json_text() -> None:
    call = {"id": "call00001", "type": "function", "function": {"name": "now", "arguments": {"zone": "Ü"}}}
    handed = _message({"role": "assistant", "content": None, "tool_calls": [call]})
    assert handed["tool_calls"][0]["function"] == {"name": "now", "arguments": '{"zone": "Ü"}'}
    assert call["function"] == {"name": "now", "arguments": {"zone": "Ü"}}


def test_a_call_without_a_function_is_refused() -> None:
    with pytest.raises(Unsupported, match="with an id and a function inside"):
        _message({"role": "assistant", "content": "", "tool_calls": [{"name": "now", "arguments": {}}]})


def test_a_message_of_text_is_handed_over_as_it_is() -> None:
    assert [_message(message) for message in ROW] == ROW


def test_a_role_that_oumi_does_not_name_is_refused() -> None:
    with pytest.raises(Unsupported, match="no 'developer'"):
        _message({"role": "developer", "content": "Be brief."})


def test_parts_are_refused() -> None:
    with pytest.raises(Unsupported, match="parts"):
        _message({"role": "user", "content": [{"type": "text", "text": "Hi"}]})


def test_a_tool_that_is_no_function_is_refused() -> None:
    fast = type("Fast", (Tokenizer,), {"apply_chat_template": None})("<pad>", None)
    masker = OumiMasker()
    asked = Request(ROW, "{{ messages }}", fast, masker.policy, tools=[{"name": "now"}])
    masker._made[(id(fast), "{{ messages }}", "")] = (fast, fast, None)
    with pytest.raises(Unsupported, match="function inside"):
        masker.mask(asked)


def test_variables_of_the_template_are_refused() -> None:
    with pytest.raises(Unsupported, match="no variables"):
        OumiMasker().mask(request(ROW, template_kwargs={"enable_thinking": False}))


def test_an_object_that_is_no_tokenizer_of_transformers_is_refused() -> None:
    with pytest.raises(Unsupported, match="not one of transformers"):
        OumiMasker().mask(request(ROW))


def test_a_batch_before_any_row_is_refused() -> None:
    with pytest.raises(Unsupported, match="nothing was masked before"):
        OumiMasker().collate([Labelled([1], [-100])], Padding(0))


@pytest.mark.parametrize(
    ("tokenizer", "padding"),
    [
        (Tokenizer("<pad>", "<unk>"), "<pad>"),
        (Tokenizer(None, "<unk>"), "<unk>"),
        (Tokenizer(None, None, ("<s>", "</s>", "<turn>", "<spare>")), "<spare>"),
        (Tokenizer(None, None, ("<s>", "</s>", "<turn>")), "</s>"),
    ],
)
def test_padding_is_the_end_token_only_where_nothing_else_is_left(tokenizer: Tokenizer, padding: str) -> None:
    assert _padding(tokenizer) == padding
