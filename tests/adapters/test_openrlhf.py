"""What can be said of the adapter of OpenRLHF without OpenRLHF: what it declares, hands over and refuses."""

from __future__ import annotations

import pytest

from maskspec.adapters.openrlhf import _Rows, _strategy, masker
from maskspec.conformance import Request, Unsupported
from maskspec.conformance.protocol import Labelled, Padding
from maskspec.policy import Policy, Verdict

ROW = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


class Tokenizer:
    eos_token, pad_token, padding_side = "</s>", None, "left"

    def apply_chat_template(self) -> None: ...


def request(messages: list[dict[str, object]] = ROW, **more: object) -> Request:
    given = {"template": "", "tokenizer": Tokenizer(), "policy": masker.policy} | more
    return Request(messages=messages, **given)  # type: ignore[arg-type]


def test_the_declared_policy_trains_a_turn_to_its_end_and_knows_no_flags() -> None:
    assert masker.policy == Policy(tail=Verdict.TRAIN, flags=False)
    assert masker.truncation == ("right",)


def test_the_last_message_alone_is_an_option() -> None:
    assert masker.with_policy(masker.policy.changed(turns="last")).policy.turns.value == "last"


@pytest.mark.parametrize("changes", [{"turns": "last_round"}, {"roles": {"user"}}, {"stop": "none"}, {"flags": True}])
def test_other_policies_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Unsupported, match="no other choice"):
        masker.with_policy(masker.policy.changed(**changes))


def test_without_many_turns_the_last_message_has_to_be_the_answer() -> None:
    last = masker.with_policy(masker.policy.changed(turns="last"))
    assert last._messages(request()) == ROW
    with pytest.raises(Unsupported, match="the last message is the response"):
        last._messages(request(ROW[:1]))


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"tools": [{"type": "function"}]}, "no tools"),
        ({"template_kwargs": {"enable_thinking": False}}, "no variables"),
    ],
)
def test_what_is_not_handed_to_the_template_is_refused(more: dict[str, object], what: str) -> None:
    with pytest.raises(Unsupported, match=what):
        masker._messages(request(**more))


def test_the_tokenizer_is_a_copy_that_pads_with_its_end_token_on_the_right() -> None:
    asked = request()
    copied = masker._tokenizer(asked)
    assert (copied.pad_token, copied.padding_side) == ("</s>", "right")
    assert (asked.tokenizer.pad_token, asked.tokenizer.padding_side) == (None, "left")
    assert masker._tokenizer(asked) is copied


def test_an_object_that_is_no_tokenizer_of_transformers_is_refused() -> None:
    with pytest.raises(Unsupported, match="not one of transformers"):
        masker._tokenizer(request(tokenizer=object()))


def test_the_options_are_those_of_train_sft() -> None:
    options = _strategy("{{ messages }}").args.data
    assert vars(options) == {
        "input_key": "messages",
        "output_key": None,
        "apply_chat_template": True,
        "tokenizer_chat_template": "{{ messages }}",
    }


def test_rows_are_mapped_filtered_and_read_by_column_and_keep_what_they_were() -> None:
    rows = _Rows([{"messages": 1}, {"messages": 2}])
    doubled = rows.map(lambda row: {"prompt": row.pop("messages") * 2}, remove_columns=rows.column_names, num_proc=8)
    assert doubled["prompt"] == [2, 4]
    assert doubled.filter(lambda row: row["prompt"] > 2) == [{"prompt": 4}]
    assert rows == [{"messages": 1}, {"messages": 2}]


def test_padding_on_the_left_is_refused() -> None:
    with pytest.raises(Unsupported, match="on the right"):
        masker.collate([Labelled([1], [-100])], Padding(0, "left"))
