"""Training flags: the spellings of the field, and what happens where they contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from maskspec.conversation import Conversation, Message, TextSpan
from maskspec.errors import ConversationError

TEXT = "I'm doing very well, thank you!"


def read(**flags: Any) -> Message:
    return Message.from_dict({"role": "assistant", "content": TEXT, **flags})


@pytest.mark.parametrize(
    ("flags", "train", "weight", "flag"),
    [
        ({}, None, None, None),
        ({"train": None, "weight": None, "spans": None}, None, None, None),
        ({"train": True}, True, None, True),
        ({"train": False}, False, None, False),
        ({"training": False}, False, None, False),
        ({"trainable": True}, True, None, True),
        ({"loss": False}, False, None, False),
        ({"train": True, "loss": True}, True, None, True),
        ({"weight": 0}, None, 0.0, False),
        ({"weight": 1}, None, 1.0, True),
        ({"weight": 0.25}, None, 0.25, True),
        ({"loss_weight": 2}, None, 2.0, True),
        ({"loss_scale": 0.5}, None, 0.5, True),
        ({"train": True, "weight": 0.5}, True, 0.5, True),
        ({"train": False, "weight": 0}, False, 0.0, False),
        ({"spans": [{"start": 0, "end": 3}]}, None, None, True),
        ({"spans": [{"start": 0, "end": 3, "train": False}]}, None, None, False),
        ({"spans": [{"start": 0, "end": 3}], "train": False}, False, None, False),
    ],
)
def test_flags_are_read(flags: dict[str, Any], train: bool | None, weight: float | None, flag: bool | None) -> None:
    message = read(**flags)
    assert (message.train, message.weight, message.flag) == (train, weight, flag)
    assert message.weight is None or type(message.weight) is float
    assert Message.from_dict(message.to_dict()) == message


def test_axolotl_offsets_include_their_last_character() -> None:
    # The three details of the example in axolotl's documentation, which cover the text without a gap.
    details = [
        {"begin_offset": 0, "end_offset": 8, "train": False},
        {"begin_offset": 9, "end_offset": 18, "train": True},
        {"begin_offset": 19, "end_offset": 30, "train": False},
    ]
    expected = (TextSpan(0, 9, train=False), TextSpan(9, 19), TextSpan(19, 31, train=False))
    for name in ("train_detail", "training_detail", "spans"):
        assert read(**{name: details}).spans == expected
    assert TEXT[9:19] == " very well"


def test_spans_are_half_open_and_count_characters() -> None:
    message = Message.from_dict(
        {"role": "assistant", "content": "👋é", "spans": [{"start": 1, "end": 2, "weight": 0.5}]}
    )
    assert message.spans == (TextSpan(1, 2, weight=0.5),)
    assert message.to_dict()["spans"] == [{"start": 1, "end": 2, "weight": 0.5}]


def test_a_span_of_weight_zero_is_not_trained() -> None:
    assert read(spans=[{"start": 0, "end": 1, "weight": 0}]).spans == (TextSpan(0, 1, train=False, weight=0.0),)


def test_spans_keep_their_order_and_may_touch() -> None:
    message = read(spans=[{"start": 5, "end": 9}, TextSpan(0, 5)])
    assert message.spans == (TextSpan(5, 9), TextSpan(0, 5))


@pytest.mark.parametrize(
    ("flags", "field", "words"),
    [
        ({"train": 1}, "train", "is 1; give true or false"),
        ({"train": "yes"}, "train", "give true or false"),
        ({"loss": 0.5}, "loss", "give true or false"),
        ({"train": True, "training": False}, "training", "disagrees with field 'train'"),
        ({"weight": -1}, "weight", "has the weight -1"),
        ({"weight": True}, "weight", "true and false belong in 'train'"),
        ({"weight": "1"}, "weight", "give a number"),
        ({"weight": float("nan")}, "weight", "finite"),
        ({"weight": float("inf")}, "weight", "finite"),
        ({"weight": 10**400}, "weight", "finite"),
        ({"loss_scale": [1, 2]}, "loss_scale", "a list; give a number"),
        ({"weight": 1, "loss_weight": 2}, "loss_weight", "disagrees with field 'weight'"),
        ({"train": True, "weight": 0}, "weight", "while field 'train' is True"),
        ({"train": False, "weight": 1}, "weight", "while field 'train' is False"),
        ({"spans": {}}, "spans", "is an object; give a list"),
        ({"spans": []}, "spans", "is an empty list"),
        ({"train_detail": []}, "train_detail", "is an empty list"),
        ({"spans": [[0, 1]]}, "spans", "a span is a list"),
        ({"spans": [{"start": 0}]}, "spans", "has the offsets ['start']"),
        ({"spans": [{"start": 0, "end_offset": 3}]}, "spans", "has the offsets ['end_offset', 'start']"),
        ({"spans": [{"start": 0, "ends": 3}]}, "spans", "unknown key 'ends'; did you mean 'end'? known keys: start"),
        ({"spans": [{"start": 0.0, "end": 3}]}, "spans", "start is a number; give a character offset"),
        ({"spans": [{"start": 0, "end": True}]}, "spans", "end is a boolean"),
        ({"spans": [{"start": 3, "end": 3}]}, "spans", "the span [3, 3) is empty"),
        ({"spans": [{"start": -1, "end": 3}]}, "spans", "begins before the text"),
        ({"spans": [{"start": 0, "end": 32}]}, "spans", "beyond the text of 31 characters"),
        ({"train_detail": [{"begin_offset": 0, "end_offset": 31}]}, "spans", "end_offset is the last character itself"),
        ({"spans": [{"start": 0, "end": 3}, {"start": 2, "end": 4}]}, "spans", "[0, 3) and [2, 4) overlap"),
        ({"spans": [{"start": 0, "end": 3, "train": 1}]}, "spans", "train is a number"),
        ({"spans": [{"start": 0, "end": 3, "weight": -1}]}, "spans", "has the weight -1"),
        ({"spans": [{"start": 0, "end": 3, "train": True, "weight": 0}]}, "spans", "drop one of them"),
        (
            {"spans": [{"start": 0, "end": 3}], "train_detail": [{"begin_offset": 0, "end_offset": 3}]},
            "train_detail",
            "disagrees with field 'spans'",
        ),
        ({"content": None, "spans": [{"start": 0, "end": 1}]}, "spans", "this content is null"),
        (
            {"content": [{"type": "text", "text": "abc"}], "spans": [{"start": 0, "end": 1}]},
            "spans",
            "this content is a list",
        ),
    ],
)
def test_a_wrong_flag_is_named(flags: dict[str, Any], field: str, words: str) -> None:
    message = {"role": "assistant", "content": TEXT, **flags}
    with pytest.raises(ConversationError) as caught:
        Conversation.from_messages([{"role": "user", "content": "Hi"}, message])
    assert (caught.value.message, caught.value.field) == (1, field)
    assert words in str(caught.value)
